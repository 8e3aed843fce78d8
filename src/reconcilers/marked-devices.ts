/** Which of this network's devices are there, and which of them are ours. */
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
