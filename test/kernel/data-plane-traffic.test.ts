/** What containers see of the packet loop: two hosts as in test/lab/data-plane-pair.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { equalJson } from '../../src/model/equal-json.js';
import { ICMP, icmpOf, packetOf } from '../fakes/packets.js';
import { MTU, PORT, type Site, withPair } from '../lab/data-plane-pair.js';
import { eventually } from '../lab/eventually.js';
import type { ProcessResult } from '../lab/process.js';

const HEADERS_BYTES = 28; // IPv4 and ICMP echo
const SOON_MS = 5000;

function ping(from: Site, to: string, ...options: readonly string[]): Promise<ProcessResult> {
  return from.container.run(['ping', '-n', '-i', '0.1', '-W', '1', ...options, to]);
}

test('carries packets between containers, the TTL lower by one for each kernel and each loop', () =>
  withPair(async ({ a, b }) => {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const { stdout } = await ping(from, to.container.address, '-c', '3');
      assert.match(stdout, / 0% packet loss/);
      assert.match(stdout, /ttl=60 /);
    }
  }));

test('carries packets between a host and a container of the other, from the TUN address', () =>
  withPair(async ({ a, b }) => {
    const answer = await a.host.output(['ping', '-n', '-c', '1', '-W', '1', b.container.address]);
    assert.match(answer, /ttl=61 /);
    const { sent } = await a.dataPlane.counters();
    assert.equal(sent.packets, 1);
  }));

test('carries a packet of the full MTU that must not be fragmented, and nothing larger', () =>
  withPair(async ({ a, b }) => {
    const payload = MTU - HEADERS_BYTES;
    const full = await ping(a, b.container.address, '-c', '2', '-M', 'do', '-s', String(payload));
    assert.match(full.stdout, / 0% packet loss/);
    const larger = await ping(a, b.container.address, '-c', '1', '-M', 'do', '-s', String(payload + 1));
    assert.match(larger.stdout + larger.stderr, /message too long, mtu=1472/);
  }));

test('carries fragments of a larger packet', () =>
  withPair(async ({ a, b }) => {
    const { stdout } = await ping(a, b.container.address, '-c', '2', '-s', '4000');
    assert.match(stdout, / 0% packet loss/);
    const { sent } = await a.dataPlane.counters();
    assert.equal(sent.packets, 2 * 3);
  }));

test('puts the bare inner packet on the wire, from port to port', () =>
  withPair(async ({ underlay, a, b }) => {
    const dump = underlay.spawn([
      'tcpdump',
      '-i',
      'underlay',
      '-nn',
      '-x',
      '-l',
      '--immediate-mode',
      '-c',
      '1',
      'udp',
    ]);
    await dump.waitForLine(/listening on/, SOON_MS);
    await ping(a, b.container.address, '-c', '1', '-Q', '0xb8');
    await dump.waitForLine(/0x0060/, SOON_MS);
    const text = dump.lines.join('\n');
    assert.match(text, /198\.18\.0\.11\.8285 > 198\.18\.0\.12\.8285: UDP, length 84/);
    const hex = [...text.matchAll(/0x[0-9a-f]{4}: {2}([0-9a-f ]+)/g)].map(([, bytes = '']) => bytes).join('');
    const inner = hex.replaceAll(' ', '').slice(HEADERS_BYTES * 2);
    // Version and length, DSCP as sent, 84 bytes; TTL 62 after one kernel and one loop; ICMP; the two containers.
    assert.match(inner, /^45b80054.{8}3e01.{4}0a0128020a013f020800/);
  }));

test('tells a container that nobody has the subnet', () =>
  withPair(async ({ a }) => {
    const { stdout } = await ping(a, '10.1.254.9', '-c', '2');
    assert.match(stdout, /From 10\.1\.40\.0 icmp_seq=1 Destination Net Unreachable/);
    const { drops } = await a.dataPlane.counters();
    assert.equal(drops.no_route, 2);
  }));

for (const { name, options } of [
  { name: 'UDP', options: [] },
  { name: 'ICMP echo', options: ['-I'] },
]) {
  test(`shows every hop to traceroute with ${name}`, () =>
    withPair(async ({ a, b }) => {
      const to = b.container.address;
      const argv = ['traceroute', '-n', '-q', '1', '-N', '1', '-w', '1', '-m', '8', ...options, to];
      const text = await a.container.output(argv);
      const hops = [...text.matchAll(/^ *\d+ +(\S+)/gm)].map(([, hop]) => hop);
      // The kernel and the loop of a, the loop and the kernel of b, and the container.
      const way = ['10.1.40.1', '10.1.40.0', '10.1.63.0', '10.1.63.0', '10.1.63.2'];
      // A hop that keeps silent: what the two ends know about it.
      const known = equalJson(hops, way) ? '' : await knownBy(a, b);
      assert.deepEqual(hops, way, text + known);
    }));
}

test('delivers nothing from a host that is no peer', () =>
  withPair(async ({ underlay, a }) => {
    // What b's host would send when container b pings, but from the underlay's own address.
    const forged = packetOf({
      source: '10.1.63.2',
      destination: '10.1.40.2',
      protocol: ICMP,
      payload: icmpOf(8),
    });
    const send = `const socket = require('node:dgram').createSocket('udp4');
      socket.send(Buffer.from('${Buffer.from(forged).toString('hex')}', 'hex'), ${PORT}, '${a.state.publicIp}', () => socket.close());`;
    await underlay.output([process.execPath, '--eval', send]);
    await eventually('the forged packet is dropped', SOON_MS, async () => {
      const { drops, received } = await a.dataPlane.counters();
      // By the loop, or in the kernel once it has been told who the peers are.
      const dropped = (drops.unknown_peer ?? 0) + (drops.not_received ?? 0);
      assert.deepEqual([dropped, received.packets], [1, 0]);
    });
  }));

test('counts what the kernel itself sends into the TUN beside IPv4', () =>
  withPair(async ({ a }) => {
    await eventually("IPv6's router solicitation is dropped", SOON_MS, async () => {
      const { drops } = await a.dataPlane.counters();
      assert.ok((drops.not_ipv4 ?? 0) > 0);
    });
  }));

test('serves a TUN with several queues', () =>
  withPair(
    async ({ a, b }) => {
      const { stdout } = await ping(a, b.container.address, '-c', '3');
      assert.match(stdout, / 0% packet loss/);
    },
    { workers: 2 },
  ));

test('changes MTU and source check without losing a packet', () =>
  withPair(async ({ a, b }) => {
    const pings = a.container.output(['ping', '-q', '-i', '0.002', '-c', '500', b.container.address]);
    for (let round = 0; round < 20; round++) {
      const sourceCheck = round % 2 === 0 ? 'peer' : 'strict';
      await b.dataPlane.configure({ ...b.state, mtu: MTU - (round % 2), sourceCheck });
    }
    assert.match(await pings, / 0% packet loss/);
  }));

async function knownBy(...sites: readonly Site[]): Promise<string> {
  const parts: string[] = [];
  for (const { host, container, dataPlane } of sites) {
    parts.push(JSON.stringify(await dataPlane.counters()));
    for (const holder of [host, container])
      parts.push(await holder.output(['sh', '-c', 'ip neigh; ip -s link; grep -i icmp /proc/net/snmp']));
  }
  return `\n${parts.join('\n')}`;
}
