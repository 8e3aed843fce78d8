/** Since when a host stands as it does. */
import type { Overall, Standing } from '../../model/overall.js';
import type { Clock } from '../../ports.js';

/** `since` in milliseconds since the epoch. */
export interface DatedOverall {
  readonly sync: Overall['sync'] & { readonly since: number };
  readonly health: Overall['health'] & { readonly since: number };
}

export class OverallLog {
  readonly #overall: () => Overall;
  readonly #clock: Clock;
  #last: DatedOverall | undefined;

  constructor(overall: () => Overall, clock: Clock) {
    this.#overall = overall;
    this.#clock = clock;
  }

  /** Looks anew. To be called whenever something may have changed. */
  look = (): DatedOverall => {
    const { sync, health } = this.#overall();
    const now = this.#clock.now();
    this.#last = {
      sync: { ...sync, since: sinceOf(this.#last?.sync, sync, now) },
      health: { ...health, since: sinceOf(this.#last?.health, health, now) },
    };
    return this.#last;
  };
}

/** Another reason for the same is no other standing. */
function sinceOf(
  before: (Standing<string> & { readonly since: number }) | undefined,
  { state }: Standing<string>,
  now: number,
): number {
  return before?.state === state ? before.since : now;
}
