/** Which of this network's devices are there, and which of them are ours. */
import type { Netlink } from '../ports.js';
import type { Scope } from './scope.js';

export interface MarkedDevices {
  readonly present: readonly string[];
  /** Those that carry our mark: what is on one of them is ours. */
  readonly marked: ReadonlySet<string>;
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
  };
}
