/** A host that joins a network of a thousand: how long until it can send to all of them, and what memory it takes. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import type { Member } from '../lab/cluster.js';
import { CROWDED_CONFIG, type Crowd, indexes, onCrowd } from '../lab/crowd.js';
import { eventually } from '../lab/eventually.js';
import type { Host } from '../lab/host.js';

const PEERS = 1_000;
/** Of the time that Node takes to load the same modules one by one and to do nothing with them: a slow machine is slow at both. */
const MOST_TIMES_LOADING = 3;
/** A machine that was busy with something else gets another chance; slow code uses all of them up. */
const ROUNDS = 3;
const MOST_RSS_MB = 120;
const SETTLED_MS = 10_000;
const ARRIVED_MS = 60_000;

const LOADING = ['compose.js', 'cli/program.js', 'compose-forwarding.js', 'compose-host.js']
  .map((module) => new URL(`../../src/${module}`, import.meta.url).href)
  .concat('etcd3')
  .map((module) => `await import(${JSON.stringify(import.meta.resolve(module))});`)
  .join('\n');

test('joining a network of a thousand hosts', { timeout: 180_000 }, async (t) => {
  await onCrowd({ hosts: 1, config: CROWDED_CONFIG }, async (crowd, member) => {
    await crowd.add(0, PEERS);
    const ratios: number[] = [];
    for (let round = 0; round < ROUNDS && !(Math.min(...ratios) < MOST_TIMES_LOADING); round++) {
      const loadingMs = await loadingTime(member.host);
      const { forwardableMs, rssMb } = await join(member, crowd);
      t.diagnostic(`all reached after ${forwardableMs} ms, loading alone ${loadingMs} ms, ${rssMb} MB`);
      ratios.push(forwardableMs / loadingMs);
    }
    assert.ok(Math.min(...ratios) < MOST_TIMES_LOADING, `times of loading: ${ratios.join(', ')}`);
  });
});

async function loadingTime(host: Host): Promise<number> {
  const start = performance.now();
  await host.output([process.execPath, '--input-type=module', '--eval', LOADING]);
  return Math.round(performance.now() - start);
}

/** From the start of the process to the last of the peers reached, with what it then holds in memory. */
async function join(member: Member, crowd: Crowd) {
  const missing = () => indexes(0, PEERS).filter((index) => crowd.heardAt(index) === undefined);
  crowd.forget();
  // In small lots: a socket's buffer holds no thousand packets.
  let next = 0;
  const sending = setInterval(() => {
    for (let count = 0; count < 50; count++) {
      const index = next++ % PEERS;
      if (crowd.heardAt(index) === undefined) crowd.send(index);
    }
  }, 4);
  const start = performance.now();
  const daemon = member.start();
  try {
    await eventually('every peer is reached', ARRIVED_MS, async () => assert.deepEqual(missing(), []));
    const forwardableMs = Math.round(performance.now() - start);
    crowd.forget();
    await eventually('every peer is reached again', ARRIVED_MS, async () => assert.deepEqual(missing(), []));
    let rssMb = 0;
    await eventually('the memory is within bounds', SETTLED_MS, async () => {
      rssMb = await rssMbOf(daemon.pid);
      assert.ok(rssMb <= MOST_RSS_MB, `${rssMb} MB`);
    });
    return { forwardableMs, rssMb };
  } finally {
    clearInterval(sending);
    daemon.signal('SIGTERM');
    await daemon.exited;
    // The next one begins with nothing.
    await member.command('destroy', '--lease');
  }
}

async function rssMbOf(pid: number): Promise<number> {
  const [, kib = '0'] = /^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Math.round((Number(kib) * 1024) / 1e6);
}
