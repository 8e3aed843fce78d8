/**
 * Who holds which prefix, asked for overlaps: a tree of bits, in which the prefixes that hold another one stand on the way
 * to it, and those that it holds stand below. Costs a step for each bit of a prefix, and one for each that is found.
 */
import { bitsOf, FAMILY_BITS, type Family, familyOf, lengthOf, type Prefix } from './address.js';

class Place<T> {
  readonly holders = new Set<T>();
  readonly below: (Place<T> | undefined)[] = [undefined, undefined];

  get isEmpty(): boolean {
    return this.holders.size === 0 && this.below.every((place) => place === undefined);
  }
}

export class OverlapIndex<T> {
  readonly #roots: { readonly [F in Family]: Place<T> } = { ipv4: new Place(), ipv6: new Place() };

  add(prefix: Prefix, holder: T): void {
    let place = this.#roots[familyOf(prefix)];
    for (const bit of wayTo(prefix)) {
      place.below[bit] ??= new Place();
      place = place.below[bit];
    }
    place.holders.add(holder);
  }

  /** Removed already is success. */
  remove(prefix: Prefix, holder: T): void {
    removeBelow(this.#roots[familyOf(prefix)], wayTo(prefix), 0, holder);
  }

  /** The holders of every prefix that has an address in common with this one. */
  *overlapping(prefix: Prefix): Generator<T, void> {
    let place: Place<T> | undefined = this.#roots[familyOf(prefix)];
    for (const bit of wayTo(prefix)) {
      yield* place.holders;
      place = place.below[bit];
      if (place === undefined) return;
    }
    yield* holdersFrom(place);
  }
}

function removeBelow<T>(place: Place<T>, way: readonly number[], step: number, holder: T): void {
  const bit = way[step];
  if (bit === undefined) {
    place.holders.delete(holder);
    return;
  }
  const next = place.below[bit];
  if (next === undefined) return;
  removeBelow(next, way, step + 1, holder);
  if (next.isEmpty) place.below[bit] = undefined;
}

function* holdersFrom<T>(place: Place<T>): Iterable<T> {
  yield* place.holders;
  for (const next of place.below) if (next !== undefined) yield* holdersFrom(next);
}

/** The bits of the prefix, highest first. */
function wayTo(prefix: Prefix): readonly number[] {
  const width = FAMILY_BITS[familyOf(prefix)];
  const text = bitsOf(prefix).toString(2).padStart(width, '0');
  return Array.from({ length: lengthOf(prefix) }, (_, at) => text.charCodeAt(at) & 1);
}
