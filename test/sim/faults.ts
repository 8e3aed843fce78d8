/** What can go wrong, each with the rows of the scoreboard that it is about and how it ends. */
import { type Address, parseInterfaceAddress, parsePrefix } from '../../src/model/address.js';
import { type Random, SystemError } from '../../src/ports.js';
import { Refusal } from '../fakes/fake-fib.js';
import type { Fleet } from './fleet.js';
import { freeKey, leaseOf, removeKey, write } from './operator.js';
import { CONFIG_PATH, DOCKER_OPTIONS, NETWORK, SUBNET_ENV } from './settings.js';
import type { SimHost } from './sim-host.js';

/** How to end it; absent when it is over at once. */
type End = (() => void) | undefined;

export interface Fault {
  readonly name: string;
  /** How often, compared with the others. */
  readonly weight: number;
  /** Longest time that it lasts, in milliseconds. */
  readonly mostMs: number;
  readonly inject: (fleet: Fleet, host: SimHost, random: Random) => End;
}

const SECOND = 1_000;
const MINUTE = 60_000;
const DAY = 86_400_000;
const FOREIGN_PROTOCOL = 4; // static

function fault(name: string, inject: Fault['inject'], { weight = 4, mostMs = 2 * MINUTE } = {}): Fault {
  return { name, weight, mostMs, inject };
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random.next() * from.length)] as T;
}

// ---- etcd and the way to it --------------------------------------------------------------------------------

const STORE_FAULTS: readonly Fault[] = [
  fault('etcd away', ({ hosts }) => {
    for (const { way } of hosts) way.state = 'refused';
    return () => hosts.forEach(mend);
  }),
  fault('etcd silent', ({ hosts }) => {
    for (const { way } of hosts) way.state = 'silent';
    return () => hosts.forEach(mend);
  }),
  fault('one host cut off', (_, host, random) => {
    host.way.state = pick(random, ['refused', 'silent']);
    return () => mend(host);
  }),
  fault(
    'cut off beyond its lease',
    (_, host) => {
      host.way.state = 'refused';
      return () => mend(host);
    },
    { weight: 1, mostMs: 90 * MINUTE },
  ),
  fault('etcd slow', (_, { way }) => {
    way.mostMs = 2 * SECOND;
    way.failing = 0.2;
    return () => way.mend();
  }),
  fault('answers lost', (_, { way }) => {
    way.failing = 0.5;
    return () => way.mend();
  }),
  fault('events out of order and twice', (_, { way }) => {
    way.disorder = 0.7;
    return () => way.mend();
  }),
  fault('watch cut', (_, host) => void host.cutWatches()),
  fault('etcd compacted', ({ server }) => {
    server.compact();
    server.endWatches({ why: 'ended' });
    return undefined;
  }),
  fault('etcd wiped', ({ server }) => void server.wipe(), { weight: 2 }),
  fault(
    'etcd restored from a backup',
    ({ server, backups }, _, random) => {
      const backup = pick(random, backups);
      if (backup !== undefined) server.restore(backup);
      return undefined;
    },
    { weight: 2 },
  ),
  fault('all keys deleted', (fleet) => void deleteKeys(fleet, () => true), { weight: 2 }),
  fault('own lease deleted', (fleet, host) => void deleteKeys(fleet, (value) => isOf(host, value))),
  fault('own lease revoked', ({ server }, host) => {
    for (const { value, lease } of server.snapshot().entries) if (isOf(host, value)) server.revoke(lease);
    return undefined;
  }),
  fault('own lease stolen', (fleet, host) => {
    const own = fleet.server.snapshot().entries.find(({ value }) => isOf(host, value));
    if (own !== undefined) write(fleet, own.key, leaseOf(fleet.freshAddress()));
    return () => own && removeKey(fleet, own.key);
  }),
  fault('own lease rewritten', ({ server, tell }, host) => {
    const own = server.snapshot().entries.find(({ value }) => isOf(host, value));
    if (own === undefined) return undefined;
    const value = leaseOf(host.addresses.at(-1) as Address).replace('}', ',"BackendType":"vxlan"}');
    tell(`somebody puts ${own.key} ${value}`);
    server.put({ ...own, value, expected: own.modRevision });
    return undefined;
  }),
  fault('another host joins', (fleet, _, random) => {
    const key = freeKey(fleet, random);
    write(fleet, key, leaseOf(fleet.freshAddress()));
    return () => removeKey(fleet, key);
  }),
  fault('a lease changes its owner often', (fleet, _, random) => {
    const key = freeKey(fleet, random);
    for (let count = 0; count < 12; count++) write(fleet, key, leaseOf(fleet.freshAddress()));
    return () => removeKey(fleet, key);
  }),
  fault('garbage in a lease', (fleet, host, random) => {
    const key = freeKey(fleet, random);
    write(fleet, key, pick(random, GARBAGE)(host));
    return () => removeKey(fleet, key);
  }),
  fault('garbage for a key', (fleet, _, random) => {
    const key = `subnets/${pick(random, GARBAGE_KEYS)}`;
    write(fleet, key, leaseOf(fleet.freshAddress()));
    return () => removeKey(fleet, key);
  }),
  fault('network in the store spoilt', (fleet, _, random) => {
    const other = pick(random, ['', '{', '{"Network":"10.9.0.0/16"}', undefined]);
    if (other === undefined) removeKey(fleet, 'config');
    else write(fleet, 'config', other);
    return () => write(fleet, 'config', NETWORK_JSON);
  }),
];

const NETWORK_JSON = `{"Network":"${NETWORK}","SubnetLen":24,"Backend":{"Type":"udp","Port":8285}}`;

const GARBAGE: readonly ((host: SimHost) => string)[] = [
  () => '',
  () => '{',
  () => 'null',
  () => '{"PublicIP":5}',
  () => '{"PublicIP":"127.0.0.1"}',
  () => '{"PublicIP":"10.5.3.4"}',
  () => '{"__proto__":{"PublicIP":"10.8.3.3"},"PublicIP":"224.0.0.1"}',
  () => '{"PublicIP":"10.8.200.1","BackendType":"vxlan","BackendData":{"VtepMAC":"aa:bb:cc:dd:ee:ff"}}',
  () => `{"PublicIP":"${'9'.repeat(5_000)}"}`,
  () => `${'['.repeat(2_000)}${']'.repeat(2_000)}`,
];

const GARBAGE_KEYS = ['10.5.3.7-24', '10.5.0.0-0', '10.5.4.0-33', 'x', '..', '10.6.0.0-24', '999.1.1.1-24'];

function isOf(host: SimHost, value: string): boolean {
  return value.includes(`"${host.addresses.at(-1)}"`);
}

function deleteKeys(fleet: Fleet, matches: (value: string) => boolean): void {
  for (const { key, value } of fleet.server.snapshot().entries) {
    if (key.startsWith('subnets/') && matches(value)) removeKey(fleet, key);
  }
}

function mend({ way }: SimHost): void {
  way.mend();
}

// ---- the kernel and the firewall ---------------------------------------------------------------------------

const OUR_ROUTE = { table: 254, tos: 0, metric: 0, scope: 'global', onlink: false } as const;
const PLACE = { ...OUR_ROUTE, destination: parsePrefix(NETWORK) };
const OTHER_ADDRESS = {
  op: 'add-address',
  link: 'flannel0',
  ...parseInterfaceAddress('192.0.2.7/24'),
} as const;

const KERNEL_FAULTS: readonly Fault[] = [
  fault('link deleted', (_, { kernel }) => void kernel.foreign({ op: 'delete-link', name: 'flannel0' })),
  fault('link down', (_, { kernel }) => void kernel.foreign({ op: 'set-link', name: 'flannel0', up: false })),
  fault(
    'MTU changed',
    (_, { kernel }) => void kernel.foreign({ op: 'set-link', name: 'flannel0', mtu: 1300 }),
  ),
  fault('mark taken off the link', (_, { kernel }) => {
    kernel.foreign({ op: 'set-link', name: 'flannel0', alias: "somebody's" });
    return () => kernel.foreign({ op: 'delete-link', name: 'flannel0' });
  }),
  fault('address removed', (_, { kernel, dataPlane }) => {
    const address = dataPlane?.forwarder()?.tunAddress;
    if (address !== undefined)
      kernel.foreign({ op: 'delete-address', link: 'flannel0', address, length: 32 });
    return undefined;
  }),
  fault('foreign address added', (_, { kernel }) => {
    kernel.foreign(OTHER_ADDRESS);
    return () => kernel.foreign({ ...OTHER_ADDRESS, op: 'delete-address' });
  }),
  fault('route deleted', (_, { kernel }) => {
    kernel.foreign({ op: 'delete-route', route: { ...PLACE, protocol: 77 } });
    return undefined;
  }),
  fault('route replaced by a foreign one', (_, { kernel }) => {
    const route = { ...PLACE, protocol: FOREIGN_PROTOCOL, link: 'eth1' };
    kernel.foreign({ op: 'replace-route', route });
    return () => kernel.foreign({ op: 'delete-route', route });
  }),
  fault('foreign route inside the network', (_, { kernel }) => {
    const destination = parsePrefix('10.5.77.0/24');
    const route = { ...OUR_ROUTE, destination, protocol: FOREIGN_PROTOCOL, link: 'eth1' };
    kernel.foreign({ op: 'add-route', route });
    return () => kernel.foreign({ op: 'delete-route', route });
  }),
  fault('forwarding turned off', (_, { kernel }) => {
    kernel.setSysctl({ name: 'net.ipv4.ip_forward', value: '0' });
    return undefined;
  }),
  fault('ruleset flushed', (_, { firewall }) => void firewall.flushRuleset()),
  fault('FORWARD flushed', (_, { firewall }) => void firewall.flushForward('ipv4')),
  fault('foreign rule in our chain', (_, { firewall }) => {
    if (firewall.lines().some((line) => line.startsWith('chain ipv4 FLANNEL-FWD by flannelette')))
      firewall.addForwardRule('ipv4', 'FLANNEL-FWD');
    return undefined;
  }),
  fault(
    'writes refused',
    (_, { kernel }, random) => {
      kernel.refuse = () => (random.next() < 0.5 ? pick(random, ['EBUSY', 'ENOBUFS', 'EINTR']) : undefined);
      return () => {
        kernel.refuse = () => undefined;
      };
    },
    { mostMs: 20 * SECOND },
  ),
];

// ---- the external interface --------------------------------------------------------------------------------

const INTERFACE_FAULTS: readonly Fault[] = [
  fault(
    'interface flaps',
    (_, host) => {
      host.kernel.foreign({ op: 'set-link', name: 'eth0', up: false });
      return () => {
        host.kernel.foreign({ op: 'set-link', name: 'eth0', up: true });
        host.addDefaultRoute();
      };
    },
    { mostMs: 40 * SECOND },
  ),
  fault(
    'address changes',
    (fleet, host) => {
      const address = host.addresses.at(-1) as Address;
      host.kernel.foreign({ op: 'delete-address', link: 'eth0', address, length: 16 });
      const next = fleet.freshAddress();
      return () => host.takeAddress(next);
    },
    { mostMs: 20 * SECOND },
  ),
];

// ---- the process and its clock -----------------------------------------------------------------------------

const PROCESS_FAULTS: readonly Fault[] = [
  fault('killed', (_, host) => void host.process?.die()),
  fault(
    'killed at a call',
    (_, { process }, random) => {
      const fate = pick(random, ['died before', 'died after'] as const);
      process?.decide(1 + Math.floor(random.next() * 40), fate);
      return undefined;
    },
    { weight: 10 },
  ),
  fault(
    'a call fails once',
    (_, { process }, random) => {
      process?.decide(1 + Math.floor(random.next() * 40), 'refused');
      return undefined;
    },
    { weight: 10 },
  ),
  fault(
    'calls fail',
    (_, { process }) => {
      if (process === undefined) return undefined;
      process.refusals = 0.3;
      return () => {
        process.refusals = 0;
      };
    },
    { mostMs: 20 * SECOND },
  ),
  fault('terminated', (_, host) => void host.terminate()),
  fault('stopped', ({ time }, { process }) => {
    if (process === undefined) return undefined;
    process.isStopped = true;
    return () => {
      process.isStopped = false;
      time.goOn(process);
    };
  }),
  fault(
    'suspended',
    ({ time }, { process }) => {
      if (process === undefined) return undefined;
      process.isStopped = true;
      return () => {
        process.isStopped = false;
        time.goOn(process);
      };
    },
    { weight: 1, mostMs: 100 * MINUTE },
  ),
  fault('packet loop dies', (_, { dataPlane }) => void dataPlane?.die()),
  fault('wall clock jumps', (_, host, random) => {
    host.wallOffsetMs += pick(random, [-DAY, DAY]);
    return undefined;
  }),
  fault('calls slow', (_, host) => {
    const { process } = host;
    if (process === undefined) return undefined;
    process.slownessMs = 50;
    return () => {
      process.slownessMs = 0;
    };
  }),
];

// ---- files -------------------------------------------------------------------------------------------------

const HALF_FILES = ['', 'FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUB', '\0\0', 'FLANNEL_SUBNET=10.5.9.1/24\n'];

const FILE_FAULTS: readonly Fault[] = [
  fault(
    'file deleted',
    (_, { files }, random) => void files.delete(pick(random, [SUBNET_ENV, DOCKER_OPTIONS, '/run/flannel'])),
  ),
  fault('file changed by hand', (_, host, random) => {
    const path = pick(random, [SUBNET_ENV, DOCKER_OPTIONS]);
    host.changeByHand(path, pick(random, HALF_FILES));
    return undefined;
  }),
  fault('memory spoilt', (_, { files }, random) => {
    const path = pick(random, [
      '/run/flannelette/flannel0.forwarding.json',
      '/run/flannelette/flannel0.confirmed',
      '/var/lib/flannelette/flannel0/store.json',
    ]);
    files.edit(
      path,
      pick(random, ['', '{', '{"format":2}', '{"format":1,"config":{}}', '{"format":1,"origin":{}}']),
    );
    return undefined;
  }),
  fault('disk full', (_, { files }) => {
    files.failure = { writes: new SystemError('Cannot write: ENOSPC', 'ENOSPC') };
    return () => {
      files.failure = {};
    };
  }),
  fault('configuration changed', (_, host, random) => {
    const { settings } = host;
    host.writeConfig({ ...settings, ipMasq: random.next() < 0.5, mtu: pick(random, ['auto', 1400, 1300]) });
    return undefined;
  }),
  fault('configuration spoilt', (_, host, random) => {
    host.files.edit(CONFIG_PATH, pick(random, ['', 'network: [', 'network: { cidr: 10.5.0.0/33 }', '\t']));
    return () => host.writeConfig(host.settings);
  }),
];

export const FAULTS: readonly Fault[] = [
  ...STORE_FAULTS,
  ...KERNEL_FAULTS,
  ...INTERFACE_FAULTS,
  ...PROCESS_FAULTS,
  ...FILE_FAULTS,
];

/** Those whose effect is over in a moment, also when nothing but a watch tells of them. */
export const FOLLOWED_AT_ONCE: readonly Fault[] = [
  'own lease rewritten',
  'another host joins',
  'a lease changes its owner often',
  'link down',
  'MTU changed',
  'address removed',
  'route deleted',
  'forwarding turned off',
  'ruleset flushed',
  'FORWARD flushed',
  'foreign rule in our chain',
  'file deleted',
].map((name) => FAULTS.find((one) => one.name === name) as Fault);

/** What is not there cannot be broken. */
export function isNothingToBreak(error: unknown): boolean {
  return error instanceof Refusal || (error instanceof SystemError && error.code === 'ENOENT');
}
