import assert from 'node:assert/strict';
import test from 'node:test';
import { type Address, type Family, parseAddress } from '../../../src/model/address.js';
import type { InterfaceSelector } from '../../../src/model/config.js';
import { type Candidates, externalInterface, InterfaceError } from '../../../src/model/external-interface.js';

function address(link: string, text: string, more: Partial<Candidates['addresses'][number]> = {}) {
  return {
    link,
    address: parseAddress(text),
    scope: 'global',
    deprecated: false,
    permanent: true,
    temporary: false,
    tentative: false,
    ...more,
  } as const;
}

const HOST: Candidates = {
  links: [
    { name: 'lo', mtu: 65536, up: true },
    { name: 'eth0', mtu: 1500, up: true },
    { name: 'eth1', mtu: 9000, up: true },
    { name: 'eth2', mtu: 1500, up: true },
    { name: 'bare', mtu: 1500, up: true },
  ],
  addresses: [
    address('lo', '127.0.0.1', { scope: 'host' }),
    address('eth0', '169.254.1.1', { scope: 'link' }),
    address('eth0', '192.0.2.9', { deprecated: true }),
    address('eth0', '192.0.2.11', { permanent: false }),
    address('eth0', '192.0.2.10'),
    address('eth0', 'fe80::1', { scope: 'link' }),
    address('eth1', '198.51.100.1'),
    address('eth1', '198.51.100.2'),
    address('eth1', '2001:db8::1'),
    address('eth2', 'fe80::2', { scope: 'link' }),
    address('eth2', '2001:db8::20', { tentative: true }),
    address('eth2', '2001:db8::21', { deprecated: true }),
    address('eth2', '2001:db8::22', { permanent: false, temporary: true }),
    address('eth2', '2001:db8::23', { permanent: false }),
  ],
  defaultRoutes: [
    { family: 'ipv4', metric: 200, link: 'eth0' },
    { family: 'ipv4', metric: 100, link: 'eth1' },
    { family: 'ipv4', metric: 0 },
    { family: 'ipv6', metric: 1, link: 'eth2' },
  ],
};

const at = (text: string): Address => parseAddress(text);
const CHOICES: readonly {
  name: string;
  selector: InterfaceSelector;
  families?: readonly Family[];
  candidates?: Candidates;
  want: string;
  ipv4?: string;
  ipv6?: string;
}[] = [
  {
    name: 'the default route of the lowest metric',
    selector: { by: 'default-route' },
    want: 'eth1',
    ipv4: '198.51.100.1',
  },
  { name: 'a name', selector: { by: 'name', name: 'eth0' }, want: 'eth0', ipv4: '192.0.2.10' },
  {
    name: 'the holder of an address, with that address',
    selector: { by: 'address', address: at('198.51.100.2') },
    want: 'eth1',
    ipv4: '198.51.100.2',
  },
  {
    name: 'a pattern of an address before one of a name',
    selector: { by: 'regex', regex: '^192\\.0\\.2\\.|^eth1$' },
    want: 'eth0',
  },
  { name: 'a pattern of a name', selector: { by: 'regex', regex: '^eth1$' }, want: 'eth1' },
  {
    name: 'the way to an address',
    selector: { by: 'can-reach', address: at('203.0.113.1') },
    candidates: { ...HOST, reach: { target: at('203.0.113.1'), link: 'eth0' } },
    want: 'eth0',
  },
  {
    name: 'without a default route the way to the store',
    selector: { by: 'default-route' },
    candidates: { ...HOST, defaultRoutes: [], reach: { target: at('198.51.100.9'), link: 'eth1' } },
    want: 'eth1',
  },
  {
    name: "the default route of the network's own family, with the address that lasts longest",
    selector: { by: 'default-route' },
    families: ['ipv6'],
    want: 'eth2',
    ipv6: '2001:db8::23',
  },
  {
    name: 'the default route of either family while the network is not known',
    selector: { by: 'default-route' },
    candidates: { ...HOST, defaultRoutes: HOST.defaultRoutes.filter(({ family }) => family === 'ipv6') },
    want: 'eth2',
  },
  {
    name: 'a default route whose interface has both families, before one of a lower metric',
    selector: { by: 'default-route' },
    families: ['ipv4', 'ipv6'],
    candidates: {
      ...HOST,
      defaultRoutes: [
        { family: 'ipv4', metric: 10, link: 'eth0' },
        { family: 'ipv4', metric: 20, link: 'eth1' },
      ],
    },
    want: 'eth1',
    ipv4: '198.51.100.1',
    ipv6: '2001:db8::1',
  },
  {
    name: 'the holder of an IPv6 address',
    selector: { by: 'address', address: at('2001:db8::22') },
    families: ['ipv6'],
    want: 'eth2',
    ipv6: '2001:db8::22',
  },
];

for (const { name, selector, families, candidates = HOST, want, ipv4, ipv6 } of CHOICES) {
  test(`chooses by ${name}`, () => {
    const chosen = externalInterface(selector, families, candidates);
    assert.equal(chosen.name, want);
    if (ipv4 !== undefined) assert.equal(chosen.ipv4, ipv4);
    if (ipv6 !== undefined) assert.equal(chosen.ipv6, ipv6);
  });
}

test("gives the addresses of the network's families alone", () => {
  const { ipv4, ipv6 } = externalInterface({ by: 'name', name: 'eth1' }, ['ipv4'], HOST);
  assert.deepEqual([ipv4, ipv6], ['198.51.100.1', undefined]);
});

test('keeps the interface in use as long as it has its address in every family of the network', () => {
  const selector = { by: 'name', name: 'eth1' } as const;
  const inUse = externalInterface(selector, ['ipv4', 'ipv6'], HOST);
  const more = { ...HOST, addresses: [address('eth1', '2001:db8::2'), ...HOST.addresses] };
  assert.deepEqual(externalInterface(selector, ['ipv4', 'ipv6'], more, inUse), inUse);
  const gone = { ...more, addresses: more.addresses.filter((held) => held.address !== inUse.ipv6) };
  assert.equal(externalInterface(selector, ['ipv4', 'ipv6'], gone, inUse).ipv6, '2001:db8::2');
});

test('follows the other family on the interface in use where the families are not known', () => {
  const selector = { by: 'name', name: 'eth1' } as const;
  const inUse = externalInterface(selector, undefined, HOST);
  // A host that does not know yet whether its network has IPv6 is known by its IPv4 address.
  const more = { ...HOST, addresses: [address('eth1', '198.51.100.0'), ...HOST.addresses] };
  assert.deepEqual(externalInterface(selector, undefined, more, inUse), inUse);
  const without = { ...more, addresses: more.addresses.filter((held) => held.address !== inUse.ipv6) };
  const lost = externalInterface(selector, undefined, without, inUse);
  assert.deepEqual([lost.ipv4, lost.ipv6], [inUse.ipv4, undefined]);
  const arriving = (tentative: boolean) => ({
    ...without,
    addresses: [...without.addresses, address('eth1', '2001:db8::2', { tentative })],
  });
  assert.equal(externalInterface(selector, undefined, arriving(true), lost).ipv6, undefined);
  assert.equal(externalInterface(selector, undefined, arriving(false), lost).ipv6, '2001:db8::2');
});

test('gives both families and the MTU of the interface', () => {
  assert.deepEqual(externalInterface({ by: 'name', name: 'eth1' }, undefined, HOST), {
    name: 'eth1',
    mtu: 9000,
    ipv4: '198.51.100.1',
    ipv6: '2001:db8::1',
    chosenBy: 'host.interface: eth1',
  });
});

const REFUSALS: readonly {
  selector: InterfaceSelector;
  families?: readonly Family[];
  candidates?: Candidates;
  want: RegExp;
}[] = [
  {
    selector: { by: 'name', name: 'eth7' },
    want: /there is none of that name, only lo, eth0, eth1, eth2, bare/,
  },
  { selector: { by: 'name', name: 'bare' }, want: /it has no address/ },
  { selector: { by: 'address', address: at('203.0.113.7') }, want: /no interface has it/ },
  { selector: { by: 'regex', regex: 'wlan' }, want: /no address and no name does/ },
  { selector: { by: 'can-reach', address: at('203.0.113.1') }, want: /no route leads there/ },
  {
    selector: { by: 'default-route' },
    candidates: { ...HOST, defaultRoutes: [] },
    want: /no default route; name one with host\.interface/,
  },
  {
    selector: { by: 'name', name: 'eth0' },
    families: ['ipv4', 'ipv6'],
    want: /"eth0" .*it has no usable IPv6 address, and the network has both families; give it one, or name another/,
  },
  { selector: { by: 'name', name: 'eth2' }, families: ['ipv4'], want: /no usable IPv4 address; give it one/ },
];

for (const { selector, families, candidates = HOST, want } of REFUSALS) {
  test(`says why there is none: ${want.source}`, () => {
    assert.throws(
      () => externalInterface(selector, families, candidates),
      (error) => error instanceof InterfaceError && want.test(error.message),
    );
  });
}
