/** The simulation's etcd keeps what every store promises, and its leases end by its own clock. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storeContract } from '../contract/store-contract.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { EtcdServer } from './etcd-server.js';
import { StoreLine, Way } from './store-line.js';
import { VirtualTime } from './virtual-time.js';

const random = seededRandom(1);
const owner = { isDead: false, isStopped: false };
const STEP_MS = 100;

function client(server: EtcdServer, time: VirtualTime): StoreLine {
  const ignored = () => {};
  return new StoreLine({ server, way: new Way(), time, random, owner, onAsk: ignored, onWrite: ignored });
}

storeContract('simulated etcd', async () => {
  const time = new VirtualTime(random);
  const server = new EtcdServer(time);
  let isClosed = false;
  const pass = async () => {
    while (!isClosed) await time.advance(STEP_MS, () => {});
  };
  const passing = pass();
  return {
    store: client(server, time),
    other: client(server, time),
    close: async () => {
      isClosed = true;
      await passing;
    },
  };
});

test('a lease that nobody refreshes takes its keys along', async () => {
  const time = new VirtualTime(random);
  const server = new EtcdServer(time);
  const lease = server.grant(60);
  server.put({ key: 'subnets/10.5.1.0-24', value: '{}', expected: 0n, lease });
  await time.advance(59_000, () => {});
  assert.equal(server.keepAlive(lease), 60);
  await time.advance(59_000, () => {});
  assert.ok(server.entry('subnets/10.5.1.0-24'));
  await time.advance(2_000, () => {});
  assert.equal(server.entry('subnets/10.5.1.0-24'), undefined);
  assert.equal(server.keepAlive(lease), 0);
});
