/** `apply` where a daemon runs: its loops look anew until no more is to be expected of them. */
import { isDecided } from '../../model/desired.js';
import type { PlannedAction } from '../../model/objects.js';
import type { ActionResult } from '../../model/plan.js';
import type { ObjectStatus } from '../../model/status.js';
import type { Clock } from '../../ports.js';
import type { StoreAccess } from '../../reconcilers/store-access.js';
import type { Inputs } from '../inputs/inputs.js';
import { Wake } from '../timing/wake.js';
import type { ControlLoops } from './control-loops.js';
import { RETRIES, RETRY_AFTER_MS } from './one-shot.js';

/** One thing that was tried because somebody asked for it. */
export type Attempt = { readonly action: PlannedAction; readonly result: ActionResult };

type Obstacle = Pick<ObjectStatus, 'key' | 'reason'>;

/** How things stand when no more is to be expected. */
export interface Settlement {
  readonly outcome: 'converged' | 'refused' | 'conflict' | 'failed';
  readonly obstacles: readonly Obstacle[];
}

export interface SettlingDependencies {
  readonly inputs: Inputs;
  readonly store: Pick<StoreAccess, 'refresh'>;
  readonly loops: ControlLoops;
  readonly clock: Clock;
}

export class Settling {
  readonly #deps: SettlingDependencies;
  readonly #attempts = new Set<(attempt: Attempt) => void>();
  readonly #waiting = new Set<() => void>();

  constructor(dependencies: SettlingDependencies) {
    this.#deps = dependencies;
  }

  /** To be called for all that a loop has tried. */
  tried(attempt: Attempt): void {
    for (const tell of this.#attempts) tell(attempt);
  }

  /** To be called after every round of a loop. */
  reported = (): void => {
    for (const wake of this.#waiting) wake();
  };

  /**
   * Looks at everything anew, again and again, until all of it is as wanted or it is plain that it will not be: only
   * conflicts are left, failures that repeat, or another subnet that nobody has said yes to. Rejects on abort. Tells
   * what was tried meanwhile. `allowsRenumbering` is such a yes, for as long as this takes.
   */
  async settle(
    onAttempt: (attempt: Attempt) => void,
    signal: AbortSignal,
    allowsRenumbering = false,
  ): Promise<Settlement> {
    const { inputs, store, loops, clock } = this.#deps;
    let done = 0;
    const tell = (attempt: Attempt) => {
      if (attempt.result.outcome === 'done') done++;
      onAttempt(attempt);
    };
    this.#attempts.add(tell);
    const withdrawConsent = allowsRenumbering ? inputs.allowRenumbering() : undefined;
    try {
      await store.refresh(signal);
      for (let fruitless = 0; ; ) {
        done = 0;
        await this.#nextRounds(signal);
        const state = inputs.state();
        if (!isDecided(state) && state.needsConsent)
          return { outcome: 'refused', obstacles: [{ key: 'lease:subnet', reason: state.reason }] };
        if (loops.isConverged()) return { outcome: 'converged', obstacles: [] };
        const { failed, conflict } = this.#obstacles();
        if (done > 0) fruitless = 0;
        else if (failed.length === 0 && conflict.length > 0)
          return { outcome: 'conflict', obstacles: conflict };
        else if (failed.length > 0 && ++fruitless > RETRIES) return { outcome: 'failed', obstacles: failed };
        await clock.sleep(RETRY_AFTER_MS, signal);
      }
    } finally {
      withdrawConsent?.();
      this.#attempts.delete(tell);
    }
  }

  #obstacles(): { readonly failed: readonly Obstacle[]; readonly conflict: readonly Obstacle[] } {
    const objects = this.#deps.loops.troubles();
    return {
      failed: objects.filter(({ state }) => state === 'failed'),
      conflict: objects.filter(({ state }) => state === 'conflict'),
    };
  }

  /** Resolves when every loop has run a round that began after now. */
  async #nextRounds(signal: AbortSignal): Promise<void> {
    const { loops, clock } = this.#deps;
    const reported = new Wake();
    this.#waiting.add(reported.wake);
    const haveLooked = loops.lookAgain();
    try {
      while (!haveLooked()) await reported.wait(clock, 1_000, signal);
    } finally {
      this.#waiting.delete(reported.wake);
    }
  }
}
