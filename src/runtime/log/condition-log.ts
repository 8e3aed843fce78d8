/** Since when each condition holds. Its beginning and its end are logged, once each. */
import type { Condition, ConditionType } from '../../model/conditions.js';
import type { Clock, Log } from '../../ports.js';

export interface DatedCondition extends Condition {
  /** Milliseconds since the epoch. */
  readonly since: number;
}

export interface ConditionLogDependencies {
  /** Those that hold now. */
  readonly conditions: () => readonly Condition[];
  readonly clock: Clock;
  readonly log: Log;
}

export class ConditionLog {
  readonly #deps: ConditionLogDependencies;
  #held: ReadonlyMap<ConditionType, DatedCondition> = new Map();

  constructor(dependencies: ConditionLogDependencies) {
    this.#deps = dependencies;
  }

  /** Looks anew. To be called whenever something may have begun or ended. */
  look = (): readonly DatedCondition[] => {
    const { conditions, clock, log } = this.#deps;
    const before = this.#held;
    const now = clock.now();
    const held = new Map<ConditionType, DatedCondition>();
    for (const { type, message } of conditions()) {
      const known = before.get(type);
      held.set(type, { type, message, since: known?.since ?? now });
      if (known === undefined) log.warn({ condition: type, detail: message }, 'condition');
    }
    this.#held = held;
    for (const { type, since } of before.values()) {
      if (!held.has(type)) log.info({ condition: type, forMs: now - since }, 'condition over');
    }
    return [...held.values()];
  };
}
