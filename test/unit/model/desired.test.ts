import assert from 'node:assert/strict';
import test from 'node:test';
import { readConfig } from '../../../src/config/read-config.js';
import { parseAddress, parsePrefix } from '../../../src/model/address.js';
import type { Config } from '../../../src/model/config.js';
import {
  type DesiredInput,
  type DesiredState,
  desiredState,
  isDecided,
  objectsOf,
} from '../../../src/model/desired.js';
import { DesiredMemory } from '../../../src/model/desired-memory.js';
import type { HostFacts } from '../../../src/model/host.js';
import type { Lease } from '../../../src/model/lease.js';
import type { NetworkConfig } from '../../../src/model/network.js';
import { KINDS } from '../../../src/model/objects.js';
import type { StoreView } from '../../../src/model/store-view.js';
import { TrackedList } from '../../../src/model/tracked-list.js';

const STORE = `store:
  etcd: { endpoints: ["http://10.8.64.10:2379"] }
`;
const ARTICLE = `
network:
  cidr: 4.0.0.0/16
  subnetLength: 24
  backend: { type: udp, port: 8285 }
${STORE}`;

function config(text: string): Config {
  const reading = readConfig(text, 'flannelette.yaml');
  if ('errors' in reading) throw new Error(JSON.stringify(reading.errors));
  return reading.config;
}

function lease(subnet: string, publicIp: string, backendType = ''): Lease {
  return {
    subnets: { ipv4: parsePrefix(subnet) },
    attributes: { publicIps: { ipv4: parseAddress(publicIp) }, backendType },
    createRevision: 2n,
    modRevision: 2n,
    etcdLease: '77',
  };
}

function view(leases: readonly Lease[], more: Partial<StoreView> = {}): StoreView {
  const taken = leases.flatMap(({ subnets }) => (subnets.ipv4 === undefined ? [] : [subnets.ipv4]));
  return { leases, quarantined: [], taken, ...more };
}

const HOST: HostFacts = {
  external: {
    name: 'eth0',
    mtu: 1500,
    ipv4: parseAddress('10.8.65.66'),
    ipv6: parseAddress('2001:db8::66'),
    chosenBy: 'default route',
  },
  publicIps: { ipv4: parseAddress('10.8.65.66'), ipv6: parseAddress('2001:db8::66') },
  reach: [{ prefix: parsePrefix('10.8.0.0/16'), direct: true }],
};

const OWN = lease('4.0.100.0/24', '10.8.65.66');
const OTHER = lease('4.0.32.0/24', '10.8.65.53');

function decided(input: Partial<DesiredInput> = {}, memory = new DesiredMemory()): DesiredState {
  const usual = { config: config(ARTICLE), store: view([OWN, OTHER]), host: HOST, forwards: true };
  const state = desiredState({ ...usual, ...input }, memory);
  if (!isDecided(state)) throw new Error(state.reason);
  return state;
}

test("the article's host", () => {
  const { objects, mtu } = decided();
  assert.equal(mtu, 1472);
  const states = Object.fromEntries(
    KINDS.map((kind) => [kind, objects[kind].map(({ key, state }) => ({ key, state }))]),
  );
  const { masquerade, forward, 'network-config': network, ...rest } = states;
  assert.deepEqual(
    network?.map(({ key }) => key),
    ['network-config:config'],
  );
  assert.deepEqual(masquerade, [], 'masquerading is left to Docker');
  assert.deepEqual(
    forward?.map(({ key }) => key),
    ['iptables-chain:FLANNEL-FWD'],
  );
  assert.deepEqual(rest, {
    'docker-settings': [],
    'docker-bridge': [],
    'flannel-rules': [],
    lease: [
      {
        key: 'lease:4.0.100.0-24',
        state: {
          subnets: { ipv4: '4.0.100.0/24' },
          // An IPv4 network publishes no IPv6 address.
          attributes: { publicIps: { ipv4: '10.8.65.66' }, backendType: '' },
        },
      },
    ],
    link: [
      {
        key: 'link:flannel0',
        state: {
          name: 'flannel0',
          kind: 'tun',
          mtu: 1472,
          up: true,
          alias: 'flannelette flannel0',
          multiQueue: false,
        },
      },
    ],
    sysctl: [
      { key: 'sysctl:net.ipv4.ip_forward', state: { name: 'net.ipv4.ip_forward', value: '1' } },
      {
        key: 'sysctl:net.ipv4.conf.flannel0.accept_local',
        state: { name: 'net.ipv4.conf.flannel0.accept_local', value: '1' },
      },
    ],
    address: [
      { key: 'address:flannel0 4.0.100.0/32', state: { link: 'flannel0', address: '4.0.100.0', length: 32 } },
    ],
    forwarder: [
      {
        key: 'forwarder:flannel0',
        state: {
          tun: 'flannel0',
          workers: 1,
          mtu: 1472,
          tunAddress: '4.0.100.0',
          subnet: '4.0.100.0/24',
          publicIp: '10.8.65.66',
          bind: { address: '10.8.65.66', port: 8285 },
          sourceCheck: 'strict',
          offload: true,
          fastPath: 'auto',
        },
      },
    ],
    peer: [{ key: 'peer:4.0.32.0/24', state: { subnet: '4.0.32.0/24', publicIp: '10.8.65.53', port: 8285 } }],
    command: [],
    fdb: [],
    neighbour: [],
    route: [
      {
        key: 'route:4.0.0.0/16',
        state: {
          destination: '4.0.0.0/16',
          table: 254,
          tos: 0,
          metric: 0,
          link: 'flannel0',
          onlink: false,
          type: 'unicast',
          scope: 'global',
        },
      },
    ],
    file: [
      {
        key: 'file:/run/flannel/subnet.env',
        state: {
          path: '/run/flannel/subnet.env',
          content:
            'FLANNEL_NETWORK=4.0.0.0/16\nFLANNEL_SUBNET=4.0.100.1/24\nFLANNEL_MTU=1472\nFLANNEL_IPMASQ=false\n',
          mode: 0o644,
        },
      },
      {
        key: 'file:/run/flannel/docker',
        state: {
          path: '/run/flannel/docker',
          content:
            'DOCKER_OPT_BIP="--bip=4.0.100.1/24"\nDOCKER_OPT_IPMASQ="--ip-masq=true"\nDOCKER_OPT_MTU="--mtu=1472"\n' +
            'DOCKER_NETWORK_OPTIONS=" --bip=4.0.100.1/24 --ip-masq=true --mtu=1472"\n',
          mode: 0o644,
        },
      },
    ],
  });
});

test('nothing is put on the host before the lease, and no lease is taken before the network', () => {
  const { objects } = decided();
  assert.deepEqual(objects.lease[0]?.requires, ['network-config:config']);
  const all = KINDS.flatMap(
    (kind): readonly { key: string; requires?: readonly string[] }[] => objects[kind],
  );
  const requires = new Map(all.map(({ key, requires: needs = [] }) => [key, needs]));
  const leadsToLease = (key: string): boolean =>
    key === 'lease:4.0.100.0-24' || (requires.get(key) ?? []).some(leadsToLease);
  for (const key of requires.keys()) if (key !== 'network-config:config') assert.ok(leadsToLease(key), key);
});

test('a process without a packet loop wants none', () => {
  const { objects } = decided({ forwards: false });
  assert.deepEqual([objects.forwarder, objects.peer], [[], []]);
});

test('this host masquerades when told to, and Docker is told not to', () => {
  const { objects } = decided({ config: config(ARTICLE.replace('network:', 'network:\n  ipMasq: true')) });
  assert.deepEqual(
    objects.masquerade.map(({ key }) => key),
    ['nft-table:ip flannelette-flannel0'],
  );
  assert.match(objects.file[0]?.state.content ?? '', /FLANNEL_IPMASQ=true/);
  assert.match(objects.file[1]?.state.content ?? '', /--ip-masq=false/);
});

test('more than one worker makes the device multi-queue', () => {
  const { objects } = decided({ config: config(`${ARTICLE}dataplane: { workers: 2 }\n`) });
  assert.equal(objects.link[0]?.state.multiQueue, true);
  assert.equal(objects.forwarder[0]?.state.workers, 2);
});

test('leases of another backend are no peers, and are named', () => {
  const { objects, ignoredLeases } = decided({
    store: view([OWN, lease('4.0.7.0/24', '10.8.65.7', 'vxlan')]),
  });
  assert.deepEqual(objects.peer, []);
  assert.deepEqual(ignoredLeases, [{ subnet: '4.0.7.0/24', reason: 'backend vxlan, ours is udp' }]);
});

test('the network of the store rules where the file has none', () => {
  const inStore = config(ARTICLE).network.declared;
  assert.ok(inStore);
  const { objects, networks } = decided({
    config: config('store: { etcd: { endpoints: ["http://10.8.64.10:2379"] } }\n'),
    store: view([OWN], { network: { config: inStore } }),
  });
  assert.deepEqual(networks, ['4.0.0.0/16']);
  assert.deepEqual(objects['network-config'], []);
  assert.deepEqual(objects.lease[0]?.requires, []);
});

test('a host without a lease gets the one that is planned for it', () => {
  const state = decided({ store: view([OTHER]) });
  assert.equal(state.subnetReason, 'allocated');
  assert.deepEqual(
    decided({ store: view([OTHER]) }).subnets,
    state.subnets,
    'the same each time it is asked',
  );
  assert.equal(state.objects.lease.length, 1);
});

test('the subnet of an earlier subnet.env is taken again', () => {
  const host = { ...HOST, previousSubnets: { ipv4: parsePrefix('4.0.9.0/24') } };
  const state = decided({ store: view([OTHER]), host });
  assert.deepEqual(state.subnets, { ipv4: '4.0.9.0/24' });
  assert.equal(state.subnetReason, 'previous subnet');
});

const UNDECIDED: readonly { name: string; input: Partial<DesiredInput>; waitsFor: string; reason: RegExp }[] =
  [
    {
      name: 'the store was not read',
      input: { store: undefined },
      waitsFor: 'store',
      reason: /not been read/,
    },
    {
      name: 'no network is declared anywhere',
      input: { config: config('store: { etcd: { endpoints: ["http://10.8.64.10:2379"] } }\n') },
      waitsFor: 'network',
      reason: /neither in the file nor in the store under \/coreos\.com\/network\/config/,
    },
    {
      name: "the store's network is none",
      input: {
        config: config('store: { etcd: { endpoints: ["http://10.8.64.10:2379"] } }\n'),
        store: view([], { network: { error: 'Network is missing' } }),
      },
      waitsFor: 'network',
      reason: /cannot be used: Network is missing/,
    },
    {
      name: 'the host was not looked at',
      input: { host: undefined },
      waitsFor: 'host',
      reason: /not been read/,
    },
    {
      name: 'there is no interface',
      input: { host: new Error('no default route') },
      waitsFor: 'interface',
      reason: /^no default route$/,
    },
    {
      name: 'the interface has no IPv4 address',
      input: { host: { ...HOST, external: { name: 'eth0', mtu: 1500, chosenBy: '' } } },
      waitsFor: 'backend',
      reason: /interface eth0 has no IPv4 address/,
    },
  ];

for (const { name, input, waitsFor, reason } of UNDECIDED) {
  test(`nothing is wanted while ${name}`, () => {
    const state = desiredState({
      config: config(ARTICLE),
      store: view([OWN]),
      host: HOST,
      forwards: true,
      ...input,
    });
    assert.ok(!isDecided(state));
    assert.equal(state.waitsFor, waitsFor);
    assert.match(state.reason, reason);
  });
}

const PREVIOUS = { ...HOST, previousSubnets: { ipv4: parsePrefix('4.0.100.0/24') } };
const THIEF = lease('4.0.100.0/24', '10.8.65.53');

test('a subnet that another host has taken is not fought for: another one takes its place, and it is said', () => {
  const { subnets, renumbering } = decided({ store: view([THIEF]), host: PREVIOUS });
  assert.notEqual(subnets.ipv4, '4.0.100.0/24');
  assert.equal(
    renumbering?.reason,
    '4.0.100.0/24, which this host has in use, is held by 10.8.65.53 (4.0.100.0/24); ' +
      `${subnets.ipv4} takes its place: containers keep addresses of 4.0.100.0/24, and are cut off, until Docker is restarted`,
  );
});

const [IPV4_SUBNET, IPV6_SUBNET] = [parsePrefix('4.0.100.0/24'), parsePrefix('fd00:10:0:7::/64')];
for (const [what, families, kept] of [
  ['of IPv6 alone', 'ipv6: { cidr: "fd00:10::/56" }', {}],
  ['of both families', 'cidr: 4.0.0.0/16, ipv6: { cidr: "fd00:10::/56" }', { ipv4: IPV4_SUBNET }],
] as const) {
  test(`so is an IPv6 subnet that another host has taken, in a network ${what}`, () => {
    const file = config(`network: { ${families}, backend: { type: vxlan } }\n${STORE}`);
    const thief = { ...OTHER, subnets: { ...OTHER.subnets, ipv6: IPV6_SUBNET } };
    const store = view([thief], { taken: [parsePrefix('4.0.32.0/24'), IPV6_SUBNET] });
    const host = { ...HOST, previousSubnets: { ...kept, ipv6: IPV6_SUBNET } };
    const { subnets, renumbering, leaseConflict = '' } = decided({ config: file, store, host });
    assert.deepEqual(subnets, { ...kept, ipv6: renumbering?.to });
    const conflict =
      'fd00:10:0:7::/64, which this host has in use, is held by 10.8.65.53 (4.0.32.0/24, fd00:10:0:7::/64)';
    assert.equal(leaseConflict, conflict);
    assert.ok(renumbering?.reason.startsWith(`${conflict}; ${subnets.ipv6} takes its place`));
    assert.equal(renumbering?.from, IPV6_SUBNET);
  });
}

test('a host that must not be renumbered waits, and forwards nothing into what is not its own', () => {
  const never = config(`${ARTICLE}host: { renumber: never }\n`);
  const state = desiredState({ config: never, store: view([THIEF]), host: PREVIOUS, forwards: true });
  assert.ok(!isDecided(state));
  assert.equal(state.waitsFor, 'renumbering');
  assert.deepEqual(
    KINDS.filter((kind) => objectsOf(state, kind) !== undefined),
    ['forwarder'],
  );
  assert.deepEqual(objectsOf(state, 'forwarder'), []);
});

test('nothing is forwarded into what another host holds, also while the backend cannot be used', () => {
  const external = { name: 'eth0', mtu: 1500, chosenBy: '' };
  const state = desiredState({
    config: config(ARTICLE),
    store: view([THIEF]),
    host: { ...PREVIOUS, external },
    forwards: true,
  });
  assert.ok(!isDecided(state));
  assert.equal(state.waitsFor, 'backend');
  assert.match(state.leaseConflict ?? '', /is held by 10\.8\.65\.53/);
  assert.deepEqual(objectsOf(state, 'forwarder'), []);
});

test('a network that has no place for the subnet in use is a renumbering, and no conflict', () => {
  const never = config(`${ARTICLE.replace('4.0.0.0/16', '5.0.0.0/16')}host: { renumber: never }\n`);
  const state = desiredState({ config: never, store: view([]), host: PREVIOUS, forwards: true });
  assert.ok(!isDecided(state));
  assert.match(state.reason, /^the network has no place for 4\.0\.100\.0\/24/);
  assert.equal(objectsOf(state, 'forwarder'), undefined, 'it goes on as it is');
});

const MOVED = ARTICLE.replace('4.0.0.0/16', '5.0.0.0/16');
const PINNED = `${ARTICLE}host: { subnet: 4.0.7.0/24 }\n`;
/** The store's lease of this host; it fits neither of the two files. */
const IN_USE = lease('4.0.100.0/24', '10.8.65.66');

for (const [what, text, why] of [
  ['a network that has moved', MOVED, /^the network has no place for 4\.0\.100\.0\/24, .*--allow-renumber$/],
  [
    'a pin elsewhere',
    PINNED,
    /^the file pins 4\.0\.7\.0\/24, .* until Docker is restarted\. To have it so: /,
  ],
] as const) {
  test(`${what} waits for a yes`, () => {
    const input = { config: config(text), store: view([IN_USE]), host: PREVIOUS, forwards: true };
    const waiting = desiredState(input);
    assert.ok(!isDecided(waiting));
    assert.deepEqual([waiting.waitsFor, waiting.needsConsent], ['renumbering', true]);
    assert.match(waiting.reason, why);
    // A preview shows it; a yes does it, be it said now or in the file.
    assert.equal(planned({ ...input, forwards: false }), true);
    assert.equal(planned({ ...input, allowsRenumbering: true }), true);
    const allowing = text.includes('host:')
      ? text.replace('host: {', 'host: { renumber: allow,')
      : `${text}host: { renumber: allow }\n`;
    assert.equal(planned({ ...input, config: config(allowing) }), false);
  });
}

/** The network of a file that says no more than `network`. */
function networkOf(network: string): NetworkConfig {
  const { declared } = config(
    `network: ${network}\nstore: { etcd: { endpoints: ["http://10.8.64.10:2379"] } }\n`,
  ).network;
  assert.ok(declared);
  return declared;
}

const ARTICLE_NETWORK = '{ cidr: 4.0.0.0/16, subnetLength: 24, backend: { type: udp, port: 8285 } }';
const VXLAN = '{ cidr: 4.0.0.0/16, backend: { type: vxlan } }';
const OWN_VXLAN = {
  ...OWN,
  attributes: {
    ...OWN.attributes,
    backendType: 'vxlan',
    backendData: { VNI: 1, VtepMAC: '4a:bf:cc:19:5a:57' },
  },
};

for (const [what, own, inFile, inStore, inUse] of [
  ['the file has another backend', OWN_VXLAN, ARTICLE_NETWORK, VXLAN, VXLAN],
  [
    'the file has another VNI',
    OWN_VXLAN,
    '{ cidr: 4.0.0.0/16, backend: { type: vxlan, vni: 7 } }',
    VXLAN,
    VXLAN,
  ],
  [
    'the file has another port',
    OWN,
    '{ cidr: 4.0.0.0/16, backend: { type: udp, port: 99 } }',
    ARTICLE_NETWORK,
    ARTICLE_NETWORK,
  ],
  ['the file has another place', OWN_VXLAN, '{ cidr: 4.9.0.0/16, backend: { type: vxlan } }', VXLAN, VXLAN],
  ['the store has another backend', OWN, ARTICLE_NETWORK, VXLAN, ARTICLE_NETWORK],
  ['the store has another place', OWN, ARTICLE_NETWORK, '{ cidr: 4.9.0.0/16 }', ARTICLE_NETWORK],
] as const) {
  test(`a host that is up goes on in its network while ${what}`, () => {
    const store = view([own, OTHER], { network: { config: networkOf(inStore) } });
    const file = config(`network: ${inFile}\nstore: { etcd: { endpoints: ["http://10.8.64.10:2379"] } }\n`);
    const { network, subnets, objects } = decided({ config: file, store, host: PREVIOUS });
    assert.deepEqual([network, subnets], [networkOf(inUse), OWN.subnets]);
    // What is published stays the file's: that is the conflict.
    assert.deepEqual(objects['network-config'][0]?.state, { config: networkOf(inFile) });
  });
}

test('what a lease cannot tell is known by who was up before', () => {
  const store = view([OWN], {
    network: { config: networkOf('{ cidr: 4.0.0.0/16, backend: { type: udp, port: 99 } }') },
  });
  const networkInUse = networkOf(ARTICLE_NETWORK);
  assert.deepEqual(decided({ store, networkInUse }).network, networkInUse);
});

test("whoever deletes or spoils the store's network takes none away from a host that is up", () => {
  const file = config('store: { etcd: { endpoints: ["http://10.8.64.10:2379"] } }\n');
  const networkInUse = networkOf(ARTICLE_NETWORK);
  for (const more of [{}, { network: { error: 'Network is missing' } }]) {
    const { network, objects } = decided({ config: file, store: view([OWN], more), networkInUse });
    assert.deepEqual(network, networkInUse);
    assert.deepEqual(objects['network-config'], [], 'and nobody writes it for him');
  }
});

/** Whether the renumbering that is planned needs a yes. */
function planned(input: Parameters<typeof desiredState>[0]): boolean | undefined {
  const state = desiredState(input);
  assert.ok(isDecided(state));
  return state.renumbering?.needsConsent;
}

test("neither a first subnet nor one that is this host's already is a renumbering", () => {
  assert.equal(decided({ store: view([]) }).renumbering, undefined);
  assert.equal(decided({ store: view([]), host: PREVIOUS }).renumbering, undefined);
  const elsewhere = view([lease('4.0.7.0/24', '10.8.65.66')]);
  assert.equal(decided({ store: elsewhere, host: PREVIOUS }).renumbering, undefined);
});

test('the few that are held do not make a list of many anew', () => {
  const leases = TrackedList.empty<Lease>().edited([
    ['own', OWN],
    ['other', OTHER],
  ]).list;
  const memory = new DesiredMemory();
  const peersWith = (held: readonly Lease[]) => {
    const state = decided({ store: { ...view([]), leases, held } }, memory);
    return TrackedList.of<unknown>(state.objects.peer);
  };
  const [before, after] = [peersWith([]), peersWith([lease('4.0.48.0/24', '10.8.65.9')])];
  assert.ok(before && after);
  assert.equal([...after.differences(before)].length, 1);
});

test('leases that vanished with most others stay peers, and their subnets stay theirs', () => {
  const { objects, subnets } = decided({ store: view([], { held: [OWN, OTHER] }) });
  assert.deepEqual(
    objects.peer.map(({ state: { subnet, publicIp } }) => [subnet, publicIp]),
    [['4.0.32.0/24', '10.8.65.53']],
  );
  assert.notEqual(subnets.ipv4, '4.0.32.0/24');
});
