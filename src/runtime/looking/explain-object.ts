/** Looks at one object: where it comes from, what is wanted of it and what is there. */
import type { Config } from '../../model/config.js';
import type { ConfigPlaces } from '../../model/config-places.js';
import type { DesiredState } from '../../model/desired.js';
import type { Desired, Observed } from '../../model/diff.js';
import type { Explanation } from '../../model/explanation.js';
import { KINDS, type KindName } from '../../model/objects.js';
import { originsOf } from '../../model/origin.js';
import type { StoreView } from '../../model/store-view.js';
import type { Reconciler } from '../../reconcilers/reconciler.js';
import type { Reconcilers } from '../rounds/reconcilers.js';

export interface ExplainSources {
  readonly config: Config;
  readonly places: ConfigPlaces;
  readonly store: StoreView | undefined;
  readonly state: DesiredState;
  readonly reconcilers: Reconcilers;
}

/** An Explanation without what only a daemon knows; undefined when there is no object of that name, wanted or found. */
export async function explainObject(
  name: string,
  { reconcilers, state: { loop, ...state }, ...sources }: ExplainSources,
  signal: AbortSignal,
): Promise<Explanation | undefined> {
  // Without a daemon nobody makes what belongs to the packet loop, but it can be said where it comes from.
  const objects = { ...state.objects, ...loop };
  const isAsked = ({ key }: { readonly key: string }) => key === name;
  const wantedKind = KINDS.find((kind) => (objects[kind] as readonly Desired<unknown>[]).some(isAsked));
  // What nobody wants may be of any kind that is named like it.
  for (const kind of wantedKind === undefined ? KINDS : [wantedKind]) {
    const wants: readonly Desired<unknown>[] = objects[kind];
    const want = wants.find(isAsked);
    const found = await lookFor(name, reconcilers[kind], wants, signal);
    const key = want?.key ?? found?.key;
    if (key === undefined) continue;
    const origin = originsOf({ ...sources, state: { ...state, loop, objects } })(kind, key);
    return {
      key,
      kind,
      ...(origin && { origin }),
      ...(want && { wanted: want.state }),
      requires: want?.requires ?? [],
      ...(found && { found: { state: found.state, ours: found.ours } }),
    };
  }
  return undefined;
}

async function lookFor<K extends KindName>(
  name: string,
  reconciler: Reconcilers[K],
  wants: readonly Desired<unknown>[],
  signal: AbortSignal,
): Promise<Observed<unknown> | undefined> {
  // The wants are of the reconciler's own kind; the pair cannot be told to the compiler.
  const observed = await (reconciler as Reconciler<unknown> | undefined)?.observe(wants, signal);
  return observed?.find(({ key }) => key === name);
}
