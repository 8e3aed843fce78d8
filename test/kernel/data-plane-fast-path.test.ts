/** What containers see of the fast path: two hosts as in test/lab/data-plane-pair.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeTun, type Site, withPair } from '../lab/data-plane-pair.js';
import { RemoteDataPlane } from '../lab/data-plane-remote.js';
import { eventually } from '../lab/eventually.js';
import { takenByLoop } from '../lab/fast-path.js';
import { transfers } from '../lab/tcp-transfer.js';

const SOON_MS = 8_000;
/** Longer than packets follow those that took the slow way. */
const FORGOTTEN_MS = 300;
const BYTES = 20_000_000;
/** As Docker publishes a port. */
const PUBLISHED_AT = '10.1.40.1';
const PUBLISH = `iptables -t nat -A PREROUTING -p udp -d ${PUBLISHED_AT} -j DNAT --to-destination 10.1.40.2`;

const ECHO = `
const socket = require('node:dgram').createSocket('udp4');
socket.on('message', (message, { port, address }) => socket.send(message, port, address));
socket.bind(7000, () => console.log('ready'));`;
const ASK = `
const socket = require('node:dgram').createSocket('udp4');
socket.on('message', (message) => { console.log(String(message)); process.exit(); });
socket.send('hello', 7000, process.argv[1]);
setTimeout(() => process.exit(1), 2_000);`;

async function pings(from: Site, to: Site): Promise<string> {
  const { stdout } = await from.container.run([
    ...['ping', '-n', '-c', '5', '-i', '0.05', '-W', '1'],
    to.container.address,
  ]);
  return stdout;
}

/** Neighbours are known, and nothing is to be overtaken any more of what the loop had. */
async function settled(from: Site, to: Site): Promise<void> {
  await pings(from, to);
  await sleep(FORGOTTEN_MS);
}

test('carries a ping without the loop, the TTL lowered as often, and counts it', () =>
  withPair(
    async ({ a, b }) => {
      assert.equal((await a.dataPlane.offloads()).fastPath, true);
      await settled(a, b);
      const before = [await takenByLoop(a.host), await takenByLoop(b.host)];
      const sentBefore = (await a.dataPlane.counters()).sent.packets;
      const stdout = await pings(a, b);
      assert.match(stdout, / 0% packet loss/);
      assert.match(stdout, /ttl=60 /);
      assert.deepEqual([await takenByLoop(a.host), await takenByLoop(b.host)], before);
      const { sent, received, peers } = await a.dataPlane.counters();
      assert.equal(sent.packets, sentBefore + 5);
      assert.equal(received.packets, sent.packets);
      assert.ok(Date.now() - (peers[0]?.lastReceivedAt ?? 0) < SOON_MS);
    },
    { withFastPath: 'ab' },
  ));

for (const [name, withFastPath] of [
  ['between two that have it', 'ab'],
  ['to one that does not', 'a'],
  ['from one that does not', 'b'],
] as const) {
  test(`${name}: ${BYTES} bytes of TCP pass unchanged, and datagrams with checksums of a container's kernel`, () =>
    withPair(
      async ({ a, b }) => {
        await transfers(a.container, `${a.container.address}:5000`, b.container, BYTES);
        await transfers(b.container, `${b.container.address}:5000`, a.container, BYTES);
        assert.match(await pings(a, b), / 0% packet loss/);
        await a.host.script(PUBLISH);
        const echo = a.container.spawn([process.execPath, '-e', ECHO]);
        try {
          await echo.waitForLine(/ready/, SOON_MS);
          for (const address of [a.container.address, PUBLISHED_AT]) {
            const { stdout } = await b.container.run([process.execPath, '-e', ASK, address]);
            assert.equal(stdout, 'hello\n', address);
          }
        } finally {
          await echo.stop();
        }
      },
      { withFastPath },
    ));
}

test('works beside several loops', () =>
  withPair(
    async ({ a, b }) => {
      await settled(a, b);
      const before = await takenByLoop(a.host);
      assert.match(await pings(a, b), / 0% packet loss/);
      assert.equal(await takenByLoop(a.host), before);
      await transfers(a.container, `${a.container.address}:5000`, b.container, BYTES);
    },
    { withFastPath: 'ab', workers: 2 },
  ));

test('leaves to the loop what needs an answer', () =>
  withPair(
    async ({ a }) => {
      const { stdout } = await a.container.run(['ping', '-n', '-c', '1', '-W', '1', '10.1.99.2']);
      assert.match(stdout, /Destination Net Unreachable/);
      const expired = await a.container.run(['ping', '-n', '-c', '1', '-W', '1', '-t', '2', '10.1.63.2']);
      assert.match(expired.stdout, /Time to live exceeded/);
    },
    { withFastPath: 'ab' },
  ));

test('comes back with a device that was made anew, and with the link of the address', () =>
  withPair(
    async ({ a, b }) => {
      await a.host.script('ip link delete flannel0');
      await eventually('the loss is noticed', SOON_MS, async () =>
        assert.equal(await a.dataPlane.forwarder(), undefined),
      );
      await makeTun(a.host, a.state.tunAddress);
      await a.dataPlane.configure(a.state);
      assert.equal((await a.dataPlane.offloads()).fastPath, true);
      await settled(a, b);
      const before = await takenByLoop(a.host);
      assert.match(await pings(a, b), / 0% packet loss/);
      assert.equal(await takenByLoop(a.host), before);
    },
    { withFastPath: 'ab' },
  ));

test('ends with a process that is killed', () =>
  withPair(
    async ({ a, b }) => {
      await pings(a, b);
      await a.dataPlane.close();
      assert.match(await pings(b, a), / 100% packet loss/);
      const other = new RemoteDataPlane(a.host);
      try {
        await other.configure({ ...a.state, fastPath: false });
        await other.setPeers(b.peer);
        const before = await takenByLoop(a.host);
        assert.match(await pings(a, b), / 0% packet loss/);
        assert.equal(await takenByLoop(a.host), before + 5);
      } finally {
        await other.close();
      }
    },
    { withFastPath: 'ab' },
  ));

test('is refused where IPsec protects packets, which the loop then carries', () =>
  withPair(
    async ({ a, b }) => {
      await a.host.script(
        'ip xfrm policy add src 192.0.2.1 dst 192.0.2.2 dir out tmpl proto esp mode tunnel',
      );
      await eventually('it is noticed', SOON_MS, async () =>
        assert.equal((await a.dataPlane.offloads()).fastPath, false),
      );
      assert.match((await a.dataPlane.log()).join(), /this host has IPsec policies/);
      const before = await takenByLoop(a.host);
      assert.match(await pings(a, b), / 0% packet loss/);
      assert.equal(await takenByLoop(a.host), before + 5);
    },
    { withFastPath: 'ab' },
  ));
