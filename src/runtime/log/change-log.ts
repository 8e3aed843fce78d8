/** Tells what a loop has changed, in a bounded number of lines: whatever happens to a host, its disk does not fill up with it. */
import type { KindName, PlannedAction } from '../../model/objects.js';
import type { Clock, Log } from '../../ports.js';

export type Change = Pick<PlannedAction, 'verb' | 'key' | 'reason'>;

/** More changes in one round are told by their number and the first of them. */
const MOST_LINES = 10;
/** So many lines are told within a minute; what comes on top is counted, and the number told when there is room again. */
export const MOST_LINES_PER_MINUTE = 30;
const MINUTE_MS = 60_000;

export class ChangeLog {
  readonly #kind: KindName;
  readonly #log: Log;
  readonly #clock: Pick<Clock, 'boottimeMs'>;
  /** When each line of the last minute was told. */
  #toldMs: number[] = [];
  #untold = 0;

  constructor(kind: KindName, log: Log, clock: Pick<Clock, 'boottimeMs'>) {
    this.#kind = kind;
    this.#log = log;
    this.#clock = clock;
  }

  /** To be called after every round, also after one that changed nothing. */
  tell(changes: readonly Change[]): void {
    if (this.#untold > 0 && this.#hasRoom()) {
      this.#line({ count: this.#untold }, 'changed, too often to tell each');
      this.#untold = 0;
    }
    if (changes.length <= MOST_LINES) {
      for (const change of changes) this.#tryLine(change, 1);
      return;
    }
    // A thousand hosts at the start are one piece of news for each verb.
    for (const verb of new Set(changes.map((change) => change.verb))) {
      const same = changes.filter((change) => change.verb === verb);
      const keys = same.slice(0, MOST_LINES).map(({ key }) => key);
      this.#tryLine({ verb, count: same.length, keys }, same.length);
    }
  }

  #tryLine(fields: object, changes: number): void {
    if (this.#hasRoom()) this.#line(fields, 'changed');
    else this.#untold += changes;
  }

  #line(fields: object, message: string): void {
    this.#toldMs.push(this.#clock.boottimeMs());
    this.#log.info({ kind: this.#kind, ...fields }, message);
  }

  #hasRoom(): boolean {
    const sinceMs = this.#clock.boottimeMs() - MINUTE_MS;
    this.#toldMs = this.#toldMs.filter((ms) => ms > sinceMs);
    return this.#toldMs.length < MOST_LINES_PER_MINUTE;
  }
}
