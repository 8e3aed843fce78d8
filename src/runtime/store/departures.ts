/**
 * Leases that went away together with most others. That is seldom the hosts' own doing: somebody deleted a prefix, or the
 * store was wiped or restored. Their hosts are given time to take their leases again. Pure bookkeeping.
 */
import { NO_ETCD_LEASE } from '../../model/lease.js';
import type { StoreEntry } from '../../ports.js';

/** How long they are held at least; then a list must confirm that they are gone. */
export const GRACE_MS = 10_000;
/** What goes away within that time goes away together: a large deletion comes in pieces. */
const TOGETHER_MS = 1_000;
/** One host that leaves a network of two is no catastrophe. */
const FEWEST = 2;
/** A host that is there takes its lease again within that time: until then its packets lose nobody. */
export const BRIEF_MS = 2_000;

interface Held {
  readonly entry: StoreEntry;
  readonly untilMs: number;
}

export class Departures {
  #recent: { readonly entry: StoreEntry; readonly atMs: number }[] = [];
  readonly #held = new Map<string, Held>();
  /** Those that went alone. That they are gone is certain; who is meant to be there takes them again. */
  readonly #brief = new Map<string, Held>();

  /** When the first of them may be let go of, on the clock of `nowMs`; undefined while nothing is held. */
  get untilMs(): number | undefined {
    const [first] = [...this.#held.values()].sort((left, right) => left.untilMs - right.untilMs);
    return first?.untilMs;
  }

  /** The same for those that went alone. */
  get briefUntilMs(): number | undefined {
    // Each is held as long as the others: the first is due first.
    const [first] = this.#brief.values();
    return first?.untilMs;
  }

  get held(): readonly StoreEntry[] {
    return [...this.#held.values(), ...this.#brief.values()].map(({ entry }) => entry);
  }

  /** How many of them went with most others. */
  get vanished(): number {
    return this.#held.size;
  }

  /**
   * `gone` are leases, `left` is how many there still are. In another history of the store each one that is missing
   * counts, in the same one they must be most. Returns whether more is held than before.
   */
  note(gone: readonly StoreEntry[], left: number, isNewHistory: boolean, nowMs: number): boolean {
    this.#recent = this.#recent.filter(({ atMs }) => nowMs - atMs < TOGETHER_MS);
    this.#recent.push(...gone.map((entry) => ({ entry, atMs: nowMs })));
    const count = this.#recent.length;
    // While some are held, the next ones belong to them.
    const isSuspicious = isNewHistory || this.#held.size > 0 || (count >= FEWEST && count > left);
    if (!isSuspicious || gone.length === 0) {
      for (const entry of gone) this.#holdBriefly(entry, nowMs);
      return false;
    }
    const untilMs = nowMs + GRACE_MS;
    for (const { entry } of this.#recent) {
      this.#brief.delete(entry.key);
      this.#held.set(entry.key, { entry, untilMs });
    }
    this.#recent = [];
    return true;
  }

  /** A reservation is nobody's to take again. */
  #holdBriefly(entry: StoreEntry, nowMs: number): void {
    if (entry.lease !== NO_ETCD_LEASE) this.#brief.set(entry.key, { entry, untilMs: nowMs + BRIEF_MS });
  }

  /** It is there again. */
  returned(key: string): void {
    this.#held.delete(key);
    this.#brief.delete(key);
    // A lease that comes and goes is one that goes, not many.
    if (this.#recent.length > 0) this.#recent = this.#recent.filter(({ entry }) => entry.key !== key);
  }

  /** Lets go of those that went alone long enough ago. Returns whether there were any. */
  release(nowMs: number): boolean {
    const before = this.#brief.size;
    for (const [key, { untilMs }] of this.#brief) {
      if (untilMs > nowMs) break;
      this.#brief.delete(key);
    }
    return this.#brief.size < before;
  }

  /** A list that was asked for at `askedMs` has confirmed what is there. Returns whether anything was let go of. */
  confirm(askedMs: number): boolean {
    const before = this.#held.size;
    for (const [key, { untilMs }] of this.#held) if (untilMs <= askedMs) this.#held.delete(key);
    return this.#held.size < before;
  }
}
