/** Kernel settings, and how they come and go with devices. */
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { given, type WithKernel, worldTest } from './kernel-world.js';

export function sysctlContract(implementation: string, withKernel: WithKernel): void {
  const test = worldTest(withKernel);

  describe(`${implementation}: sysctls`, () => {
    const acceptLocal = 'net.ipv4.conf.flannel0.accept_local';

    test('come and go with their device', async (world) => {
      assert.equal(await world.sysctls.read(acceptLocal), undefined);
      await assert.rejects(world.sysctls.write({ name: acceptLocal, value: '1' }), { code: 'ENOENT' });
      world.tuns.create('flannel0', { multiQueue: false });
      assert.equal(await world.sysctls.read(acceptLocal), '0');
      await world.sysctls.write({ name: acceptLocal, value: '1' });
      assert.equal(await world.sysctls.read(acceptLocal), '1');
      await given(world, { op: 'delete-link', name: 'flannel0' });
      assert.equal(await world.sysctls.read(acceptLocal), undefined);
    });

    test('are found for a device with a dot in its name', async (world) => {
      world.tuns.create('flannel.1', { multiQueue: false });
      const name = 'net.ipv4.conf.flannel/1.rp_filter';
      await world.sysctls.write({ name, value: '2' });
      assert.equal(await world.sysctls.read(name), '2');
    });

    test('turn forwarding on for all devices at once, under both names', async (world) => {
      world.tuns.create('flannel0', { multiQueue: false });
      await world.sysctls.write({ name: 'net.ipv4.ip_forward', value: '1' });
      assert.equal(await world.sysctls.read('net.ipv4.conf.all.forwarding'), '1');
      assert.equal(await world.sysctls.read('net.ipv4.conf.flannel0.forwarding'), '1');
    });

    test('refuse a value that is no number', async (world) => {
      const write = world.sysctls.write({ name: 'net.ipv4.ip_forward', value: 'yes' });
      await assert.rejects(write, { name: 'SystemError', code: 'EINVAL' });
    });
  });
}
