import assert from 'node:assert/strict';
import test from 'node:test';
import { readConfig } from '../../../../src/config/read-config.js';
import { parseAddress, parsePrefix } from '../../../../src/model/address.js';
import type { Config } from '../../../../src/model/config.js';
import { isOnLink } from '../../../../src/model/host.js';
import { ObserveError, SystemError } from '../../../../src/ports.js';
import { hostFacts } from '../../../../src/runtime/inputs/host-facts.js';
import { FakeFiles } from '../../../fakes/fake-files.js';
import { type FakeKernel, fakeHost } from '../../../fakes/fake-kernel.js';

function config(host: string, endpoint: string, network: string): Config {
  const text = `
network: ${network}
host: ${host}
store: { etcd: { endpoints: ["${endpoint}"] } }
`;
  const reading = readConfig(text, 'flannelette.yaml');
  if ('errors' in reading) throw new Error(JSON.stringify(reading.errors));
  return reading.config;
}

/** `eth0` with the default route, and `eth1` with a network of its own. */
function twoInterfaces(): FakeKernel {
  const kernel = fakeHost({ address: '10.8.65.66/16', gateway: '10.8.0.1' });
  kernel.addLink({ name: 'eth1', mtu: 9000 });
  kernel.foreign(
    { op: 'set-link', name: 'eth1', up: true },
    { op: 'add-address', link: 'eth1', address: parseAddress('192.168.7.2'), length: 24 },
  );
  return kernel;
}

/** What is found on `kernel`, by default with `auto` and no earlier subnet.env. */
function facts({
  host = '{}',
  kernel = twoInterfaces(),
  files = new FakeFiles(),
  store = 'http://198.51.100.1:2379',
  network = '{ cidr: 4.0.0.0/16, subnetLength: 24 }',
} = {}) {
  return hostFacts(config(host, store, network), { ...kernel, files });
}

test('the interface of the default route is chosen, with its address and MTU', async () => {
  assert.deepEqual(await facts(), {
    external: { name: 'eth0', mtu: 1500, ipv4: '10.8.65.66', chosenBy: 'default route' },
    publicIps: { ipv4: '10.8.65.66' },
    reach: [{ prefix: '10.8.0.0/16', direct: true }],
  });
});

for (const { name, host, want } of [
  { name: 'by its name', host: '{ interface: eth1 }', want: 'eth1' },
  { name: 'by its address', host: '{ interface: 192.168.7.2 }', want: 'eth1' },
  { name: 'by a regular expression', host: '{ interface: { regex: "^eth[1-9]$" } }', want: 'eth1' },
  { name: 'by what it reaches', host: '{ interface: { canReach: 192.168.7.9 } }', want: 'eth1' },
]) {
  test(`another one is chosen ${name}`, async () => {
    const { external, publicIps } = await facts({ host });
    assert.equal(external.name, want);
    assert.deepEqual(publicIps, { ipv4: '192.168.7.2' });
  });
}

test('a pinned public address stands for that of the interface', async () => {
  const { external, publicIps } = await facts({ host: '{ publicIP: 203.0.113.9 }' });
  assert.equal(external.ipv4, '10.8.65.66');
  assert.deepEqual(publicIps, { ipv4: '203.0.113.9' });
});

for (const store of ['http://192.168.7.9:2379', 'https://192.168.7.9:2379']) {
  test(`without a default route the interface towards the store is taken: ${store}`, async () => {
    const kernel = twoInterfaces();
    kernel.foreign({ op: 'set-link', name: 'eth0', up: false });
    const { external } = await facts({ kernel, store });
    assert.equal(external.name, 'eth1');
  });
}

for (const store of ['http://198.51.100.1:2379', 'http://[2001:db8::1]:2379', 'http://etcd.example:2379']) {
  test(`neither a default route nor a way to the store: no interface, and why: ${store}`, async () => {
    const kernel = twoInterfaces();
    kernel.foreign({ op: 'set-link', name: 'eth0', up: false });
    await assert.rejects(facts({ kernel, store }), { name: 'InterfaceError' });
  });
}

test('a default route of another table or type does not count', async () => {
  const kernel = twoInterfaces();
  kernel.foreign({ op: 'set-link', name: 'eth0', up: false });
  const everywhere = parsePrefix('0.0.0.0/0');
  kernel.addRoute({ destination: everywhere, type: 'unreachable' });
  kernel.addRoute({ destination: everywhere, table: 100, via: parseAddress('192.168.7.1'), link: 'eth1' });
  await assert.rejects(facts({ kernel }), { name: 'InterfaceError' });
});

test("the subnet before is read from an earlier subnet.env, ours or flannel's", async () => {
  const files = new FakeFiles({
    '/run/flannel/subnet.env':
      'FLANNEL_NETWORK=4.0.0.0/16\nFLANNEL_SUBNET=4.0.100.1/24\nFLANNEL_IPV6_SUBNET=fd00:4:0:7::1/64\n',
  });
  assert.deepEqual((await facts({ files })).previousSubnets, {
    ipv4: '4.0.100.0/24',
    ipv6: 'fd00:4:0:7::/64',
  });
});

for (const [name, content] of [
  ['an empty', ''],
  ['a damaged', 'FLANNEL_SUBNET=4.0.100.1/'],
] as const) {
  test(`${name} subnet.env tells of no subnet`, async () => {
    const files = new FakeFiles({ '/run/flannel/subnet.env': content });
    assert.deepEqual((await facts({ files })).previousSubnets, {});
  });
}

test('what the kernel does not tell in full is no answer', async () => {
  const kernel = twoInterfaces();
  kernel.readFailure = new ObserveError('Cannot list links: interrupted');
  await assert.rejects(facts({ kernel }), ObserveError);
});

test('what the external interface reaches without a gateway is told, with what leads elsewhere in there', async () => {
  const kernel = twoInterfaces();
  const route = (text: string) => ({ destination: parsePrefix(text) });
  kernel.addRoute({ ...route('172.16.0.0/12'), link: 'eth0' });
  kernel.addRoute({ ...route('10.8.77.0/24'), link: 'eth1' });
  kernel.addRoute({ ...route('10.8.78.0/24'), link: 'eth0', via: parseAddress('10.8.0.9') });
  kernel.addRoute({ ...route('10.8.79.0/24'), link: 'eth0', protocol: 77 });
  kernel.addRoute({ ...route('10.9.0.0/24'), link: 'eth0', via: parseAddress('10.8.0.9') });
  const found = await facts({ kernel });
  assert.deepEqual(found.reach, [
    { prefix: '10.8.0.0/16', direct: true },
    { prefix: '10.8.77.0/24', direct: false },
    { prefix: '10.8.78.0/24', direct: false },
    { prefix: '172.16.0.0/12', direct: true },
  ]);
  for (const [address, want] of [
    ['10.8.1.1', true],
    ['10.8.77.1', false],
    ['10.8.79.1', true],
    ['172.17.0.1', true],
    ['10.9.0.1', false],
  ] as const) {
    assert.equal(isOnLink(found, parseAddress(address)), want, address);
  }
});

test('a record of commands that cannot be read keeps the host from nothing', async () => {
  const files = new FakeFiles();
  const read = files.read.bind(files);
  files.read = async (path, mostBytes) => {
    if (path.endsWith('.commands.json')) throw new SystemError(`Cannot read ${path}: EFBIG`, 'EFBIG');
    return read(path, mostBytes);
  };
  const { external, startupOutput } = await facts({ files });
  assert.deepEqual([external.name, startupOutput], ['eth0', undefined]);
});
