/** The network itself, as published in the store for every host. */
import { diff, type Kind } from '../model/diff.js';
import { NETWORK_CONFIG_KEY } from '../model/keys.js';
import { networkDifferences } from '../model/network-rules.js';
import type { NetworkConfigState } from '../model/objects.js';
import type { Files } from '../ports.js';
import { networkJson } from '../wire/flannel-store.js';
import { carryOut } from './carry-out.js';
import type { Reconciler } from './reconciler.js';
import { knownView, LostRaceError, type StoreAccess } from './store-access.js';

const kind: Kind<NetworkConfigState> = {
  missing: () => 'not published yet',
  differences(want, have) {
    if ('invalid' in have) return [`what is in the store is not a network: ${have.invalid}`];
    return 'invalid' in want ? [want.invalid] : networkDifferences(have.config, want.config);
  },
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
): Reconciler<NetworkConfigState> {
  /**
   * Ours to replace: we may publish always, and what we want is not what we last wrote. Never ours to delete:
   * the network outlives every host.
   */
  async function isOursToReplace(want: NetworkConfigState | undefined): Promise<boolean> {
    const { publish, recordPath } = publishing();
    if (publish !== 'always' || want === undefined || 'invalid' in want) return false;
    const record = await files.read(recordPath);
    return record?.content !== recordOf(networkJson(want.config));
  }

  return {
    name: 'network-config',
    async observe(desired) {
      const { network } = knownView(access);
      if (network === undefined) return [];
      const state = 'config' in network ? { config: network.config } : { invalid: network.error };
      return [{ key: NETWORK_CONFIG_KEY, state, ours: await isOursToReplace(desired[0]?.state) }];
    },
    diff: (desired, observed) => diff(kind, desired, observed),
    apply: (actions, signal) =>
      carryOut(actions, signal, async ({ verb, after }) => {
        if (after === undefined || 'invalid' in after) return;
        const value = networkJson(after.config);
        const expected = verb === 'create' ? 0n : (knownView(access).networkRevision ?? 0n);
        try {
          const won = await access.store.compareAndPut(
            { key: 'config', value, expected, lease: '0' },
            signal,
          );
          if (!won) throw new LostRaceError('Cannot publish the network: somebody wrote it first');
          if (publishing().publish === 'always')
            await files.write(publishing().recordPath, recordOf(value), 0o644);
        } finally {
          await access.refresh(signal);
        }
      }),
  };
}

function recordOf(json: string): string {
  return `${json}\n`;
}
