/** Whether somebody undoes what we do: told from how often the very same thing had to be done. Pure, but for its memory. */
import { equalJson } from '../../model/equal-json.js';
import type { Action, ResourceKey } from '../../model/plan.js';

/** As often within this time is repair; more often is a fight. */
export const MOST_REPAIRS = 5;
export const REPAIR_WINDOW_MS = 60_000;

interface Repairs {
  /** What was done each time. */
  readonly wish: Wish;
  /** When, oldest first, on a clock that only goes forward. */
  readonly at: number[];
}

type Wish = Pick<Action, 'verb' | 'after'>;

/**
 * - An object that had to be put right five times within a minute is contested, and from then on put right
 *   five times a minute at most: whoever undoes it is not outrun, and a fight at full speed would serve nobody.
 * - Doing something else to the object is no repetition: what is wanted may change as often as it likes.
 */
export class Contests {
  /** The one that was repaired last comes last. */
  readonly #repairs = new Map<ResourceKey, Repairs>();

  /** To be called for each action that was done. True when the object has just become contested. */
  done({ key, verb, after }: Action, nowMs: number): boolean {
    const wish = { verb, ...(after !== undefined && { after }) };
    const known = this.#repairs.get(key);
    const at = known !== undefined && equalJson(known.wish, wish) ? recent(known.at, nowMs) : [];
    at.push(nowMs);
    this.#repairs.delete(key);
    this.#forgetOlder(nowMs);
    this.#repairs.set(key, { wish, at });
    return at.length === MOST_REPAIRS;
  }

  /** From when `key` may be put right again; undefined when at once. */
  heldUntil(key: ResourceKey, nowMs: number): number | undefined {
    const at = recent(this.#repairs.get(key)?.at ?? [], nowMs);
    const [oldest] = at;
    return oldest === undefined || at.length < MOST_REPAIRS ? undefined : oldest + REPAIR_WINDOW_MS;
  }

  /** What was not repaired within the window counts as little as what never was. */
  #forgetOlder(nowMs: number): void {
    for (const [key, { at }] of this.#repairs) {
      if (recent(at, nowMs).length > 0) return;
      this.#repairs.delete(key);
    }
  }

  /** Whoever asks for it by hand has ended the fight, or wants to see. */
  forget(): void {
    this.#repairs.clear();
  }
}

function recent(at: readonly number[], nowMs: number): number[] {
  return at.filter((ms) => ms > nowMs - REPAIR_WINDOW_MS);
}
