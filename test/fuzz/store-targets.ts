/** What other hosts write into the store: keys, values, and all of it together. */
import assert from 'node:assert/strict';
import { isIPv4 } from 'node:net';
import { overlaps } from '../../src/model/address.js';
import { prefixesOf } from '../../src/model/lease-overlaps.js';
import type { StoreEntry } from '../../src/model/store-view.js';
import { StoredValueError } from '../../src/wire/flannel-json.js';
import { subnetsOfKey } from '../../src/wire/flannel-keys.js';
import { leaseJson, parseLeaseJson } from '../../src/wire/flannel-lease.js';
import { parseNetworkJson } from '../../src/wire/flannel-network.js';
import { storeView } from '../../src/wire/flannel-store.js';
import type { Chance } from './chance.js';
import { bytesOf, type FuzzTarget, textOf } from './target.js';

function someKey(chance: Chance): string {
  const octet = () => chance.pick([10, 5, 0, 1, 255, 256, chance.int(0, 300), '01', '']);
  const ipv4 = `${octet()}.${octet()}.${octet()}.${chance.pick([0, 0, 0, octet()])}-${chance.pick([24, 24, 16, 32, 0, 33, chance.int(0, 99)])}`;
  const ipv6 = `${chance.pick(['fd00:1::', '2001:db8::1', '::', 'fd00::g', chance.int(0, 9999)])}-${chance.pick([56, 64, 0, 128, 129])}`;
  const plain = `10.5.${chance.int(0, 9)}.0-24`;
  const key = chance.pick([plain, plain, ipv4, ipv4, `${ipv4}&${ipv6}`, `0.0.0.0-0&${ipv6}`]);
  return chance.is(0.8) ? key : textOf(chance.spoilt(bytesOf(key)));
}

export const keyTarget: FuzzTarget = {
  name: 'lease-key',
  share: 202_000,
  make: (chance) => bytesOf(someKey(chance)),
  run(input) {
    const key = textOf(input);
    const found = subnetsOfKey(key);
    const isGood = !('error' in found);
    // Slowly: IPv4 alone, in canonical form, with the bits of the host all zero.
    const [, a, b, c, d, length] = /^(\d+)\.(\d+)\.(\d+)\.(\d+)-(\d+)$/.exec(key) ?? [];
    if (length === undefined) return isGood ? 'good, dual stack' : 'not good, of another form';
    const octets = [a, b, c, d].map(Number);
    const number = octets.reduce((sum, octet) => sum * 256 + octet, 0);
    const bits = Number(length);
    const isWanted =
      octets.every((octet) => octet <= 255) &&
      bits >= 1 &&
      bits <= 31 &&
      number % 2 ** (32 - bits) === 0 &&
      key === `${octets.join('.')}-${bits}`;
    assert.equal(isGood, isWanted, JSON.stringify(found));
    if (isGood) assert.equal(found.subnets.ipv4, key.replace('-', '/'));
    return isGood ? 'good' : 'not good';
  },
};

function someLeaseText(chance: Chance): string {
  const address = () =>
    chance.pick([
      '10.8.64.11',
      '0.0.0.0',
      '127.0.0.1',
      '010.1.1.1',
      '1.2.3',
      '::1',
      'fd00::1',
      '',
      5,
      null,
      [],
      {},
    ]);
  const lease = {
    [chance.pick(['PublicIP', 'PublicIP', 'publicip', 'PUBLICIP'])]: chance.is(0.5)
      ? '10.8.64.11'
      : address(),
    ...(chance.is(0.5) && { PublicIPv6: chance.pick([null, 'fd00::1', address()]) }),
    ...(chance.is(0.3) && { BackendType: chance.pick(['vxlan', '', 'udp', 5, null]) }),
    ...(chance.is(0.3) && { BackendData: chance.pick([null, { VtepMAC: 'aa:bb' }, 1e308, 'x', [1, [2]]]) }),
    ...(chance.is(0.2) && {
      [chance.pick(['__proto__', 'constructor', 'Odd', 'x\0y'])]: chance.pick([1, { a: 1 }]),
    }),
  };
  const text = JSON.stringify(lease);
  if (chance.is(0.02)) return '['.repeat(chance.int(1, 9_000));
  return chance.is(0.8) ? text : textOf(chance.spoilt(bytesOf(text)));
}

export const leaseTarget: FuzzTarget = {
  name: 'lease-value',
  share: 80_000,
  make: (chance) => bytesOf(someLeaseText(chance)),
  run(input) {
    const text = textOf(input);
    const found = typedOnly(() => parseLeaseJson(text));
    assert.equal(Object.getPrototypeOf({}), Object.prototype);
    const slow = slowPublicIp(text);
    if (found === undefined) {
      // Refused for something else perhaps; never for its address alone.
      return slow === 'none' ? 'refused, and slowly too' : 'refused for another field';
    }
    assert.equal(found.publicIps.ipv4 ?? 'unset', slow);
    assert.deepEqual(parseLeaseJson(leaseJson(found)), found, 'written and read again it is another');
    return slow === 'unset' ? 'read, without an address' : 'read';
  },
};

/** `none` for what cannot be a lease, `unset` for one without an address. */
function slowPublicIp(text: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'none';
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'none';
  let address: unknown;
  for (const [name, held] of Object.entries(value)) if (name.toLowerCase() === 'publicip') address = held;
  if (address === undefined || address === null || address === '0.0.0.0') return 'unset';
  return typeof address === 'string' && isIPv4(address) ? address : 'none';
}

function typedOnly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof StoredValueError) return undefined;
    throw error;
  }
}

function someNetworkText(chance: Chance): string {
  const network = {
    Network: chance.pick(['10.5.0.0/16', '10.5.0.0/16', '10.5.1.2/16', '0.0.0.0/0', 'x', 5, null]),
    ...(chance.is(0.4) && { SubnetLen: chance.pick([24, 16, 33, -1, 2.5, '24']) }),
    ...(chance.is(0.4) && { SubnetMin: chance.pick(['10.5.1.0', '10.6.0.0', '', 1]) }),
    ...(chance.is(0.4) && { SubnetMax: chance.pick(['10.5.255.0', '10.5.0.0', 'x']) }),
    ...(chance.is(0.7) && {
      Backend: chance.pick([
        { Type: 'udp', Port: 8285 },
        { Type: 'vxlan' },
        'udp',
        null,
        { Type: 'udp', Port: 70000 },
      ]),
    }),
    ...(chance.is(0.2) && { EnableIPv6: true, IPv6Network: chance.pick(['fd00::/48', '10.0.0.0/8', '']) }),
  };
  const text = JSON.stringify(network);
  return chance.is(0.8) ? text : textOf(chance.spoilt(bytesOf(text)));
}

export const networkTarget: FuzzTarget = {
  name: 'network-value',
  share: 40_000,
  make: (chance) => bytesOf(someNetworkText(chance)),
  run(input) {
    const network = typedOnly(() => parseNetworkJson(textOf(input)));
    if (network === undefined) return 'refused';
    assert.ok(network.ipv4 ?? network.ipv6, 'a network without a family');
    return `read, backend ${network.backend.type}`;
  },
};

/** Keys and values in turn, a line each. */
export const contentTarget: FuzzTarget = {
  name: 'store-content',
  share: 5_000,
  make(chance) {
    const lines = Array.from({ length: chance.int(1, 6) }, () => [
      chance.is(0.1) ? 'config' : `subnets/${someKey(chance)}`,
      chance.is(0.1) ? someNetworkText(chance) : someLeaseText(chance),
    ]);
    return bytesOf(
      lines
        .flat()
        .map((line) => line.replaceAll('\n', ''))
        .join('\n'),
    );
  },
  run(input) {
    const lines = textOf(input).split('\n');
    const entries = new Map<string, StoreEntry>();
    for (let at = 0; at + 1 < lines.length; at += 2) {
      const [key = '', value = ''] = lines.slice(at, at + 2);
      const revision = BigInt(at + 1);
      entries.set(key, { key, value, createRevision: revision, modRevision: revision, lease: '0' });
    }
    const view = storeView(entries.values());
    const backwards = storeView([...entries.values()].reverse());
    const names = ({ leases }: typeof view) => leases.map(({ subnets }) => JSON.stringify(subnets)).sort();
    assert.deepEqual(names(view), names(backwards), 'the order of the entries decides');
    const held = view.leases.flatMap(({ subnets }) => prefixesOf(subnets));
    for (const [index, prefix] of held.entries()) {
      assert.ok(!held.slice(index + 1).some((other) => overlaps(prefix, other)), `${prefix} is held twice`);
    }
    const wanted = [...entries.keys()].filter((key) => key.startsWith('subnets/')).length;
    assert.equal(view.leases.length + view.quarantined.length, wanted, 'an entry is lost');
    withoutTheBad(view, entries);
    return `${Math.min(3, view.leases.length)} of ${Math.min(3, wanted)} leases`;
  },
};

/** One that cannot be read changes nothing for the others. */
function withoutTheBad(
  { leases, quarantined }: ReturnType<typeof storeView>,
  entries: ReadonlyMap<string, StoreEntry>,
): void {
  const bad = new Set(quarantined.map(({ key }) => key));
  const good = storeView([...entries.values()].filter(({ key }) => !bad.has(key)));
  assert.deepEqual(good.leases, leases, 'a lease that was set aside had an effect on others');
}
