/** One object explained by the daemon, which knows too since when it is so and what was done last. */
import { isDecided } from '../../model/desired.js';
import type { Explanation } from '../../model/explanation.js';
import type { Daemon } from '../daemon/daemon.js';
import { dateText, objectReport } from '../daemon/status-report.js';
import type { Inputs } from '../inputs/inputs.js';
import type { Reconcilers } from '../rounds/reconcilers.js';
import type { StoreFollower } from '../store/store-follower.js';
import { explainObject } from './explain-object.js';

export interface DaemonExplanationSources {
  readonly daemon: Daemon;
  readonly inputs: Inputs;
  readonly store: StoreFollower;
  readonly reconcilers: Reconcilers;
}

/** Where in the file something is written is for whoever asks to tell: it may have changed. */
export function daemonExplanations({ daemon, inputs, store, reconcilers }: DaemonExplanationSources) {
  return async (name: string, signal: AbortSignal): Promise<Explanation | undefined> => {
    const state = inputs.state();
    if (!isDecided(state)) throw new Error(`Cannot explain: ${state.reason}`);
    const sources = {
      config: inputs.config,
      places: () => undefined,
      store: store.view(),
      state,
      reconcilers,
    };
    const explanation = await explainObject(name, sources, signal);
    if (explanation === undefined) return undefined;
    const dated = daemon.loops.object(explanation.key);
    const change = daemon.lastChange(explanation.key);
    return {
      ...explanation,
      ...(dated && { status: statusOf(objectReport(dated)) }),
      ...(change && { lastChange: { ...change, at: dateText(change.at) } }),
    };
  };
}

function statusOf({
  state,
  reason,
  since,
  nextTryAt,
}: ReturnType<typeof objectReport>): NonNullable<Explanation['status']> {
  return { state, reason, since, ...(nextTryAt !== undefined && { nextTryAt }) };
}
