import assert from 'node:assert/strict';
import test from 'node:test';
import { readConfig } from '../../../../src/config/read-config.js';
import { parseAddress, parsePrefix } from '../../../../src/model/address.js';
import type { Config } from '../../../../src/model/config.js';
import { isDecided } from '../../../../src/model/desired.js';
import type { Lease } from '../../../../src/model/lease.js';
import type { StoreView } from '../../../../src/model/store-view.js';
import { type Log, ObserveError } from '../../../../src/ports.js';
import { Inputs } from '../../../../src/runtime/inputs/inputs.js';
import { FakeClock, settle } from '../../../fakes/fake-clock.js';
import { FakeFiles } from '../../../fakes/fake-files.js';
import { fakeHost } from '../../../fakes/fake-kernel.js';

const NOTHING: StoreView = { leases: [], quarantined: [], taken: [] };

/** The article's network, and what `more` says of the host. */
function config(host = '{}'): Config {
  const text = `
network: { cidr: 4.0.0.0/16, subnetLength: 24 }
host: ${host}
store: { etcd: { endpoints: ["http://10.8.64.10:2379"] } }
`;
  const reading = readConfig(text, 'flannelette.yaml');
  if ('errors' in reading) throw new Error(JSON.stringify(reading.errors));
  return reading.config;
}

class InputsWorld {
  readonly clock = new FakeClock();
  readonly kernel = fakeHost({ address: '10.8.65.66/16', gateway: '10.8.0.1' });
  readonly files = new FakeFiles();
  readonly said: string[] = [];
  view: StoreView | undefined = NOTHING;
  /** How often the subscribers were told. */
  told = 0;
  readonly inputs: Inputs;

  constructor() {
    const say = (_: object, message: string) => void this.said.push(message);
    const log: Log = { debug: say, info: say, warn: say, error: say };
    const { clock, kernel, files } = this;
    this.inputs = new Inputs({
      config: config(),
      storeView: () => this.view,
      netlink: kernel.netlink,
      sysctls: kernel.sysctls,
      files,
      clock,
      random: { next: () => 0.5 },
      log,
      forwards: true,
    });
    this.inputs.subscribe(() => this.told++);
  }

  /** The public address that is planned with, or what that waits for. */
  publicIp(): string | undefined {
    const state = this.inputs.state();
    return isDecided(state) ? state.publicIps.ipv4 : state.reason;
  }

  loseDefaultRoute(): void {
    this.kernel.foreign({ op: 'set-link', name: 'eth0', up: false });
  }

  regainDefaultRoute(): void {
    this.kernel.foreign({ op: 'set-link', name: 'eth0', up: true });
    this.kernel.addRoute({
      destination: parsePrefix('0.0.0.0/0'),
      via: parseAddress('10.8.0.1'),
      link: 'eth0',
    });
  }
}

async function watching(body: (world: InputsWorld) => Promise<void>): Promise<void> {
  const world = new InputsWorld();
  const stop = new AbortController();
  const running = world.inputs.run(stop.signal);
  await world.clock.advance(1_000);
  try {
    await body(world);
  } finally {
    stop.abort();
    await running;
    assert.equal(world.clock.sleeping, 0);
  }
}

test('before the host was looked at nothing can be told', () => {
  const world = new InputsWorld();
  assert.deepEqual(world.inputs.state(), {
    waitsFor: 'host',
    reason: 'the interfaces have not been read yet',
  });
});

test('one look is enough to tell', async () => {
  const world = new InputsWorld();
  await world.inputs.observeHost();
  assert.equal(world.publicIp(), '10.8.65.66');
  assert.deepEqual([world.told, world.said], [1, ['interface chosen']]);
});

test('the same input gives the same object', async () => {
  const world = new InputsWorld();
  await world.inputs.observeHost();
  const state = world.inputs.state();
  assert.equal(world.inputs.state(), state);
  await world.inputs.observeHost();
  assert.equal(world.inputs.state(), state, 'nothing has changed on the host');
  assert.equal(world.told, 1);
  world.view = { ...NOTHING };
  assert.notEqual(world.inputs.state(), state);
});

test('a change of an interface is seen at once, and told', async () => {
  await watching(async (world) => {
    const { told } = world;
    world.kernel.foreign({ op: 'set-link', name: 'eth0', mtu: 1400 });
    await world.clock.advance(100);
    const state = world.inputs.state();
    assert.ok(isDecided(state));
    assert.equal(state.mtu, 1372);
    assert.equal(world.told, told + 1);
    assert.deepEqual(world.said, ['interface chosen', 'interface chosen']);
  });
});

test('a burst of changes costs one look each tenth of a second', async () => {
  await watching(async (world) => {
    let looks = 0;
    const { links } = world.kernel.netlink;
    world.kernel.netlink.links = () => {
      looks++;
      return links();
    };
    for (let ms = 0; ms < 1_000; ms += 10) {
      world.kernel.foreign({ op: 'set-link', name: 'lo', mtu: 60_000 + ms });
      await world.clock.advance(10);
    }
    assert.ok(looks >= 9 && looks <= 11, `${looks} looks`);
  });
});

test('where a look takes long, looking takes a tenth of the time', async () => {
  await watching(async (world) => {
    let looks = 0;
    const { links } = world.kernel.netlink;
    world.kernel.netlink.links = async () => {
      looks++;
      await world.clock.sleep(500, new AbortController().signal);
      return links();
    };
    for (let ms = 0; ms < 20_000; ms += 100) {
      world.kernel.foreign({ op: 'set-link', name: 'lo', mtu: 40_000 + ms });
      await world.clock.advance(100);
    }
    world.kernel.netlink.links = links;
    await world.clock.advance(500);
    assert.ok(looks >= 4 && looks <= 5, `${looks} looks`);
  });
});

test('a host that slept during a look looks again within a minute', async () => {
  await watching(async (world) => {
    const { links } = world.kernel.netlink;
    world.kernel.netlink.links = async () => {
      world.kernel.netlink.links = links;
      await world.clock.sleep(8 * 3_600_000, new AbortController().signal);
      return links();
    };
    world.kernel.foreign({ op: 'set-link', name: 'lo', mtu: 60_000 });
    await world.clock.advance(8 * 3_600_000);
    const { told } = world;
    world.kernel.foreign({ op: 'set-link', name: 'eth0', mtu: 1400 });
    await world.clock.advance(61_000);
    assert.equal(world.told, told + 1);
  });
});

test('without a usable interface it says why, and goes on as soon as there is one', async () => {
  await watching(async (world) => {
    world.loseDefaultRoute();
    await world.clock.advance(100);
    assert.match(world.publicIp() ?? '', /no default route/i);
    assert.equal(world.said.at(-1), 'no usable interface');
    const { length } = world.said;
    await world.clock.advance(60_000);
    assert.equal(world.said.length, length, 'it is said once');
    world.regainDefaultRoute();
    await world.clock.advance(100);
    assert.equal(world.publicIp(), '10.8.65.66');
  });
});

test('a default route that is away changes nothing: the address in use is still there', async () => {
  await watching(async (world) => {
    const route = {
      destination: parsePrefix('0.0.0.0/0'),
      via: parseAddress('10.8.0.1'),
      link: 'eth0',
      ...ANY,
    };
    world.kernel.foreign({ op: 'delete-route', route });
    await world.clock.advance(60_000);
    assert.equal(world.publicIp(), '10.8.65.66');
  });
});

const ANY = { table: 254, tos: 0, metric: 0, protocol: 3, scope: 'global', onlink: false } as const;

test('an address that went away is waited for before that of another interface is taken', async () => {
  await watching(async (world) => {
    const own = { link: 'eth0', address: parseAddress('10.8.65.66'), length: 16 };
    const route = {
      destination: parsePrefix('0.0.0.0/0'),
      via: parseAddress('192.0.2.1'),
      link: 'eth1',
      ...ANY,
    };
    world.kernel.addLink({ name: 'eth1', up: true });
    world.kernel.foreign({ op: 'add-address', link: 'eth1', address: parseAddress('192.0.2.9'), length: 24 });
    world.kernel.foreign({ op: 'add-route', route: { ...route, metric: 50 } });
    world.kernel.foreign({ op: 'delete-address', ...own });
    await world.clock.advance(5_000);
    assert.match(world.publicIp() ?? '', /its address 10\.8\.65\.66 is gone; another is taken after 10 s/);
    world.kernel.foreign({ op: 'add-address', ...own });
    await world.clock.advance(200);
    assert.equal(world.publicIp(), '10.8.65.66');
    world.kernel.foreign({ op: 'delete-address', ...own });
    await world.clock.advance(16_000);
    assert.equal(world.publicIp(), '192.0.2.9');
  });
});

test('another address on the same interface is taken within half a second, and the lease along with it', async () => {
  const lease: Lease = {
    subnets: { ipv4: parsePrefix('4.0.100.0/24') },
    attributes: { publicIps: { ipv4: parseAddress('10.8.65.66') }, backendType: '' },
    createRevision: 2n,
    modRevision: 2n,
    etcdLease: '77',
  };
  await watching(async (world) => {
    world.view = { leases: [lease], quarantined: [], taken: [parsePrefix('4.0.100.0/24')] };
    const own = { link: 'eth0', address: parseAddress('10.8.65.66'), length: 16 };
    world.kernel.foreign({ ...own, op: 'delete-address' });
    world.kernel.foreign({ ...own, op: 'add-address', address: parseAddress('10.8.65.99') });
    world.regainDefaultRoute();
    await world.clock.advance(500);
    const state = world.inputs.state();
    assert.ok(isDecided(state));
    assert.deepEqual([state.subnets.ipv4, state.publicIps.ipv4], ['4.0.100.0/24', '10.8.65.99']);
    assert.deepEqual(state.objects.peer, [], 'it is no peer of its own');
    assert.equal(world.inputs.formerPublicIps?.ipv4, '10.8.65.66');
    world.view = {
      ...world.view,
      leases: [{ ...lease, attributes: { ...lease.attributes, publicIps: state.publicIps } }],
    };
    world.inputs.state();
    assert.equal(world.inputs.formerPublicIps, undefined, 'the lease says so now');
  });
});

test('what cannot be read is tried again with a back-off', async () => {
  const world = new InputsWorld();
  world.kernel.readFailure = new ObserveError('Cannot list links: interrupted');
  const stop = new AbortController();
  const running = world.inputs.run(stop.signal);
  await settle();
  assert.equal(world.publicIp(), 'Cannot list links: interrupted');
  world.kernel.readFailure = undefined;
  await world.clock.advance(299);
  assert.notEqual(world.publicIp(), '10.8.65.66');
  await world.clock.advance(1);
  assert.equal(world.publicIp(), '10.8.65.66');
  stop.abort();
  await running;
});

test('the subnet of subnet.env is known as soon as it is written', async () => {
  await watching(async (world) => {
    world.files.edit('/run/flannel/subnet.env', 'FLANNEL_SUBNET=4.0.7.1/24\n');
    await world.clock.advance(200);
    assert.equal(subnet(world), '4.0.7.0/24');
    assert.deepEqual(world.said, ['interface chosen'], 'it is still the same');
  });
});

test('messages get lost: it looks again every minute', async () => {
  await watching(async (world) => {
    let looks = 0;
    const { links } = world.kernel.netlink;
    world.kernel.netlink.links = () => {
      looks++;
      return links();
    };
    await world.clock.advance(58_000);
    assert.equal(looks, 0);
    await world.clock.advance(3_000);
    assert.equal(looks, 1);
  });
});

function subnet({ inputs }: InputsWorld): string | undefined {
  const state = inputs.state();
  return isDecided(state) ? state.subnets.ipv4 : state.reason;
}

test('another configuration takes effect and is told, with the same interface at once', async () => {
  await watching(async (world) => {
    const { told } = world;
    const other = config();
    world.inputs.setConfig({ ...other, network: { ...other.network, mtu: 1300 } });
    const state = world.inputs.state();
    assert.ok(isDecided(state));
    assert.equal(state.mtu, 1300);
    assert.equal(world.told, told + 1);
    assert.equal(world.inputs.config.network.mtu, 1300);
  });
});

test('an interface chosen by other rules is not planned with', async () => {
  await watching(async (world) => {
    world.inputs.setConfig(config('{ publicIP: 192.0.2.1 }'));
    assert.equal(world.publicIp(), 'the interfaces have not been read yet');
    await world.clock.advance(100);
    assert.equal(world.publicIp(), '192.0.2.1');
  });
});

test('another store may be reached over another interface', async () => {
  await watching(async (world) => {
    world.loseDefaultRoute();
    await world.clock.advance(100);
    const { store, ...rest } = config();
    assert.equal(store.type, 'etcd');
    const endpoints = ['http://192.168.7.9:2379'];
    world.kernel.addLink({ name: 'eth1' });
    world.kernel.foreign(
      { op: 'set-link', name: 'eth1', up: true },
      { op: 'add-address', link: 'eth1', address: parseAddress('192.168.7.2'), length: 24 },
    );
    await world.clock.advance(20_000);
    assert.match(world.publicIp() ?? '', /no default route/i);
    world.inputs.setConfig({ ...rest, store: { ...store, endpoints } });
    await world.clock.advance(200);
    assert.equal(world.publicIp(), '192.168.7.2');
  });
});

test('nor is one that was being chosen when the rules changed', async () => {
  const world = new InputsWorld();
  const { links } = world.kernel.netlink;
  let answer = () => {};
  world.kernel.netlink.links = async () => {
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    return links();
  };
  const looking = world.inputs.observeHost();
  world.inputs.setConfig(config('{ publicIP: 192.0.2.1 }'));
  answer();
  await looking;
  assert.equal(world.publicIp(), 'the interfaces have not been read yet');
  world.kernel.netlink.links = links;
  await world.inputs.observeHost();
  assert.equal(world.publicIp(), '192.0.2.1', 'at once: no address is waited for that was never in use');
});

test('what the file of the host says is followed to another path', async () => {
  await watching(async ({ inputs, files, clock }) => {
    const before = inputs.config;
    inputs.setConfig({ ...before, files: { ...before.files, subnetEnv: '/run/green/subnet.env' } });
    await clock.advance(1_000);
    await files.write('/run/green/subnet.env', 'FLANNEL_SUBNET=4.0.77.1/24\n', 0o644);
    await clock.advance(1_000);
    const state = inputs.state();
    assert.ok(isDecided(state));
    assert.equal(state.subnets.ipv4, '4.0.77.0/24');
  });
});

test('a consent lasts until the last who gave one has withdrawn it', async () => {
  const world = new InputsWorld();
  await world.inputs.observeHost();
  const first = world.inputs.allowRenumbering();
  const second = world.inputs.allowRenumbering();
  const state = world.inputs.state();
  first();
  assert.equal(world.inputs.state(), state);
  second();
  assert.notEqual(world.inputs.state(), state);
});

test('whether the host forwards is part of what is wanted', async () => {
  const world = new InputsWorld();
  await world.inputs.observeHost();
  const state = world.inputs.state();
  assert.ok(isDecided(state));
  assert.equal(state.objects.forwarder.length, 1);
});

const OTHER_HOST = { publicIps: { ipv4: parseAddress('10.8.65.53') }, backendType: '' };
const STOLEN: StoreView = {
  leases: [
    {
      subnets: { ipv4: parsePrefix('4.0.100.0/24') },
      attributes: OTHER_HOST,
      createRevision: 2n,
      modRevision: 9n,
      etcdLease: '8',
    },
  ],
  quarantined: [],
  taken: [parsePrefix('4.0.100.0/24')],
};

test('another subnet is announced for five seconds before it is planned with', async () => {
  const world = new InputsWorld();
  world.files.edit('/run/flannel/subnet.env', 'FLANNEL_SUBNET=4.0.100.1/24\n');
  const stop = new AbortController();
  const running = world.inputs.run(stop.signal);
  await world.clock.advance(200);
  assert.equal(world.publicIp(), '10.8.65.66');

  world.view = STOLEN;
  const announced = world.inputs.state();
  assert.ok(!isDecided(announced) && announced.waitsFor === 'renumbering');
  assert.match(announced.leaseConflict ?? '', /^4\.0\.100\.0\/24, .* is held by 10\.8\.65\.53/);
  assert.equal(world.inputs.state(), announced, 'the same object');
  await world.clock.advance(4_000);
  // Put right in time, nothing came of it; and the next one is announced as long as the first.
  world.view = NOTHING;
  assert.ok(isDecided(world.inputs.state()));
  world.view = STOLEN;
  assert.ok(!isDecided(world.inputs.state()));
  await world.clock.advance(4_900);
  assert.ok(!isDecided(world.inputs.state()));
  const { told } = world;
  await world.clock.advance(200);
  assert.equal(world.told, told + 1);
  const state = world.inputs.state();
  assert.ok(isDecided(state));
  assert.notEqual(state.subnets.ipv4, '4.0.100.0/24');
  stop.abort();
  await running;
});
