/**
 * Remembers how everything was before it was changed, and puts it back when told to: kind by kind, backwards, what was
 * there is brought back and what was not is taken away; then, forwards, what had to wait for something else.
 */
import type { Desired } from '../../model/diff.js';
import { IN_STORE, KINDS, type KindName, type StateOf } from '../../model/objects.js';
import type { Action, ActionResult } from '../../model/plan.js';
import { asError, type Clock } from '../../ports.js';
import type { Keepsake, Reconciler } from '../../reconcilers/reconciler.js';
import { RETRIES, RETRY_AFTER_MS } from '../rounds/one-shot.js';
import type { Reconcilers } from '../rounds/reconcilers.js';
import { keptStates } from './kept-states.js';

export interface Rollback {
  /** What is not as it was, and why it could not be put back; empty when all is. */
  readonly problems: readonly string[];
}

export class Transaction {
  readonly #kept: { readonly kind: KindName; readonly keepsake: Keepsake }[] = [];
  /** Keys of what is known how it was. */
  readonly #noted = new Set<string>();

  /** The same, but nothing is changed by them before it was noted how it was. */
  noting(reconcilers: Reconcilers): Reconcilers {
    const all: { [K in KindName]?: Reconciler<StateOf[K]> } = {};
    const wrap = <K extends KindName>(kind: K) => {
      const reconciler = reconcilers[kind];
      if (reconciler !== undefined) all[kind] = this.#wrapped(kind, reconciler) as unknown as (typeof all)[K];
    };
    for (const kind of KINDS) wrap(kind);
    return all;
  }

  #wrapped<State>(kind: KindName, reconciler: Reconciler<State>): Reconciler<State> {
    let desired: readonly Desired<State>[] = [];
    return {
      ...reconciler,
      observe: (wanted, ...rest) => {
        desired = wanted;
        return reconciler.observe(wanted, ...rest);
      },
      apply: async (actions, signal): Promise<readonly ActionResult[]> => {
        try {
          await this.#note(kind, reconciler, desired, actions, signal);
        } catch (thrown) {
          signal.throwIfAborted();
          const error = asError(thrown);
          return actions.map(({ key }) => ({ key, outcome: 'failed', error }));
        }
        return reconciler.apply(actions, signal);
      },
    };
  }

  /** Once for each object: a second try finds it changed already. */
  async #note<State>(
    kind: KindName,
    reconciler: Reconciler<State>,
    desired: readonly Desired<State>[],
    actions: readonly Action<State>[],
    signal: AbortSignal,
  ): Promise<void> {
    const fresh = actions.filter(({ key }) => !this.#noted.has(key));
    if (fresh.length === 0) return;
    const states = await keptStates(reconciler, desired, fresh, signal);
    const keepsake = (await reconciler.keep?.(fresh, states, this.#noted, signal)) ?? states;
    this.#kept.push({ kind, keepsake });
    for (const { key } of fresh) this.#noted.add(key);
    for (const key of keepsake.claims ?? []) this.#noted.add(key);
  }

  /** Something may have been changed. */
  get isBegun(): boolean {
    return this.#kept.length > 0;
  }

  /** `refresh` reads the store anew. Tries several times; rejects on abort alone. */
  async rollBack(
    refresh: (signal: AbortSignal) => Promise<void>,
    clock: Clock,
    signal: AbortSignal,
  ): Promise<Rollback> {
    for (let tried = 0; ; tried++) {
      const troubles = new Set<string>();
      const attempt = async (step: () => Promise<void>): Promise<boolean> => {
        try {
          await step();
          return true;
        } catch (error) {
          signal.throwIfAborted();
          troubles.add(asError(error).message);
          return false;
        }
      };
      // What is known of a store that does not answer may be from before a write whose answer was lost.
      const isStoreKnown =
        !this.#kept.some(({ kind }) => IN_STORE.has(kind)) || (await attempt(() => refresh(signal)));
      const ordered = this.#inOrder();
      for (const keepsake of ordered.toReversed()) {
        // The old before the new is gone: with its last address a device would lose its routes.
        await attempt(() => keepsake.bringBack(signal));
        await attempt(() => keepsake.takeAway(signal));
      }
      for (const keepsake of ordered) await attempt(() => keepsake.bringBack(signal));
      const differences = new Set<string>();
      const isSeen = (await this.#look(ordered, differences, attempt, signal)) && isStoreKnown;
      // An error that left no difference was over with a later step.
      if (isSeen && differences.size === 0) return { problems: [] };
      if (tried >= RETRIES) return { problems: [...differences, ...troubles] };
      await clock.sleep(RETRY_AFTER_MS, signal);
    }
  }

  /** Whether everything could be looked at. */
  async #look(
    keepsakes: readonly Keepsake[],
    differences: Set<string>,
    attempt: (step: () => Promise<void>) => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<boolean> {
    let isSeen = true;
    for (const keepsake of keepsakes) {
      const couldLook = await attempt(async () => {
        for (const difference of await keepsake.differences(signal)) differences.add(difference);
      });
      isSeen &&= couldLook;
    }
    return isSeen;
  }

  /** In the order of the kinds; within one, the earlier first. */
  #inOrder(): readonly Keepsake[] {
    return KINDS.flatMap((kind) =>
      this.#kept.filter((kept) => kept.kind === kind).map(({ keepsake }) => keepsake),
    );
  }
}
