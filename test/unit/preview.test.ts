/** What diff, apply and destroy owe to the operator on one host each; random-worlds.test.ts says it of all hosts. */
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
