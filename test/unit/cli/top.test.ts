import assert from 'node:assert/strict';
import test from 'node:test';
import { EXIT } from '../../../src/cli/exit-codes.js';
import { topText } from '../../../src/cli/render-top.js';
import type { PeerStatus, StatusReport } from '../../../src/model/status.js';
import { CommandWorld } from './command-world.js';
import { READY_REPORT } from './ready-report.js';

function reportWith(peers: readonly PeerStatus[], sentBytes = 0, drops = {}): StatusReport {
  const { traffic } = READY_REPORT;
  return { ...READY_REPORT, peers, traffic: { ...traffic, sentBytes, receivedBytes: 0, drops } };
}

function peer(subnet: string, packets: number, bytes: number): PeerStatus {
  const counted = { sentPackets: packets, sentBytes: bytes, receivedPackets: 0, receivedBytes: 0, drops: 0 };
  return { subnet, publicIp: '10.8.65.53', ...counted };
}

test('what was counted between two looks is shown by the second, the busiest peer first', () => {
  const before = reportWith([peer('4.0.32.0/24', 100, 1_000), peer('4.0.33.0/24', 5, 500)], 1_500);
  const after = reportWith(
    [peer('4.0.32.0/24', 102, 1_050), peer('4.0.33.0/24', 2_005, 2_500_500)],
    2_501_550,
    { 'no-peer': 7 },
  );
  assert.equal(
    topText(before, after, 2),
    `flannel0: ready, 2 peers; sends 10 Mbit/s, gets 0 bit/s
drops/s: no-peer 4

PEER         AT          SENT P/S  SENT       GOT P/S  GOT      DROPS/S  LAST HEARD
4.0.33.0/24  10.8.65.53  1000      10 Mbit/s  0        0 bit/s  0        never
4.0.32.0/24  10.8.65.53  1         200 bit/s  0        0 bit/s  0        never
`,
  );
});

test('counters that begin anew with the daemon are no negative rates', () => {
  const text = topText(
    reportWith([peer('4.0.32.0/24', 100, 1_000)]),
    reportWith([peer('4.0.32.0/24', 3, 250)]),
    1,
  );
  assert.match(text, /^4\.0\.32\.0\/24 +10\.8\.65\.53 +3 +2\.0 kbit\/s /m);
});

test('where the kernel carries the packets nobody counts those of one peer', () => {
  const report = reportWith([{ subnet: '4.0.32.0/24', publicIp: '10.8.65.53' }]);
  assert.match(topText(report, report, 1), /^4\.0\.32\.0\/24 +10\.8\.65\.53 +- +- +- +- +- +-$/m);
});

test('top asks again and again, and clears the screen where there is one', async () => {
  const world = new CommandWorld();
  world.answer = async () => ({ status: 200, body: JSON.stringify(READY_REPORT) });
  const { exitCode, stdout } = await world.run('top', '-n', '3');
  assert.equal(exitCode, EXIT.done);
  assert.equal(stdout.match(/^flannel0: ready/gm)?.length, 3);
  assert.ok(!stdout.includes('\x1b'));
  world.isTerminal = true;
  assert.ok((await world.run('top', '-n', '1')).stdout.startsWith('\x1b[H\x1b[Jflannel0'));
});

test('without a daemon there is nothing to show, and a number of times is one', async () => {
  assert.equal((await new CommandWorld().run('top', '-n', '1')).exitCode, EXIT.notReady);
  assert.equal((await new CommandWorld().run('top', '-n', '0')).exitCode, EXIT.usage);
});
