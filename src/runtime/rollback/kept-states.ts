/** The states of a kind's objects as they were: what every kind can put back through its own reconciler. */
import type { Desired, Observed } from '../../model/diff.js';
import { equalJson } from '../../model/equal-json.js';
import type { Action, ResourceKey } from '../../model/plan.js';
import type { Keepsake, Reconciler } from '../../reconcilers/reconciler.js';

/** `desired` as it was observed with: it says what else than ours is looked at. Rejects with what observing rejects with. */
export async function keptStates<State>(
  reconciler: Reconciler<State>,
  desired: readonly Desired<State>[],
  actions: readonly Action<State>[],
  signal: AbortSignal,
): Promise<Keepsake> {
  const keys = [...new Set(actions.map(({ key }) => key))];
  const wanted = new Map(actions.map(({ key, after }) => [key, after]));
  // By its mark, or because it is what was to be put there: not every kind marks what it makes.
  const isOurs = ({ key, state, ours }: Observed<State>) => ours || equalJson(state, wanted.get(key));
  const look = async (until: AbortSignal) =>
    new Map((await reconciler.observe(desired, until)).map((object) => [object.key, object]));
  const before = await look(signal);

  async function carryOut(
    actionFor: (
      was: Observed<State> | undefined,
      now: Observed<State> | undefined,
    ) => Step<State> | undefined,
    until: AbortSignal,
  ): Promise<void> {
    const now = await look(until);
    const steps = keys.flatMap((key) => {
      const step = actionFor(before.get(key), now.get(key));
      return step === undefined ? [] : [actionOf(key, step)];
    });
    if (steps.length === 0) return;
    const results = await reconciler.apply(steps, until);
    const failed = results.find(({ outcome }) => outcome === 'failed');
    if (failed !== undefined) throw failed.error ?? new Error(`Cannot put back ${failed.key}`);
  }

  return {
    takeAway: (until) =>
      carryOut(
        // What somebody else has put there meanwhile is theirs.
        (was, now) =>
          was === undefined && now && isOurs(now) ? { verb: 'delete', before: now.state } : undefined,
        until,
      ),
    bringBack: (until) =>
      carryOut((was, now) => {
        if (was === undefined || equalJson(was.state, now?.state)) return undefined;
        if (now === undefined) return { verb: 'create', after: was.state };
        return { verb: 'update', before: now.state, after: was.state };
      }, until),
    async differences(until) {
      const now = await look(until);
      return keys.flatMap((key) => {
        const [was, is] = [before.get(key), now.get(key)];
        const isTheirs = was === undefined && is !== undefined && !isOurs(is);
        return isTheirs || equalJson(was?.state, is?.state)
          ? []
          : [`${key}: was ${stateText(was)}, is ${stateText(is)}`];
      });
    },
  };
}

/** The reason of every action that puts something back. */
export const PUT_BACK = 'put back as it was';

type Step<State> = Pick<Action<State>, 'verb' | 'before' | 'after'>;

function actionOf<State>(key: ResourceKey, step: Step<State>): Action<State> {
  return { key, reason: PUT_BACK, requires: [], interrupts: false, ...step };
}

function stateText(object: Observed<unknown> | undefined): string {
  return object === undefined ? 'not there' : JSON.stringify(object.state);
}
