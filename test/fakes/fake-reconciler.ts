/** A reconciler over objects in memory: what rounds and loops do is seen without any kind's own rules. */
import { type Desired, diff, type Observed } from '../../src/model/diff.js';
import { equalJson } from '../../src/model/equal-json.js';
import type { Action, ActionResult, Plan, ResourceKey } from '../../src/model/plan.js';
import { carryOut } from '../../src/reconcilers/carry-out.js';
import type { Reconciler } from '../../src/reconcilers/reconciler.js';

export class FakeReconciler<State> implements Reconciler<State> {
  readonly name = 'fake';
  mostRetryMs?: number;
  /** Whether its updates stop the traffic for a moment. */
  interrupts = false;
  readonly world = new Map<ResourceKey, Observed<State>>();
  /** What was called, in order: `observe`, `create sysctl:a`, `delete sysctl:b`. */
  readonly log: string[] = [];
  /** Runs before each observation: it may throw, wait, or change the world. */
  beforeObserve: (signal: AbortSignal) => Promise<void> | void = () => {};
  /** Runs before each action: what it throws, the action fails with. */
  beforeAction: (action: Action<State>) => Promise<void> | void = () => {};
  /** Wakes whoever watches. */
  changed: () => void = () => {};

  async observe(_: readonly Desired<State>[], signal: AbortSignal): Promise<readonly Observed<State>[]> {
    this.log.push('observe');
    await this.beforeObserve(signal);
    return [...this.world.values()];
  }

  diff(desired: readonly Desired<State>[], observed: readonly Observed<State>[]): Plan<State> {
    const differences = (want: State, have: State) => (equalJson(want, have) ? [] : ['not as wanted']);
    return diff({ differences, interrupts: () => this.interrupts }, desired, observed);
  }

  apply(actions: readonly Action<State>[], signal: AbortSignal): Promise<readonly ActionResult[]> {
    return carryOut(actions, signal, async (action) => {
      const { verb, key, after } = action;
      this.log.push(`${verb} ${key}`);
      await this.beforeAction(action);
      if (after === undefined) this.world.delete(key);
      else this.world.set(key, { key, state: after, ours: true });
    });
  }

  watch(wake: () => void, signal: AbortSignal): void {
    this.changed = wake;
    signal.addEventListener('abort', () => {
      this.changed = () => {};
    });
  }
}
