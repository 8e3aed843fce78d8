/** The reconcilers of one process, by kind. A kind may be absent: a one-shot command runs no packet loop. */
import type { KindName, StateOf } from '../../model/objects.js';
import type { Reconciler } from '../../reconcilers/reconciler.js';

export type Reconcilers = { readonly [K in KindName]?: Reconciler<StateOf[K]> };
