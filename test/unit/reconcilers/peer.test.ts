import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress, parsePrefix } from '../../../src/model/address.js';
import type { Desired } from '../../../src/model/diff.js';
import type { PeerState } from '../../../src/model/objects.js';
import { peerReconciler } from '../../../src/reconcilers/peer.js';
import { FakeDataPlane } from '../../fakes/fake-data-plane.js';
import { fakeHost } from '../../fakes/fake-kernel.js';
import { NOTHING_TO_DO, oneRound } from './one-round.js';

function peer(subnet: string, publicIp: string, port = 8285): Desired<PeerState> {
  const state = { subnet: parsePrefix(subnet), publicIp: parseAddress(publicIp), port };
  return { key: `peer:${state.subnet}`, state };
}

const [ONE, TWO] = [peer('4.0.32.0/24', '10.8.64.12'), peer('4.0.33.0/24', '10.8.64.13')];

/** A packet loop that runs, with `rows`. */
async function loopWith(
  ...rows: readonly Desired<PeerState>[]
): Promise<readonly [FakeDataPlane, ReturnType<typeof peerReconciler>]> {
  const kernel = fakeHost();
  kernel.tuns.create('flannel0', { multiQueue: false });
  const dataPlane = new FakeDataPlane(kernel);
  const address = parseAddress('10.8.64.11');
  const { signal } = new AbortController();
  await dataPlane.configure(
    {
      tun: 'flannel0',
      workers: 1,
      mtu: 1472,
      tunAddress: parseAddress('4.0.100.0'),
      subnet: parsePrefix('4.0.100.0/24'),
      publicIp: address,
      bind: { address, port: 8285 },
      sourceCheck: 'strict',
      offload: true,
      fastPath: false,
    },
    signal,
  );
  await dataPlane.updatePeers({ set: rows.map(({ state }) => state), remove: [] }, signal);
  dataPlane.log.length = 0;
  return [dataPlane, peerReconciler(dataPlane)];
}

describe('peer reconciler', () => {
  it('sets all rows in one message, once', async () => {
    const [dataPlane, reconciler] = await loopWith();
    assert.deepEqual(await oneRound(reconciler, [ONE, TWO]), {
      plan: ['create peer:4.0.32.0/24: missing', 'create peer:4.0.33.0/24: missing'],
      foreign: [],
      outcomes: ['done', 'done'],
    });
    assert.deepEqual(dataPlane.log, ['set 4.0.32.0/24, set 4.0.33.0/24']);
    assert.deepEqual(dataPlane.peers(), [ONE.state, TWO.state]);
    assert.deepEqual(await oneRound(reconciler, [ONE, TWO]), NOTHING_TO_DO);
  });

  it('changes, adds and removes rows in one message', async () => {
    const [dataPlane, reconciler] = await loopWith(ONE, peer('4.0.40.0/24', '10.8.64.40'));
    const moved = peer('4.0.32.0/24', '10.8.64.99', 8286);
    assert.deepEqual((await oneRound(reconciler, [moved, TWO])).plan, [
      'create peer:4.0.33.0/24: missing',
      'update peer:4.0.32.0/24: at 10.8.64.12, want 10.8.64.99; port 8285, want 8286',
      'delete peer:4.0.40.0/24: not wanted any more',
    ]);
    assert.deepEqual(dataPlane.log, ['set 4.0.33.0/24, set 4.0.32.0/24, remove 4.0.40.0/24']);
    assert.deepEqual(
      dataPlane.peers().map(({ subnet, publicIp }) => `${subnet} ${publicIp}`),
      ['4.0.32.0/24 10.8.64.99', '4.0.33.0/24 10.8.64.13'],
    );
  });

  it('fails as a whole when the loop does not run', async () => {
    const [dataPlane, reconciler] = await loopWith();
    dataPlane.die();
    assert.deepEqual((await oneRound(reconciler, [ONE, TWO])).outcomes, [
      'failed ENOTCONN',
      'failed ENOTCONN',
    ]);
  });

  it('rejects when it is told to stop, and has then changed nothing', async () => {
    const [dataPlane, reconciler] = await loopWith();
    const { actions } = reconciler.diff([ONE], []);
    await assert.rejects(reconciler.apply(actions, AbortSignal.abort(new Error('stop'))), /^Error: stop$/);
    assert.deepEqual(dataPlane.peers(), []);
  });

  it('rejects when it is told to stop while it waits for the loop', async () => {
    const [dataPlane, reconciler] = await loopWith();
    const stop = new AbortController();
    dataPlane.updatePeers = async () => {
      stop.abort(new Error('stop'));
      throw new Error('interrupted');
    };
    const { actions } = reconciler.diff([ONE], []);
    await assert.rejects(reconciler.apply(actions, stop.signal), /^Error: stop$/);
  });

  it('wakes when the loop has lost its rows', async () => {
    const [dataPlane, reconciler] = await loopWith(ONE);
    let wakes = 0;
    reconciler.watch?.(() => wakes++, new AbortController().signal);
    dataPlane.die();
    assert.equal(wakes, 1);
  });
});
