/** Asks a store now and then what it complains of: a full one goes on answering, and is found out only when it is needed. */
import { equalJson } from '../../model/equal-json.js';
import type { Clock, Store } from '../../ports.js';

const ASK_MS = 300_000;
/** Somebody is at it: that the trouble is over should be seen soon. */
const ASK_AGAIN_MS = 30_000;

export class StoreAlarms {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  #raised: readonly string[] = [];

  constructor(clock: Clock, onChange: () => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  get raised(): readonly string[] {
    return this.#raised;
  }

  /** Runs until `signal` aborts; then resolves. A store that does not tell keeps the answer it gave before. */
  async run(store: Store, signal: AbortSignal): Promise<void> {
    this.#raised = [];
    while (!signal.aborted) {
      const raised = await store.alarms(signal).catch(() => this.#raised);
      if (signal.aborted) return;
      if (!equalJson(raised, this.#raised)) {
        this.#raised = raised;
        this.#onChange();
      }
      await this.#clock.sleep(raised.length > 0 ? ASK_AGAIN_MS : ASK_MS, signal).catch(() => {});
    }
  }
}
