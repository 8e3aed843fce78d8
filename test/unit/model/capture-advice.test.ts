import assert from 'node:assert/strict';
import test from 'node:test';
import { parsePrefix } from '../../../src/model/address.js';
import { captureAdvice } from '../../../src/model/capture-advice.js';
import type { DesiredState } from '../../../src/model/desired.js';

function adviceFor(backend: { type: string; port?: number }, devices: readonly string[] = []): string {
  const state = {
    objects: {},
    network: { backend },
    networks: [parsePrefix('4.0.0.0/16')],
    devices,
    hasPacketLoop: backend.type === 'udp',
  } as unknown as DesiredState;
  return captureAdvice({ state, external: 'eth0' });
}

test('where the kernel carries the packets the command line is told that shows them', () => {
  assert.equal(
    adviceFor({ type: 'vxlan', port: 4789 }, ['flannel.1']),
    'backend vxlan: the kernel carries them. Watch it with `tcpdump -n -i flannel.1` inside, `tcpdump -n -i eth0 udp port 4789` outside; `ip -s -d link show flannel.1` counts what is dropped',
  );
  assert.match(adviceFor({ type: 'host-gw' }), /`tcpdump -n -i eth0 net 4\.0\.0\.0\/16`/);
});

test('where nobody does, or others do, that is told', () => {
  assert.match(adviceFor({ type: 'alloc' }), /nobody carries them/);
  assert.match(adviceFor({ type: 'extension' }), /`tcpdump -n -i any net 4\.0\.0\.0\/16`/);
  assert.match(adviceFor({ type: 'udp' }), /`flannelette status` says why/);
  const state = { waitsFor: 'store', reason: 'the store has not been read yet' } as const;
  assert.match(captureAdvice({ state, external: undefined }), /: the store has not been read yet$/);
});
