/** The lab's own dockerd: nothing of it is left, whatever a test does. */
import assert from 'node:assert/strict';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { onEngines } from '../lab/docker-engine.js';
import { Host } from '../lab/host.js';

const CGROUPS = '/sys/fs/cgroup';

test('a test that fails leaves no process, no mount and no cgroup of Docker behind', {
  timeout: 60_000,
}, async () => {
  const host = await Host.start('host1');
  const home = await readlink(`/proc/${host.pid}/ns/net`);
  let contained: readonly string[] = [];
  try {
    await assert.rejects(
      onEngines([host], async ([engine]) => {
        assert.ok(engine);
        await engine.start('--live-restore');
        await engine.addContainer('ca');
        contained = await containedProcesses();
        assert.equal(contained.length, 1);
        throw new Error('the test fails');
      }),
      /the test fails/,
    );
    for (const pid of contained) await assert.rejects(readlink(`/proc/${pid}/exe`));
    assert.deepEqual(await processesIn(home), [String(host.pid)]);
    assert.doesNotMatch(await readFile('/proc/self/mountinfo', 'utf8'), /docker/);
    assert.deepEqual(await cgroups(), []);
  } finally {
    await host.close();
  }
});

async function processesIn(namespace: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const homes = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/ns/net`).catch(() => '')));
  return pids.filter((_, index) => homes[index] === namespace);
}

async function containedProcesses(): Promise<readonly string[]> {
  const lists = (await cgroups()).filter((path) => path.endsWith('/cgroup.procs'));
  const pids = await Promise.all(lists.map((path) => readFile(join(CGROUPS, path), 'utf8')));
  return [...new Set(pids.flatMap((text) => text.split('\n')).filter((pid) => pid !== ''))];
}

/** Of this process's tests; another one's may be running. */
async function cgroups(): Promise<string[]> {
  const found = await readdir(CGROUPS, { recursive: true });
  return found.filter((path) => path.includes(`flannelette-test-${process.pid}-`));
}
