/** The interface that carries the packets to the other hosts. */
import assert from 'node:assert/strict';
import { storeOf } from '../../lab/store-content.js';
import type { Row } from '../row.js';
import type { Scene } from '../scene.js';
import { HEALED_MS } from '../station.js';

export const EXTERNAL_ROWS: readonly Row[] = [
  {
    id: 'X1',
    fault: 'the cable is pulled and put back ten times',
    expected:
      'Nothing is written to etcd or to the kernel; packets flow as soon as it is back. The time is from then.',
    bar: { healedMs: 200 },
    counts: { test: 1, standard: 10, full: 50 },
    inject: flaps,
  },
];

const FLAPS = 10;

async function flaps({ first, cluster, probe }: Scene) {
  const { underlay } = cluster;
  const [port = ''] =
    (await underlay.output(['ip', '-oneline', 'link', 'show', 'type', 'veth'])).match(/port2(?=@)/) ?? [];
  const before = (await storeOf(cluster)).revision;
  const changed = () => first.daemon.lines.filter((line) => line.includes('"msg":"changed"')).length;
  const changes = changed();
  await underlay.script(
    Array(FLAPS).fill(`ip link set ${port} down; sleep 0.1; ip link set ${port} up`).join('; sleep 0.1; '),
  );
  const start = performance.now();
  await probe.since(probe.mark(), HEALED_MS);
  const healedMs = performance.now() - start;
  assert.equal((await storeOf(cluster)).revision, before);
  assert.equal(changed(), changes);
  return { healedMs };
}
