/** `make demo` does what it says, and takes its scene down however it ends. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../lab/eventually.js';
import { LongProcess, outputOf } from '../lab/process.js';

const DEMO = [process.execPath, fileURLToPath(new URL('../../examples/demo/demo.js', import.meta.url))];
const TOLD_MS = 90_000;
const GONE_MS = 10_000;

test('the demo is told to its end, and with KEEP=1 stays up until its keeper is ended', async () => {
  const demo = new LongProcess(DEMO, { environment: { KEEP: '1' } });
  const line = await demo.waitForLine(/^Take all of it down: kill \d+$/, TOLD_MS);
  const keeper = Number(line.split(' ').at(-1));
  try {
    assert.equal(await demo.exited, 0);
    const [enter = ''] = demo.lines.filter((text) => text.includes('host1 10.8.65.66: nsenter'));
    const argv = enter.slice(enter.indexOf('nsenter')).split(' ');
    const pids = childrenOf(keeper);
    assert.ok(pids.length >= 8, `etcd, three daemons and their namespaces, not only ${pids.join(' ')}`);
    assert.match(await outputOf([...argv, 'ip', 'route']), /^4\.0\.0\.0\/16 dev flannel0/m);
    process.kill(keeper, 'SIGTERM');
    await gone([keeper, ...pids]);
  } finally {
    if (existsSync(`/proc/${keeper}`)) process.kill(keeper, 'SIGKILL');
  }
});

test('a demo that is interrupted leaves no process', async () => {
  const demo = new LongProcess(DEMO);
  await demo.waitForLine(/One file, the same on all three hosts/, TOLD_MS);
  const pids = childrenOf(demo.pid);
  assert.ok(pids.length >= 8, `etcd, three daemons and their namespaces, not only ${pids.join(' ')}`);
  demo.signal('SIGINT');
  assert.equal(await demo.exited, 130);
  await gone(pids);
});

function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
}

async function gone(pids: readonly number[]): Promise<void> {
  await eventually('its processes are gone', GONE_MS, () => {
    const left = pids.filter((pid) => existsSync(`/proc/${pid}`));
    assert.deepEqual(left, []);
  });
}
