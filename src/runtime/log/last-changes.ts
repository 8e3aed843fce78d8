/** What was done to each object last. */
import type { PlannedAction } from '../../model/objects.js';
import type { ActionResult, ResourceKey, Verb } from '../../model/plan.js';

export interface Change {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly verb: Verb;
  readonly reason: string;
  readonly outcome: ActionResult['outcome'];
}

/** Hosts come and go for ever; of those that changed longest ago nobody asks. */
const MOST = 20_000;

export class LastChanges {
  readonly #changes = new Map<ResourceKey, Change>();

  note({ key, verb, reason }: PlannedAction, { outcome }: ActionResult, at: number): void {
    // To the end: the first one is then the oldest.
    this.#changes.delete(key);
    this.#changes.set(key, { at, verb, reason, outcome });
    const [oldest] = this.#changes.keys();
    if (this.#changes.size > MOST && oldest !== undefined) this.#changes.delete(oldest);
  }

  of(key: ResourceKey): Change | undefined {
    return this.#changes.get(key);
  }
}
