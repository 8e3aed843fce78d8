/** The network itself, as published in the store for every host. */
import { diff, type Kind } from '../model/diff.js';
import { equalJson } from '../model/equal-json.js';
import { leaseKey, NETWORK_CONFIG_KEY } from '../model/keys.js';
import { isSameHost, NO_ETCD_LEASE, type PublicIps } from '../model/lease.js';
import { networkDifferences } from '../model/network-rules.js';
import type { NetworkConfigState } from '../model/objects.js';
import { readableLeases, type StoreView } from '../model/store-view.js';
import type { Files } from '../ports.js';
import { CONFIG_KEY, networkJson } from '../wire/flannel-store.js';
import { carryOut } from './carry-out.js';
import { keptFiles } from './kept-files.js';
import { type Reconciler, together } from './reconciler.js';
import { knownView, LostRaceError, type StoreAccess } from './store-access.js';

const kind: Kind<NetworkConfigState> = {
  missing: () => 'not published yet',
  differences(want, have) {
    if ('invalid' in have) return [`what is in the store is not a network: ${have.invalid}`];
    if ('invalid' in want) return [want.invalid];
    if (have.unrecorded) return ['as wanted, but not noted yet as what this host publishes'];
    return networkDifferences(have.config, want.config);
  },
  // The hosts do not change over in one moment: until both have, two of them do not understand each other.
  interrupts: (_verb, want, have) =>
    want !== undefined &&
    have !== undefined &&
    'config' in want &&
    'config' in have &&
    !equalJson(want.config.backend, have.config.backend),
};

export interface Publishing {
  /** `create` writes an absent network only; `always` also replaces one when this host's file changed since it last wrote. */
  readonly publish: 'create' | 'always';
  /** Remembers what this host last wrote: the difference between a change of ours and a change by somebody else. */
  readonly recordPath: string;
}

export function networkConfigReconciler(
  access: StoreAccess,
  files: Files,
  publishing: () => Publishing,
  publicIps: () => PublicIps | undefined = () => undefined,
): Reconciler<NetworkConfigState> {
  /**
   * What stands in the store, as far as it is this host's to change: with `publish: always`, when this host's file
   * is not what it last wrote or saw in place. A host that never did either has an older file than the cluster for
   * all one knows. Never ours to delete: the network outlives every host.
   */
  async function observed(want: NetworkConfigState | undefined, have: NetworkConfigState) {
    const { publish, recordPath } = publishing();
    if (publish !== 'always' || want === undefined || 'invalid' in want) return { state: have, ours: false };
    const record = await files.read(recordPath);
    if (record?.content === recordOf(networkJson(want.config))) return { state: have, ours: false };
    const isInPlace = 'config' in have && networkDifferences(have.config, want.config).length === 0;
    if (isInPlace) return { state: { ...have, unrecorded: true as const }, ours: true };
    return { state: have, ours: record !== undefined };
  }

  async function publish(
    before: NetworkConfigState | undefined,
    value: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { network, networkRevision = 0n } = knownView(access);
    if (!equalJson(before && stateOf(network), before && withoutRecord(before))) {
      throw new LostRaceError('Cannot publish the network: it changed since that was planned');
    }
    const expected = before === undefined ? 0n : networkRevision;
    const won = await access.store.compareAndPut(
      { key: CONFIG_KEY, value, expected, lease: NO_ETCD_LEASE },
      signal,
    );
    if (!won) throw new LostRaceError('Cannot publish the network: somebody wrote it first');
  }

  /**
   * Takes back what an apply has published that then failed. No plan asks for it: the network outlives every host, and
   * so it stays once another host has joined it.
   */
  async function withdraw(before: NetworkConfigState | undefined, signal: AbortSignal): Promise<void> {
    const view = knownView(access);
    const { network, networkRevision } = view;
    if (network === undefined || networkRevision === undefined) return;
    if (before === undefined || !equalJson(stateOf(network), withoutRecord(before)))
      throw new LostRaceError('Cannot take the network back: somebody has changed it since');
    const us = publicIps() ?? {};
    const joined = readableLeases(view).find(
      ({ createRevision, attributes }) =>
        createRevision > networkRevision && !isSameHost(attributes.publicIps, us),
    );
    if (joined !== undefined)
      throw new LostRaceError(
        `Cannot take the network back: another host has joined it with ${leaseKey(joined.subnets)}`,
      );
    try {
      if (!(await access.store.compareAndDelete(CONFIG_KEY, networkRevision, signal)))
        throw new LostRaceError('Cannot take the network back: somebody has changed it since');
    } finally {
      await access.refresh(signal);
    }
  }

  return {
    name: 'network-config',
    async observe(desired) {
      const have = stateOf(knownView(access).network);
      return have === undefined
        ? []
        : [{ key: NETWORK_CONFIG_KEY, ...(await observed(desired[0]?.state, have)) }];
    },
    diff: (desired, observed) => diff(kind, desired, observed),
    apply: (actions, signal) =>
      carryOut(actions, signal, async ({ verb, before, after }) => {
        if (verb === 'delete') return withdraw(before, signal);
        if (after === undefined || 'invalid' in after) return;
        const value = networkJson(after.config);
        const isInPlace = before !== undefined && 'unrecorded' in before;
        try {
          if (!isInPlace) await publish(before, value, signal);
          if (publishing().publish === 'always') {
            await files.write(publishing().recordPath, recordOf(value), 0o644);
          }
        } finally {
          await access.refresh(signal);
        }
      }),
    keep: async (_actions, states, noted) =>
      together(states, await keptFiles(files, [publishing().recordPath], noted)),
  };
}

function stateOf(network: StoreView['network']): NetworkConfigState | undefined {
  if (network === undefined) return undefined;
  return 'config' in network ? { config: network.config } : { invalid: network.error };
}

function withoutRecord(state: NetworkConfigState): NetworkConfigState {
  return 'config' in state ? { config: state.config } : state;
}

function recordOf(json: string): string {
  return `${json}\n`;
}
