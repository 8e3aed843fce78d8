/** Reconcilers for an operator who takes over from flannel (`--adopt`): what that has left on the host counts as ours. */
import { adopted } from '../../model/diff.js';
import { KINDS, type KindName, type StateOf } from '../../model/objects.js';
import type { Reconciler } from '../../reconcilers/reconciler.js';
import type { Reconcilers } from './reconcilers.js';

export function adopting(reconcilers: Reconcilers): Reconcilers {
  const all: { [K in KindName]?: Reconciler<StateOf[K]> } = {};
  const wrap = <K extends KindName>(kind: K) => {
    const reconciler = reconcilers[kind];
    if (reconciler === undefined) return;
    const wrapped: Reconciler<StateOf[K]> = {
      ...reconciler,
      observe: async (...question) => adopted(await reconciler.observe(...question)),
    };
    all[kind] = wrapped as (typeof all)[K];
  };
  for (const kind of KINDS) wrap(kind);
  return all;
}
