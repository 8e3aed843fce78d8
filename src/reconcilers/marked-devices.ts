/** Which of this network's devices are there, and which of them are ours. */
import type { Desired, Observed } from '../model/diff.js';
import type { ResourceKey } from '../model/plan.js';
import type { Netlink, NetlinkLink } from '../ports.js';
import type { Scope } from './scope.js';

export interface MarkedDevices {
  readonly present: readonly string[];
  /** Those that carry our mark: what is on one of them is ours. */
  readonly marked: ReadonlySet<string>;
  /** Those that flannel has left. */
  readonly left: ReadonlySet<string>;
}

/** flannel's VXLAN devices outlive it, and carry no mark. */
export function isLeftByFlannel({ name, alias, vxlan }: NetlinkLink): boolean {
  return vxlan !== undefined && alias === undefined && /^flannel(-v6)?\.\d+$/.test(name);
}

/** `remade`: see Reconciler. */
export async function markedDevices(
  netlink: Netlink,
  { devices }: Scope,
  alias: string,
  remade?: ReadonlySet<string>,
): Promise<MarkedDevices> {
  const links = (await netlink.links()).filter(({ name }) => devices.includes(name) && !remade?.has(name));
  return {
    present: links.map(({ name }) => name),
    marked: new Set(links.filter((link) => link.alias === alias).map(({ name }) => name)),
    left: new Set(links.filter(isLeftByFlannel).map(({ name }) => name)),
  };
}

/**
 * Those of `entries` that somebody has written, on these devices. On one that flannel has left nothing tells ours from
 * flannel's: what stands in the place of a wanted one is ours to put right, for its packets go by it; what is not wanted
 * stays until the operator says to adopt.
 */
export function writtenOn<State extends { readonly link: string }>(
  { marked, left }: MarkedDevices,
  desired: readonly Desired<State>[],
  entries: readonly { readonly state: State; readonly permanent: boolean }[],
  keyOf: (state: State) => ResourceKey,
): readonly Observed<State>[] {
  const wanted = new Set(left.size === 0 ? [] : desired.map(({ key }) => key));
  return entries
    .filter(({ permanent }) => permanent)
    .map(({ state }) => {
      const key = keyOf(state);
      const isLeft = left.has(state.link);
      return { key, state, ours: marked.has(state.link) || (isLeft && wanted.has(key)), left: isLeft };
    });
}
