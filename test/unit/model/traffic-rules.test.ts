import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type Address,
  addressFromBits,
  contains,
  type Prefix,
  parseAddress,
  parsePrefix,
} from '../../../src/model/address.js';
import type { NatRule } from '../../../src/model/objects.js';
import {
  desiredForward,
  desiredMasquerade,
  forwardChain,
  masqueradeRules,
  masqueradeTable,
} from '../../../src/model/traffic-rules.js';

interface Packet {
  readonly source: Address;
  readonly destination: Address;
  readonly mark: number;
}

/** What a kernel makes of the rules: the first match decides, and a packet that matches none is left as it is. */
function isMasqueraded(rules: readonly NatRule[], packet: Packet): boolean {
  const holds = (match: NatRule['source'], address: Address) =>
    match === undefined || contains(match.prefix, address) !== match.negated;
  const rule = rules.find(
    ({ source, destination, mark }) =>
      holds(source, packet.source) &&
      holds(destination, packet.destination) &&
      // The kernel's marks are unsigned; JavaScript's `&` is not.
      (mark === undefined || (packet.mark & mark.mask) >>> 0 === mark.value),
  );
  return rule?.verdict === 'masquerade';
}

const FAMILIES = {
  ipv4: {
    network: '10.5.0.0/16',
    subnet: '10.5.34.0/24',
    container: '10.5.34.2',
    neighbour: '10.5.34.9',
    remote: '10.5.72.4',
    otherRemote: '10.5.90.4',
    host: '192.0.2.10',
    internet: '198.51.100.7',
    multicast: '239.1.2.3',
  },
  ipv6: {
    network: 'fd00:5::/48',
    subnet: 'fd00:5:0:22::/64',
    container: 'fd00:5:0:22::2',
    neighbour: 'fd00:5:0:22::9',
    remote: 'fd00:5:0:48::4',
    otherRemote: 'fd00:5:0:5a::4',
    host: '2001:db8::10',
    internet: '2001:db8:1::7',
    multicast: 'ff0e::123',
  },
} as const;
type Party = Exclude<keyof (typeof FAMILIES)['ipv4'], 'network' | 'subnet'>;

const WHO_IS_MASQUERADED: readonly {
  readonly name: string;
  readonly from: Party;
  readonly to: Party;
  readonly mark?: number;
  readonly want: boolean;
}[] = [
  { name: 'a container to the outside', from: 'container', to: 'internet', want: true },
  { name: 'a container to this host', from: 'container', to: 'host', want: true },
  { name: 'a container to a multicast group', from: 'container', to: 'multicast', want: false },
  { name: 'a container to its neighbour', from: 'container', to: 'neighbour', want: false },
  { name: 'a container to a remote container', from: 'container', to: 'remote', want: false },
  { name: 'a remote container to a container', from: 'remote', to: 'container', want: false },
  { name: 'the outside to a container', from: 'internet', to: 'container', want: false },
  { name: 'this host to a container', from: 'host', to: 'container', want: false },
  { name: 'this host to a remote container', from: 'host', to: 'remote', want: true },
  { name: 'the outside to a remote container', from: 'internet', to: 'remote', want: true },
  { name: 'a remote container to the outside', from: 'remote', to: 'internet', want: true },
  { name: 'one remote container to another', from: 'remote', to: 'otherRemote', want: true },
  { name: 'what does not touch the network', from: 'host', to: 'internet', want: false },
  { name: 'multicast of this host', from: 'host', to: 'multicast', want: false },
  {
    name: 'a container to the outside, marked by kube-proxy',
    from: 'container',
    to: 'internet',
    mark: 0x4000,
    want: false,
  },
  {
    name: 'the same with other bits beside the mark',
    from: 'container',
    to: 'internet',
    mark: 0x8000c001,
    want: false,
  },
  {
    name: 'the outside to a remote container, marked',
    from: 'internet',
    to: 'remote',
    mark: 0x4000,
    want: false,
  },
  {
    name: 'a container to the outside with another mark',
    from: 'container',
    to: 'internet',
    mark: 0x8000,
    want: true,
  },
];

for (const [family, addresses] of Object.entries(FAMILIES)) {
  describe(`masqueradeRules, ${family}`, () => {
    const rules = masqueradeRules(parsePrefix(addresses.network), parsePrefix(addresses.subnet));
    for (const { name, from, to, mark = 0, want } of WHO_IS_MASQUERADED) {
      it(`${want ? 'masquerades' : 'leaves alone'} ${name}`, () => {
        const packet = {
          source: parseAddress(addresses[from]),
          destination: parseAddress(addresses[to]),
          mark,
        };
        assert.equal(isMasqueraded(rules, packet), want);
      });
    }
  });
}

describe('masqueradeRules', () => {
  const network = parsePrefix('10.5.0.0/16');
  const subnet = parsePrefix('10.5.34.0/24');
  const rules = masqueradeRules(network, subnet);
  const near = (prefix: Prefix) =>
    fc.integer({ min: 0, max: 2 ** 16 }).map((offset) => {
      const base = prefix === subnet ? 0x0a052200 : 0x0a050000;
      return addressFromBits('ipv4', BigInt(base + (offset % (prefix === subnet ? 256 : 65_536))));
    });
  const anywhere = fc
    .integer({ min: 0, max: 2 ** 32 - 1 })
    .map((bits) => addressFromBits('ipv4', BigInt(bits)));
  const address = fc.oneof(near(network), near(subnet), anywhere);

  it('says the same in one sentence for every packet', () => {
    fc.assert(
      fc.property(address, address, fc.nat(0xffff), (source, destination, mark) => {
        const [fromNetwork, toNetwork] = [contains(network, source), contains(network, destination)];
        const isLocal = contains(subnet, destination) || (contains(subnet, source) && toNetwork);
        const isAnswered = !(fromNetwork && contains(parsePrefix('224.0.0.0/4'), destination));
        const want = (mark & 0x4000) === 0 && !isLocal && (fromNetwork || toNetwork) && isAnswered;
        assert.equal(isMasqueraded(rules, { source, destination, mark }), want);
      }),
    );
  });
});

describe('names of what is ours', () => {
  it('are those of flannel for the default instance', () => {
    assert.equal(forwardChain('flannel0'), 'FLANNEL-FWD');
  });

  it('differ between instances', () => {
    assert.notEqual(forwardChain('green'), forwardChain('flannel0'));
    assert.notEqual(masqueradeTable('green'), masqueradeTable('flannel0'));
  });

  it('fit into the 28 bytes of an iptables chain for the longest device name', () => {
    assert.ok(forwardChain('fifteen-letters').length <= 28);
  });
});

describe('desired traffic rules', () => {
  const family = (cidr: string) => ({
    cidr: parsePrefix(cidr),
    subnetLength: 24,
    subnetMin: parseAddress('10.5.1.0'),
    subnetMax: parseAddress('10.5.255.0'),
  });
  const dualStack = {
    ipv4: family('10.5.0.0/16'),
    ipv6: family('fd00:5::/48'),
    backend: { type: 'udp', port: 8285 },
  } as const;
  const { ipv6: _, ...ipv4Only } = dualStack;

  it('are one table and one chain for each family', () => {
    const subnets = { ipv4: parsePrefix('10.5.34.0/24'), ipv6: parsePrefix('fd00:5:0:22::/64') };
    assert.deepEqual(
      desiredMasquerade('flannelette-flannel0', dualStack, subnets).map(({ key }) => key),
      ['nft-table:ip flannelette-flannel0', 'nft-table:ip6 flannelette-flannel0'],
    );
    assert.deepEqual(
      desiredForward('FLANNEL-FWD', dualStack).map(({ key }) => key),
      ['iptables-chain:FLANNEL-FWD', 'ip6tables-chain:FLANNEL-FWD'],
    );
  });

  it('leave out the family that the network or the lease does not have', () => {
    const subnets = { ipv4: parsePrefix('10.5.34.0/24') };
    assert.equal(desiredMasquerade('t', ipv4Only, subnets).length, 1);
    assert.equal(desiredMasquerade('t', dualStack, subnets).length, 1);
    assert.equal(desiredForward('c', ipv4Only).length, 1);
  });

  it('accept the whole network, from FORWARD', () => {
    const [chain] = desiredForward('FLANNEL-FWD', ipv4Only);
    assert.deepEqual(chain?.state, {
      family: 'ipv4',
      chain: 'FLANNEL-FWD',
      accept: ['10.5.0.0/16'],
      jump: true,
      unreadable: [],
    });
  });
});
