import assert from 'node:assert/strict';
import test from 'node:test';
import { type Address, parseAddress } from '../../../src/model/address.js';
import type { InterfaceSelector } from '../../../src/model/config.js';
import { type Candidates, externalInterface, InterfaceError } from '../../../src/model/external-interface.js';

function address(link: string, text: string, more: Partial<Candidates['addresses'][number]> = {}) {
  return {
    link,
    address: parseAddress(text),
    scope: 'global',
    deprecated: false,
    permanent: true,
    ...more,
  } as const;
}

const HOST: Candidates = {
  links: [
    { name: 'lo', mtu: 65536, up: true },
    { name: 'eth0', mtu: 1500, up: true },
    { name: 'eth1', mtu: 9000, up: true },
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
  ],
  defaultRoutes: [{ metric: 200, link: 'eth0' }, { metric: 100, link: 'eth1' }, { metric: 0 }],
};

const at = (text: string): Address => parseAddress(text);
const CHOICES: readonly {
  name: string;
  selector: InterfaceSelector;
  candidates?: Candidates;
  want: string;
  ipv4?: string;
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
];

for (const { name, selector, candidates = HOST, want, ipv4 } of CHOICES) {
  test(`chooses by ${name}`, () => {
    const chosen = externalInterface(selector, candidates);
    assert.equal(chosen.name, want);
    if (ipv4 !== undefined) assert.equal(chosen.ipv4, ipv4);
  });
}

test('gives both families and the MTU of the interface', () => {
  assert.deepEqual(externalInterface({ by: 'name', name: 'eth1' }, HOST), {
    name: 'eth1',
    mtu: 9000,
    ipv4: '198.51.100.1',
    ipv6: '2001:db8::1',
    chosenBy: 'host.interface: eth1',
  });
});

const REFUSALS: readonly { selector: InterfaceSelector; candidates?: Candidates; want: RegExp }[] = [
  { selector: { by: 'name', name: 'eth7' }, want: /there is none of that name, only lo, eth0, eth1, bare/ },
  { selector: { by: 'name', name: 'bare' }, want: /it has no address/ },
  { selector: { by: 'address', address: at('203.0.113.7') }, want: /no interface has it/ },
  { selector: { by: 'regex', regex: 'wlan' }, want: /no address and no name does/ },
  { selector: { by: 'can-reach', address: at('203.0.113.1') }, want: /no route leads there/ },
  {
    selector: { by: 'default-route' },
    candidates: { ...HOST, defaultRoutes: [] },
    want: /no default route; name one with host\.interface/,
  },
];

for (const { selector, candidates = HOST, want } of REFUSALS) {
  test(`says why there is none: ${want.source}`, () => {
    assert.throws(
      () => externalInterface(selector, candidates),
      (error) => error instanceof InterfaceError && want.test(error.message),
    );
  });
}
