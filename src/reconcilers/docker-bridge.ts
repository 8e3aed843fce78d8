/** Docker's bridge as Docker made it. Only watched: an operator is told when it is not what the lease says, or cut off. */
import { bridgeComplaints, type FoundDockerBridge } from '../model/docker/bridge.js';
import type { DesiredDocker } from '../model/docker/desired-docker.js';
import { dockerBridgeKey } from '../model/keys.js';
import type { DockerBridgeState } from '../model/objects.js';
import { type Firewall, type Netlink, ObserveError } from '../ports.js';
import type { Reconciler } from './reconciler.js';

/** `wanted` is undefined while nothing can be told, and when Docker is left alone. A bridge that is not there yet is no complaint. */
export function dockerBridgeReconciler(
  netlink: Netlink,
  firewall: Firewall,
  wanted: () => DesiredDocker | undefined,
): Reconciler<DockerBridgeState> {
  return {
    name: 'docker-bridge',
    async observe(_desired, signal) {
      const want = wanted();
      if (want === undefined) return [];
      const links = await netlink.links();
      const link = links.find(({ name }) => name === want.bridge);
      if (link === undefined) return [];
      const addresses = (await netlink.addresses()).filter(
        ({ link: on, address }) => on === want.bridge && !address.includes(':'),
      );
      const found: FoundDockerBridge = {
        addresses: addresses.map(({ address, length }) => `${address}/${length}`),
        ...(link.carrier && { mtu: link.mtu }),
        firewall: await readFirewall(firewall, want, signal),
      };
      return [{ key: dockerBridgeKey(want.bridge), state: { want, found }, ours: false }];
    },
    diff: (_desired, observed) => ({
      actions: [],
      foreign: observed.flatMap(({ key, state: { want, found } }) => bridgeComplaints(want, found, key)),
    }),
    // Nothing is ever planned.
    apply: async () => [],
    watch(wake, signal) {
      netlink.watch(['link', 'ipv4-address'], wake, signal);
      firewall.watch(wake, signal);
    },
  };
}

/** Rules that cannot be read are something to tell, too: nothing hangs on them here. */
async function readFirewall(
  firewall: Firewall,
  { bridge, subnet, devices }: DesiredDocker,
  signal: AbortSignal,
): Promise<FoundDockerBridge['firewall']> {
  try {
    return await firewall.bridgeFirewall({ bridge, subnet, devices }, signal);
  } catch (error) {
    if (error instanceof ObserveError) return { unreadable: error.message };
    throw error;
  }
}
