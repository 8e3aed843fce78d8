/** What `diff` and `apply` promise each other, beside running daemons. */
import assert from 'node:assert/strict';
import { worldDifference, worldOf } from '../../lab/host-world.js';
import { storeOf } from '../../lab/store-content.js';
import type { Row } from '../row.js';
import type { Scene } from '../scene.js';

const DRIFT = 1;

export const COMMAND_ROWS: readonly Row[] = [
  {
    id: 'C1',
    fault: '`diff` is run',
    expected: 'It writes nothing: no file, no key, no lease, no rule; the kernel has no event to tell.',
    bar: { lost: 0 },
    counts: { test: 1, standard: 5, full: 100 },
    inject: diffed,
  },
  {
    id: 'C2',
    fault: '`diff` is run right after `apply`',
    expected: 'It has nothing to say, and exits with 0.',
    bar: { lost: 0 },
    counts: { test: 1, standard: 5, full: 100 },
    inject: appliedAndDiffed,
  },
  {
    id: 'C3',
    fault: '`apply` is run on a bare host after `diff`',
    expected: 'It does what `diff` has shown, line for line.',
    bar: { lost: 0 },
    counts: { test: 1, standard: 3, full: 20 },
    inject: shownAndDone,
  },
];

async function diffed({ first, cluster }: Scene) {
  const before = [await worldOf(first.host), JSON.stringify(await storeOf(cluster))];
  const monitor = first.host.spawn(['ip', 'monitor', 'link', 'address', 'route', 'rule']);
  await first.until('the monitor hears', 0, async () => {
    await first.shell.run('ip link add v0 type veth peer name v1; ip link delete v0');
    assert.match(monitor.lines.join('\n'), /Deleted .*v0/);
  });
  const heard = monitor.lines.length;
  const { code, stdout } = await first.member.command('diff');
  assert.equal(code, 0, stdout);
  await monitor.stop();
  assert.deepEqual(
    monitor.lines.slice(heard).filter((line) => !/ v[01]@/.test(line)),
    [],
  );
  assert.deepEqual([await worldOf(first.host), JSON.stringify(await storeOf(cluster))], before);
  return {};
}

async function appliedAndDiffed({ first }: Scene) {
  // Neither costs a packet: what is counted is what `apply` and `diff` cost.
  await first.shell.run('ip link set flannel0 mtu 1400; rm /run/flannel/subnet.env');
  assert.equal((await first.member.command('apply')).code, 0);
  const { code, stdout } = await first.member.command('diff');
  assert.equal(code, 0, stdout);
  return {};
}

async function shownAndDone({ third, cluster }: Scene) {
  const world = await worldOf(third.host);
  third.daemon.signal('SIGTERM');
  await third.daemon.exited;
  assert.equal((await third.member.command('destroy')).code, 0);
  const shown = await third.member.command('diff');
  assert.equal(shown.code, DRIFT, shown.stderr);
  const done = await third.member.command('apply');
  assert.equal(done.code, 0, done.stderr);
  assert.deepEqual(actionLines(done.stdout), actionLines(shown.stdout));
  assert.ok(actionLines(done.stdout).length > 5, done.stdout);
  await third.restart();
  assert.deepEqual(worldDifference(world, await worldOf(third.host)), []);
  assert.equal((await storeOf(cluster)).keys.length > 0, true);
  return {};
}

function actionLines(printed: string): readonly string[] {
  return printed.split('\n').filter((line) => /^\s*[+~-] /.test(line));
}
