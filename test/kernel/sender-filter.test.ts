/** Strangers' datagrams end in the kernel, and nobody who is let in waits for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Address, parsePrefix } from '../../src/model/address.js';
import type { PeerState } from '../../src/model/objects.js';
import { packetOf } from '../fakes/packets.js';
import { type Pair, PORT, type Site, withPair } from '../lab/data-plane-pair.js';
import { eventually } from '../lab/eventually.js';
import { udpSocketIn } from '../lab/udp-socket.js';

const SOON_MS = 10_000;
const STRANGER = '198.18.0.13' as Address;

async function drops({ dataPlane }: Site) {
  const { unknown_peer: judged = 0, not_received: kept = 0 } = (await dataPlane.counters()).drops;
  return { judged, kept };
}

async function losesNothing({ a, b }: Pair): Promise<void> {
  const { stdout } = await a.container.run(['ping', '-n', '-c', '2', '-W', '1', b.container.address]);
  assert.match(stdout, / 0% packet loss/);
}

/** Sends from a third host until `seen` holds. */
async function sending({ underlay, a }: Pair, body: (send: () => void) => Promise<void>): Promise<void> {
  const host = await underlay.addHost('stranger', STRANGER);
  const socket = await udpSocketIn(host, PORT);
  const packet = packetOf({ source: '10.1.77.9', destination: a.container.address });
  try {
    await body(() => socket.send(packet, PORT, a.peer.publicIp));
  } finally {
    socket.close();
  }
}

test('a stranger is kept out in the kernel, until it is a peer; then at once it is let in', () =>
  withPair((pair) =>
    sending(pair, async (send) => {
      const { a } = pair;
      await eventually('the kernel drops what the stranger sends', SOON_MS, async () => {
        send();
        assert.ok((await drops(a)).kept > 0);
      });
      const before = await drops(a);
      for (let count = 0; count < 100; count++) send();
      await eventually('all of it', SOON_MS, async () =>
        assert.ok((await drops(a)).kept >= before.kept + 100),
      );
      assert.equal((await drops(a)).judged, before.judged);
      await losesNothing(pair);

      const subnet = parsePrefix('10.1.77.0/24');
      const peer: PeerState = { subnet, publicIp: STRANGER, port: PORT };
      await a.dataPlane.setPeers(peer);
      const { received } = await a.dataPlane.counters();
      send();
      await eventually('the new peer is heard', SOON_MS, async () =>
        assert.equal((await a.dataPlane.counters()).received.packets, received.packets + 1),
      );

      await a.dataPlane.updatePeers({ set: [], remove: [subnet] });
      await eventually('a host that left is kept out again', SOON_MS, async () => {
        const { kept } = await drops(a);
        send();
        await eventually('one more', 500, async () => assert.ok((await drops(a)).kept > kept));
      });
    }),
  ));

test('with sourceCheck off whoever sends is heard, also after it was strict', () =>
  withPair((pair) =>
    sending(pair, async (send) => {
      const { a } = pair;
      await eventually('the kernel drops what the stranger sends', SOON_MS, async () => {
        send();
        assert.ok((await drops(a)).kept > 0);
      });
      await a.dataPlane.configure({ ...a.state, sourceCheck: 'off' });
      send();
      await eventually('the stranger is heard', SOON_MS, async () =>
        assert.ok((await a.dataPlane.counters()).received.packets > 0),
      );
    }),
  ));

test('among ten thousand peers on one network strangers from another are kept out', () =>
  withPair((pair) =>
    sending(pair, async (send) => {
      const { a } = pair;
      const set = Array.from({ length: 10_000 }, (_, index): PeerState => {
        const address = index * 3;
        return {
          subnet: parsePrefix(`10.${128 + (index >> 8)}.${index & 255}.0/24`),
          publicIp: `10.9.${address >> 8}.${address & 255}` as Address,
          port: PORT,
        };
      });
      await a.dataPlane.setPeers(...set);
      const before = await drops(a);
      await eventually('the kernel drops what the stranger sends', SOON_MS, async () => {
        send();
        assert.ok((await drops(a)).kept > before.kept);
      });
      await losesNothing(pair);
      assert.deepEqual(await a.dataPlane.log(), []);
    }),
  ));
