/**
 * One process of the allocation race: hosts that look for a subnet at the same time, each with its own client
 * and mirror, in the loop of the lease reconciler. Waits for a line on its input, then prints one line a host.
 */
import { once } from 'node:events';
import type { Address } from '../../src/model/address.js';
import { plannedSubnets } from '../../src/model/allocation.js';
import type { Log } from '../../src/ports.js';
import { StoreMirror } from '../../src/runtime/store/store-mirror.js';
import { systemClock, systemRandom } from '../../src/sys/clock.js';
import { createEtcdStore } from '../../src/sys/etcd-store.js';
import { leaseEntryKey, leaseJson } from '../../src/wire/flannel-store.js';

export interface Allocation {
  readonly publicIp: string;
  readonly subnet: string;
  /** Milliseconds since the epoch: comparable between the processes of one machine. */
  readonly grantedAt: number;
  readonly doneAt: number;
  readonly lostRaces: number;
}

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };
const [endpoint = '', prefix = '', ...publicIps] = process.argv.slice(2);

const hosts = await Promise.all(publicIps.map((publicIp) => prepare(publicIp as Address)));
process.stdout.write('ready\n');
await once(process.stdin, 'data');
await Promise.all(
  hosts.map(async ({ allocate, close }) => {
    process.stdout.write(`${JSON.stringify(await allocate())}\n`);
    close();
  }),
);
process.stdin.destroy();

/** Connected, with the store read once: what a daemon has before it looks for a subnet. */
async function prepare(publicIp: Address) {
  const store = createEtcdStore({ type: 'etcd', endpoints: [endpoint], prefix, leaseTtlSeconds: 86_400 });
  const mirror = new StoreMirror({ store, clock: systemClock, random: systemRandom, log: SILENT });
  const { signal } = new AbortController();
  await mirror.refresh(signal);

  async function allocate(): Promise<Allocation> {
    const grantedAt = Date.now();
    const lease = await store.grantLease(86_400, signal);
    for (let lostRaces = 0; ; lostRaces++) {
      const view = mirror.view();
      if (view?.network === undefined || !('config' in view.network)) throw new Error('no network');
      const planned = plannedSubnets({
        network: view.network.config,
        publicIps: { ipv4: publicIp },
        leases: view.leases,
        taken: view.taken,
        attempt: lostRaces,
      });
      if ('error' in planned) throw new Error(planned.error);
      const value = leaseJson({ publicIps: { ipv4: publicIp }, backendType: '' });
      const put = { key: leaseEntryKey(planned.subnets), value, expected: 0n, lease };
      if (await store.compareAndPut(put, signal)) {
        return { publicIp, subnet: planned.subnets.ipv4 ?? '', grantedAt, doneAt: Date.now(), lostRaces };
      }
      await mirror.refresh(signal);
    }
  }
  return { allocate, close: () => store.close() };
}
