/** What every DataPlane does, over the fake in test/unit and over the worker thread in test/kernel. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Address, parseAddress, parsePrefix } from '../../src/model/address.js';
import type { ForwarderState, PeerState } from '../../src/model/objects.js';
import type { DataPlane } from '../../src/ports.js';
import { eventually } from '../lab/eventually.js';

/** A data plane that was not configured yet, on a host with flannel0 and both of ADDRESSES; and what befalls it. */
export interface DataPlaneWorld {
  readonly dataPlane: DataPlane;
  makeTun(options: { readonly multiQueue: boolean }): Promise<void>;
  deleteTun(): Promise<void>;
  tunExists(): Promise<boolean>;
  /** Somebody else attaches to the TUN, until the returned function is called. */
  holdTun(): () => void;
  /** Somebody else binds the port on all addresses, until the returned function is called. */
  holdPort(port: number): Promise<() => Promise<void>>;
  /** Ends the loop from behind, as a bug in it would. */
  killLoop(): void;
}

export type WithDataPlane = (body: (world: DataPlaneWorld) => Promise<void>) => Promise<void>;

export const ADDRESSES: readonly [Address, Address] = [
  parseAddress('198.18.0.11'),
  parseAddress('198.18.0.21'),
];
const STATE: ForwarderState = {
  tun: 'flannel0',
  workers: 1,
  mtu: 1472,
  tunAddress: parseAddress('10.1.40.0'),
  subnet: parsePrefix('10.1.40.0/24'),
  publicIp: ADDRESSES[0],
  bind: { address: ADDRESSES[0], port: 8285 },
  sourceCheck: 'strict',
  offload: true,
  fastPath: false,
};
const OTHER_ADDRESS: ForwarderState = { ...STATE, bind: { address: ADDRESSES[1], port: 8285 } };
const NOT_OURS: ForwarderState = { ...STATE, bind: { address: parseAddress('203.0.113.1'), port: 8285 } };
const B: PeerState = peer('10.1.63.0/24', '198.18.0.12');
const C: PeerState = peer('10.1.64.0/24', '198.18.0.13');
const NOTICE_MS = 2000;

function peer(subnet: string, publicIp: string): PeerState {
  return { subnet: parsePrefix(subnet), publicIp: parseAddress(publicIp), port: 8285 };
}

const { signal } = new AbortController();

export function dataPlaneContract(implementation: string, withDataPlane: WithDataPlane): void {
  const test = (name: string, body: (world: DataPlaneWorld) => Promise<void>) =>
    it(name, () => withDataPlane(body));

  describe(`${implementation}: forwarder`, () => {
    test('does not run until it is configured', async ({ dataPlane }) => {
      assert.equal(dataPlane.forwarder(), undefined);
      assert.deepEqual(dataPlane.peers(), []);
      assert.deepEqual(dataPlane.counters().peers, []);
      assert.ok(!Object.values(dataPlane.offloads()).includes(true));
    });

    test('runs with what it was configured with, and again after a change', async ({ dataPlane }) => {
      for (const state of [
        STATE,
        STATE,
        { ...STATE, mtu: 1400, sourceCheck: 'off' } as const,
        { ...STATE, fastPath: true },
        OTHER_ADDRESS,
      ]) {
        await dataPlane.configure(state, signal);
        assert.deepEqual(dataPlane.forwarder(), state);
      }
    });

    test('is not in its own way when it moves from all addresses to one', async ({ dataPlane }) => {
      const everywhere = { ...STATE, bind: { address: parseAddress('0.0.0.0'), port: 8285 } };
      for (const state of [everywhere, STATE, everywhere]) {
        await dataPlane.configure(state, signal);
        assert.deepEqual(dataPlane.forwarder(), state);
      }
    });

    test('never makes the TUN', async ({ dataPlane, deleteTun, tunExists }) => {
      await deleteTun();
      await assert.rejects(dataPlane.configure(STATE, signal), { name: 'SystemError', code: 'ENODEV' });
      assert.equal(await tunExists(), false);
      assert.equal(dataPlane.forwarder(), undefined);
    });

    test('refuses a TUN of another kind of queue', async ({ dataPlane }) => {
      const state = { ...STATE, workers: 2 };
      await assert.rejects(dataPlane.configure(state, signal), { code: 'EINVAL' });
    });

    test('refuses a TUN that somebody else holds', async ({ dataPlane, holdTun }) => {
      const letGo = holdTun();
      await assert.rejects(dataPlane.configure(STATE, signal), { code: 'EBUSY' });
      letGo();
      await dataPlane.configure(STATE, signal);
    });

    test('refuses an address that is not there, and keeps running with the old one', async ({
      dataPlane,
    }) => {
      await dataPlane.configure(STATE, signal);
      await assert.rejects(dataPlane.configure(NOT_OURS, signal), { code: 'EADDRNOTAVAIL' });
      assert.deepEqual(dataPlane.forwarder(), STATE);
    });

    test('refuses a port that somebody else has', async ({ dataPlane, holdPort }) => {
      const letGo = await holdPort(8285);
      await assert.rejects(dataPlane.configure(STATE, signal), { code: 'EADDRINUSE' });
      assert.equal(dataPlane.forwarder(), undefined);
      await letGo();
      await dataPlane.configure(STATE, signal);
    });

    test('keeps running with the old port when somebody else has the new one', async ({
      dataPlane,
      holdPort,
    }) => {
      await dataPlane.configure(STATE, signal);
      const letGo = await holdPort(8286);
      const moved = { ...STATE, bind: { ...STATE.bind, port: 8286 } };
      await assert.rejects(dataPlane.configure(moved, signal), { code: 'EADDRINUSE' });
      assert.deepEqual(dataPlane.forwarder(), STATE);
      await letGo();
      await dataPlane.configure(moved, signal);
      assert.deepEqual(dataPlane.forwarder(), moved);
      // The old one is free again.
      await (await holdPort(8285))();
    });

    test('refuses IPv6', async ({ dataPlane }) => {
      const state = { ...STATE, publicIp: parseAddress('fd00::1') };
      await assert.rejects(dataPlane.configure(state, signal), { code: 'EAFNOSUPPORT' });
    });

    test('loses its TUN with the link, keeps its peers, and takes the next link', async (world) => {
      const { dataPlane } = world;
      await dataPlane.configure(STATE, signal);
      await dataPlane.updatePeers({ set: [B], remove: [] }, signal);
      await world.deleteTun();
      await eventually('the lost TUN is noticed', NOTICE_MS, () =>
        assert.equal(dataPlane.forwarder(), undefined),
      );
      assert.deepEqual(dataPlane.peers(), [B]);
      await world.makeTun({ multiQueue: true });
      await dataPlane.configure({ ...STATE, workers: 2 }, signal);
      assert.deepEqual(dataPlane.forwarder(), { ...STATE, workers: 2 });
    });

    test('goes from one thread to several and back, each time on a device made for it', async (world) => {
      const { dataPlane } = world;
      for (const workers of [1, 3, 2, 1]) {
        await world.deleteTun();
        await world.makeTun({ multiQueue: workers > 1 });
        const state = { ...STATE, workers };
        await dataPlane.configure(state, signal);
        await dataPlane.updatePeers({ set: [B, C], remove: [] }, signal);
        assert.deepEqual(dataPlane.forwarder(), state);
        assert.deepEqual(dataPlane.peers(), [B, C]);
      }
    });

    test('is gone with its peers when the loop dies, and starts again', async ({ dataPlane, killLoop }) => {
      await dataPlane.configure(STATE, signal);
      await dataPlane.updatePeers({ set: [B], remove: [] }, signal);
      killLoop();
      await eventually('the death is noticed', NOTICE_MS, () =>
        assert.equal(dataPlane.forwarder(), undefined),
      );
      assert.deepEqual(dataPlane.peers(), []);
      await dataPlane.configure(STATE, signal);
      await dataPlane.updatePeers({ set: [C], remove: [] }, signal);
      assert.deepEqual([dataPlane.forwarder(), dataPlane.peers()], [STATE, [C]]);
    });

    test('shuts down, twice if asked, gives TUN and port back, and starts again', async (world) => {
      const { dataPlane } = world;
      await dataPlane.configure(STATE, signal);
      await dataPlane.updatePeers({ set: [B], remove: [] }, signal);
      await dataPlane.shutDown(signal);
      await dataPlane.shutDown(signal);
      assert.deepEqual([dataPlane.forwarder(), dataPlane.peers()], [undefined, []]);
      assert.equal(await world.tunExists(), true);
      world.holdTun()();
      await (await world.holdPort(8285))();
      await dataPlane.configure(STATE, signal);
      assert.deepEqual(dataPlane.forwarder(), STATE);
    });
  });

  describe(`${implementation}: peers`, () => {
    test('are set, replaced by subnet, and forgotten', async ({ dataPlane }) => {
      await dataPlane.configure(STATE, signal);
      const moved = { ...B, publicIp: C.publicIp };
      for (const { set, remove, want } of [
        { set: [B, C], remove: [], want: [B, C] },
        { set: [moved], remove: [C.subnet], want: [moved] },
        { set: [], remove: [C.subnet], want: [moved] },
        { set: [C], remove: [B.subnet], want: [C] },
        { set: [], remove: [], want: [C] },
      ]) {
        await dataPlane.updatePeers({ set, remove }, signal);
        assert.deepEqual(new Set(dataPlane.peers()), new Set(want));
      }
      assert.deepEqual(
        dataPlane.counters().peers.map(({ subnet, sentPackets }) => ({ subnet, sentPackets })),
        [{ subnet: C.subnet, sentPackets: 0 }],
      );
    });

    test('stay through a new configuration', async ({ dataPlane }) => {
      await dataPlane.configure(STATE, signal);
      await dataPlane.updatePeers({ set: [B], remove: [] }, signal);
      await dataPlane.configure(OTHER_ADDRESS, signal);
      assert.deepEqual(dataPlane.peers(), [B]);
    });

    test('need a running loop', async ({ dataPlane }) => {
      await assert.rejects(dataPlane.updatePeers({ set: [B], remove: [] }, signal), { code: 'ENOTCONN' });
    });

    test('are IPv4: one that is not leaves the others as they were', async ({ dataPlane }) => {
      await dataPlane.configure(STATE, signal);
      const set = [B, { ...C, publicIp: parseAddress('fd00::1') }];
      await assert.rejects(dataPlane.updatePeers({ set, remove: [] }, signal), { code: 'EAFNOSUPPORT' });
      assert.deepEqual(dataPlane.peers(), []);
    });
  });

  describe(`${implementation}: captures`, () => {
    test('need a running loop, and a verdict that there is', async ({ dataPlane }) => {
      const question = { snapBytes: 100 };
      await assert.rejects(dataPlane.capture(question, signal), { code: 'ENOTCONN' });
      await dataPlane.configure(STATE, signal);
      const nonsense = dataPlane.capture({ ...question, verdict: 'lost' }, signal);
      await assert.rejects(nonsense, { code: 'EINVAL' });
      const capture = await dataPlane.capture({ ...question, verdict: 'no_route' }, signal);
      assert.deepEqual(capture.take(), { packets: [], missed: 0 });
      await capture.end(signal);
      await capture.end(signal);
    });
  });

  describe(`${implementation}: callers`, () => {
    test('are woken by every confirmation and by every loss, until they leave', async (world) => {
      const { dataPlane } = world;
      const leave = new AbortController();
      let wakes = 0;
      const woken = async (what: string, cause: () => Promise<unknown> | undefined) => {
        const before = wakes;
        await cause();
        await eventually(what, NOTICE_MS, () => assert.ok(wakes > before));
      };
      dataPlane.watch(() => {
        wakes++;
      }, leave.signal);
      await woken('configured', () => dataPlane.configure(STATE, signal));
      await woken('peers set', () => dataPlane.updatePeers({ set: [B], remove: [] }, signal));
      await woken('TUN lost', () => world.deleteTun());
      await world.makeTun({ multiQueue: false });
      await woken('configured again', () => dataPlane.configure(STATE, signal));
      await woken('shut down', () => dataPlane.shutDown(signal));
      leave.abort();
      const last = wakes;
      await dataPlane.configure(STATE, signal);
      assert.equal(wakes, last);
    });

    test('may give up', async ({ dataPlane }) => {
      const gone = AbortSignal.abort(new Error('given up'));
      const change = { set: [B], remove: [] };
      await dataPlane.configure(STATE, signal);
      await assert.rejects(dataPlane.configure(OTHER_ADDRESS, gone), /given up/);
      await assert.rejects(dataPlane.updatePeers(change, gone), /given up/);
      await assert.rejects(dataPlane.shutDown(gone), /given up/);
      assert.deepEqual([dataPlane.forwarder(), dataPlane.peers()], [STATE, []]);
    });

    test('are served one after the other', async ({ dataPlane }) => {
      await Promise.all([
        dataPlane.configure(STATE, signal),
        dataPlane.updatePeers({ set: [B], remove: [] }, signal),
        dataPlane.configure(OTHER_ADDRESS, signal),
        dataPlane.updatePeers({ set: [C], remove: [B.subnet] }, signal),
      ]);
      assert.deepEqual([dataPlane.forwarder(), dataPlane.peers()], [OTHER_ADDRESS, [C]]);
    });
  });
}
