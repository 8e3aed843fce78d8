import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createEtcdStore } from '../../src/sys/etcd-store.js';
import { storeView } from '../../src/wire/flannel-store.js';
import { withEtcd } from '../lab/etcd.js';
import type { Allocation } from './allocation-worker.js';

const PROCESSES = 10;
const HOSTS_EACH = 10;
const MOST_MS = 3_000;
const WORKER = fileURLToPath(new URL('./allocation-worker.js', import.meta.url));

const NETWORKS = [
  { name: 'a hundred hosts that start at once', config: '{"Network":"10.5.0.0/16"}' },
  {
    name: 'a hundred hosts that start at once in a network of a hundred subnets',
    config: '{"Network":"10.5.0.0/16","SubnetMin":"10.5.1.0","SubnetMax":"10.5.100.0"}',
  },
];

for (const [index, { name, config }] of NETWORKS.entries()) {
  test(`${name} get a hundred different subnets within ${MOST_MS} ms`, async (context) => {
    await withEtcd(async (etcd) => {
      const prefix = `/race/${index}`;
      await etcd.ctl('put', `${prefix}/config`, config);
      const workers = Array.from({ length: PROCESSES }, (_, process) => {
        const publicIps = Array.from(
          { length: HOSTS_EACH },
          (_, host) => `198.51.100.${process * HOSTS_EACH + host + 1}`,
        );
        return new Worker([etcd.endpoint, prefix, ...publicIps]);
      });
      try {
        await Promise.all(workers.map((worker) => worker.ready()));
        for (const worker of workers) worker.go();
        const allocations = (await Promise.all(workers.map((worker) => worker.allocations()))).flat();

        assert.equal(allocations.length, PROCESSES * HOSTS_EACH);
        assert.equal(new Set(allocations.map(({ subnet }) => subnet)).size, allocations.length);
        const firstGrant = Math.min(...allocations.map(({ grantedAt }) => grantedAt));
        const spans = allocations
          .map(({ doneAt }) => doneAt - firstGrant)
          .sort((left, right) => left - right);
        const lost = allocations.map(({ lostRaces }) => lostRaces);
        const summary =
          `median ${spans[50]} ms, last ${spans.at(-1)} ms after the first grant, ` +
          `${lost.reduce((sum, races) => sum + races, 0)} races lost, by one host at most ${Math.max(...lost)}`;
        context.diagnostic(summary);
        assert.ok((spans.at(-1) ?? Infinity) <= MOST_MS, summary);

        // The store says the same: a hundred leases, none set aside.
        const store = createEtcdStore({
          type: 'etcd',
          endpoints: [etcd.endpoint],
          prefix,
          leaseTtlSeconds: 60,
        });
        const { entries } = await store.snapshot(new AbortController().signal);
        store.close();
        const { leases, quarantined } = storeView(entries);
        assert.equal(leases.length, allocations.length);
        assert.deepEqual(quarantined, []);
        assert.equal(new Set(leases.map(({ etcdLease }) => etcdLease)).size, allocations.length);
      } finally {
        for (const worker of workers) worker.kill();
      }
    });
  });
}

class Worker {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, [WORKER, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    assert.ok(this.#child.stdout);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async ready(): Promise<void> {
    assert.equal((await this.#lines.next()).value, 'ready');
  }

  go(): void {
    this.#child.stdin?.write('go\n');
  }

  /** Until the process has ended. */
  async allocations(): Promise<Allocation[]> {
    const allocations: Allocation[] = [];
    for (let line = await this.#lines.next(); !line.done; line = await this.#lines.next()) {
      allocations.push(JSON.parse(line.value) as Allocation);
    }
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
    assert.equal(this.#child.exitCode, 0);
    return allocations;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
