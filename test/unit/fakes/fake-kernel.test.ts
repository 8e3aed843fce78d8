/** The fake kernel passes the suite that the real one passes, and tells a test what was done to it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress, parsePrefix } from '../../../src/model/address.js';
import { ObserveError } from '../../../src/ports.js';
import { netlinkContract } from '../../contract/netlink-contract.js';
import { FakeKernel, fakeHost } from '../../fakes/fake-kernel.js';

netlinkContract('FakeKernel', async (body) => {
  const kernel = new FakeKernel();
  await body({
    netlink: kernel.netlink,
    tuns: kernel.tuns,
    sysctls: kernel.sysctls,
    addVeth: (name, peer) => kernel.addVeth(name, peer),
    holdTun: (name) => kernel.holdTun(name),
  });
});

describe('FakeKernel', () => {
  it('prints its world as sorted lines', async () => {
    const kernel = fakeHost();
    kernel.tuns.create('flannel0', { multiQueue: true });
    await kernel.sysctls.write({ name: 'net.ipv4.ip_forward', value: '1' });
    kernel.addRoute({ destination: parsePrefix('10.9.0.0/16'), type: 'blackhole', metric: 5 });
    assert.deepEqual(kernel.lines(), [
      'address 10.8.64.11/24 dev eth0 scope global',
      'address 127.0.0.1/8 dev lo scope host',
      'address ::1/128 dev lo scope host',
      'link eth0 mtu 1500 up',
      'link flannel0 tun multi_queue mtu 1500 down no-carrier',
      'link lo mtu 65536 up',
      'route 0.0.0.0/0 via 10.8.64.1 dev eth0 proto boot',
      'route 10.8.64.0/24 dev eth0 proto kernel scope link src 10.8.64.11',
      'route blackhole 10.9.0.0/16 metric 5 proto boot',
      'sysctl net.ipv4.conf.all.forwarding = 1',
    ]);
  });

  it('logs what was asked of its ports, and with it what was refused', async () => {
    const kernel = fakeHost();
    kernel.refuse = (operation) => (operation.startsWith('set link flannel0') ? 'EPERM' : undefined);
    kernel.tuns.create('flannel0', { multiQueue: false });
    const [error] = await kernel.netlink.request([
      { op: 'set-link', name: 'flannel0', mtu: 1472, up: true },
      { op: 'add-address', link: 'flannel0', address: parseAddress('10.1.40.0'), length: 32 },
    ]);
    await kernel.sysctls.write({ name: 'net.ipv4.conf.flannel0.accept_local', value: '1' });
    assert.equal(error?.code, 'EPERM');
    assert.deepEqual(kernel.log, [
      'create TUN device flannel0',
      'set link flannel0 mtu 1472 up -> EPERM',
      'add address 10.1.40.0/32 dev flannel0',
      'set sysctl net.ipv4.conf.flannel0.accept_local to "1"',
    ]);
  });

  it('fails reads on demand', async () => {
    const kernel = fakeHost();
    kernel.readFailure = new ObserveError('Cannot list links: interrupted');
    await assert.rejects(kernel.netlink.links(), ObserveError);
    await assert.rejects(kernel.sysctls.read('net.ipv4.ip_forward'), ObserveError);
    kernel.readFailure = undefined;
    assert.equal((await kernel.netlink.links()).length, 2);
  });

  it('keeps answers apart from itself', async () => {
    const kernel = fakeHost();
    const before = await kernel.netlink.links();
    (before as unknown[]).pop();
    assert.equal((await kernel.netlink.links()).length, 2);
  });
});
