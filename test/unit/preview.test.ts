/** What diff, apply and destroy owe to the operator on one host each; test/worlds says it of all hosts. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { CONFIG_PATH, FakeHost } from '../fakes/fake-host.js';
import { putOnFakes } from '../worlds/on-fakes.js';
import { EMPTY_WORLD, type World } from '../worlds/world.js';

const ARTICLE = `
network: { cidr: 4.0.0.0/16, subnetLength: 24 }
store: { etcd: { endpoints: ["http://10.8.64.10:2379"] } }
`;

async function hostWith(world: Partial<World>, config = ARTICLE): Promise<FakeHost> {
  const host = new FakeHost();
  await putOnFakes(host, { ...EMPTY_WORLD, ...world });
  host.files.edit(CONFIG_PATH, config);
  return host;
}

test('destroy removes a device that a death left half-made', async () => {
  const host = await hostWith({ kernel: ['link flannel0 tun mtu 1500 down no-carrier'] });
  const { exitCode } = await host.flannelette('destroy', '-f', CONFIG_PATH);
  assert.equal(exitCode, 0);
  const links = (await host.lines()).filter((line) => line.startsWith('link flannel0'));
  assert.deepEqual(links, []);
});

const IN_PLACE: Partial<World> = {
  kernel: [
    'link flannel0 tun mtu 1472 up no-carrier alias "flannelette flannel0"',
    'address 4.0.100.0/32 dev flannel0',
    'route 4.0.0.0/16 dev flannel0 proto 77',
  ],
  store: [{ key: 'subnets/4.0.100.0-24', value: '{"PublicIP":"10.8.65.66"}', leased: true }],
};
const PINNED_ELSEWHERE = `${ARTICLE}host: { subnet: 4.0.200.0/24 }\n`;

test('apply gives the new address before it takes the old one away', async () => {
  const host = await hostWith(IN_PLACE, PINNED_ELSEWHERE);
  await host.flannelette('apply', '-f', CONFIG_PATH);
  const ofAddresses = host.kernel.log.filter((operation) => operation.includes(' address '));
  assert.deepEqual(ofAddresses, [
    'add address 4.0.200.0/32 dev flannel0',
    'delete address 4.0.100.0/32 dev flannel0',
  ]);
});

test('apply takes back what it added when something else could not be added', async () => {
  const host = await hostWith(IN_PLACE, PINNED_ELSEWHERE);
  host.kernel.refuse = (operation) => (operation.startsWith('add address') ? 'EPERM' : undefined);
  const { exitCode, stderr } = await host.flannelette('apply', '-f', CONFIG_PATH);
  assert.equal(exitCode, 3);
  assert.match(stderr, /add address 4\.0\.200\.0\/32 dev flannel0.*EPERM/);
  assert.ok((await host.lines()).some((line) => line.startsWith('address 4.0.100.0/32 dev flannel0')));
  assert.ok((await host.lines()).some((line) => line.startsWith('store subnets/4.0.100.0-24')));
});

test('apply plans anew when another host is faster with the subnet, and says so', async () => {
  const host = await hostWith({});
  const planned =
    /\+ lease:(\S+)/.exec((await host.flannelette('diff', '-f', CONFIG_PATH)).stdout)?.[1] ?? '';
  // The first write publishes the network, the second one takes the subnet.
  host.store.beforeWrite = async () => {
    host.store.beforeWrite = () => host.store.put(`subnets/${planned}`, '{"PublicIP":"10.8.65.70"}');
  };
  const { exitCode, stdout } = await host.flannelette('apply', '-f', CONFIG_PATH);
  assert.equal(exitCode, 0);
  assert.match(stdout, new RegExp(`\\+ lease:${planned}.*somebody took it first`));
  const own = (await host.lines()).filter((line) => /^store subnets.*10\.8\.65\.66/.test(line));
  assert.equal(own.length, 1);
  assert.ok(!own[0]?.includes(planned));
});

test('destroy cleans the host while the store is away, and leaves the lease to its time', async () => {
  const host = await hostWith(IN_PLACE);
  host.store.goDown();
  const { exitCode } = await host.flannelette('destroy', '-f', CONFIG_PATH);
  assert.equal(exitCode, 0);
  host.store.comeBack();
  const left = (await host.lines()).filter((line) => /^(?!file).*( flannel0|4\.0\.)/.test(line));
  assert.deepEqual(left, ['store subnets/4.0.100.0-24 {"PublicIP":"10.8.65.66"} on a lease']);
});

test("destroy leaves flanneld's device with all that is on it", async () => {
  const kernel = [
    'link flannel0 tun mtu 1472 up',
    'address 4.0.7.0/32 dev flannel0',
    'route 4.0.0.0/16 dev flannel0',
  ];
  const chains = [{ chain: 'FLANNEL-FWD', network: '4.0.0.0/16', by: 'flanneld' }] as const;
  const host = await hostWith({ kernel, chains });
  const before = await host.lines();
  const { exitCode, stdout } = await host.flannelette('destroy', '--lease', '-f', CONFIG_PATH);
  assert.equal(exitCode, 0);
  assert.equal(
    stdout,
    '  ! iptables-chain:FLANNEL-FWD  left by flannel: apply --adopt takes it away\nDestroy: 0 done, converged\n',
  );
  assert.deepEqual(await host.lines(), before);
});
