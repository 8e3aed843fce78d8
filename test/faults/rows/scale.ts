/** Many hosts that come and go. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '../../../src/ports.js';
import { createEtcdStore } from '../../../src/sys/etcd-store.js';
import { ETCD_URL } from '../../lab/cluster.js';
import { eventually } from '../../lab/eventually.js';
import { inNamespaceOf } from '../../lab/namespace.js';
import { percentile } from '../result.js';
import type { Row, Size } from '../row.js';
import { CONFIG, type Scene } from '../scene.js';
import { ASK_EVERY_MS, HEALED_MS } from '../station.js';
import { leaseAt } from '../store-moves.js';

const CHURN = {
  test: { hosts: 20, perSecond: 10, seconds: 2, mostGrowth: 0.5 },
  standard: { hosts: 1_000, perSecond: 100, seconds: 600, mostGrowth: 0.1 },
  full: { hosts: 1_000, perSecond: 100, seconds: 600, mostGrowth: 0.1 },
} as const;
const PREFIX = '/churn/network';
const INSTANCE = 'flannel1';
const CONFIG_PATH = '/run/churn.yaml';
const NEVER = new AbortController().signal;
setMaxListeners(0, NEVER); // One for each call under way.

export const SCALE_ROWS: readonly Row[] = [
  {
    id: 'S2',
    fault: 'a hundred of a thousand hosts go, and a hundred come, each second',
    expected:
      'Each is known at once; the memory does not grow. The time is from the write to its being a peer.',
    bar: { healedMs: 250, lost: 0 },
    counts: { test: 1, standard: 1, full: 1 },
    remark:
      'for ten minutes; the memory is that of the last second beside that at the end of the second minute.',
    inject: churned,
  },
];

const OTHER_CONFIG = `${CONFIG.replace('4.0.0.0/16', '6.0.0.0/8, subnetLength: 24, backend: { type: udp, port: 8290 }').replace('endpoints', `prefix: ${PREFIX}, endpoints`)}
instance: { name: ${INSTANCE}, routeProtocol: 78 }
files: { subnetEnv: /run/flannel/churn.env }
docker: { mode: "off" }
`;

async function churned({ first, cluster }: Scene, size: Size) {
  const { hosts, perSecond, seconds, mostGrowth } = CHURN[size];
  await first.host.writeFile(CONFIG_PATH, OTHER_CONFIG);
  const other = first.member.another(CONFIG_PATH);
  const daemon = await other.run();
  try {
    return await inNamespaceOf(cluster.etcd.pid, async () => {
      const store = createEtcdStore({
        type: 'etcd',
        endpoints: [ETCD_URL],
        prefix: PREFIX,
        leaseTtlSeconds: 60,
      });
      try {
        const crowd = new Crowd(store);
        await crowd.join(hosts);
        await isPeer(crowd.newest);
        const times: number[] = [];
        const memory: number[] = [];
        for (let second = 0; second < seconds; second++) {
          const end = performance.now() + 1_000;
          await Promise.all([crowd.join(perSecond), crowd.leave(perSecond)]);
          const start = performance.now();
          await crowd.join(1);
          await isPeer(crowd.newest);
          times.push(performance.now() - start);
          await crowd.leave(1);
          memory.push(residentBytes(daemon.pid));
          await sleep(Math.max(0, end - performance.now()));
        }
        // The first seconds are those in which what runs often is compiled.
        const [early = 0, late = 0] = [memory[Math.floor(memory.length / 5)], memory.at(-1)];
        assert.ok(late <= early * (1 + mostGrowth), `${early} bytes resident, and then ${late}`);
        return { healedMs: percentile(times, 99), times: 2 * perSecond * seconds };
      } finally {
        store.close();
      }
    });
  } finally {
    await daemon.stop();
    await other.command('destroy', '--lease');
    await first.shell.run(`rm -rf ${CONFIG_PATH} /var/lib/flannelette/${INSTANCE}`);
    await cluster.etcdctl('del', '--prefix', `${PREFIX}/`);
  }

  async function isPeer(subnet: string): Promise<void> {
    await eventually(
      `${subnet} is a peer`,
      HEALED_MS,
      async () => assert.ok((await first.status(INSTANCE)).peers.some((peer) => peer.subnet === subnet)),
      ASK_EVERY_MS,
    );
  }
}

/** The other hosts: whoever has come first goes first. */
class Crowd {
  readonly #store: Store;
  #first = 1;
  #last = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The subnet of the one that came last. */
  get newest(): string {
    return subnetOf(this.#last);
  }

  async join(count: number): Promise<void> {
    const comers = Array.from({ length: count }, () => ++this.#last);
    await Promise.all(
      comers.map((number) => {
        const value = leaseAt(`10.77.${(number >> 8) & 0xff}.${number & 0xff}`);
        return this.#store.compareAndPut({ key: keyOf(number), value, expected: 0n, lease: '0' }, NEVER);
      }),
    );
  }

  async leave(count: number): Promise<void> {
    const goers = Array.from({ length: count }, () => this.#first++);
    const { entries } = await this.#store.snapshot(NEVER);
    const revisions = new Map(entries.map(({ key, modRevision }) => [key, modRevision]));
    await Promise.all(
      goers.map((number) =>
        this.#store.compareAndDelete(keyOf(number), revisions.get(keyOf(number)) ?? 0n, NEVER),
      ),
    );
  }
}

function subnetOf(number: number): string {
  return `6.${1 + (number >> 8)}.${number & 0xff}.0/24`;
}

function keyOf(number: number): string {
  return `subnets/${subnetOf(number).replace('/', '-')}`;
}

function residentBytes(pid: number): number {
  const [, kilobytes = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}
