/** Settings under a /proc/sys that is another namespace's, read-only, or not meant by the name. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { kernelSysctls } from '../../src/sys/sysctls.js';
import { inFreshNamespace } from '../lab/namespace.js';
import { outputOf } from '../lab/process.js';

const MODULE = JSON.stringify(new URL('../../src/sys/sysctls.js', import.meta.url).href);

describe('kernelSysctls', () => {
  it('reads and writes the namespace of the calling thread', async () => {
    const name = 'net.ipv4.ip_forward';
    await inFreshNamespace(async () => {
      const outer = await kernelSysctls.read(name);
      await inFreshNamespace(async () => {
        await kernelSysctls.write({ name, value: outer === '1' ? '0' : '1' });
        assert.notEqual(await kernelSysctls.read(name), outer);
      });
      assert.equal(await kernelSysctls.read(name), outer);
    });
  });

  it('says so when /proc/sys may not be written', () =>
    inFreshNamespace(async () => {
      const program = `
        import { kernelSysctls } from ${MODULE};
        const write = kernelSysctls.write({ name: 'net.ipv4.ip_forward', value: '1' });
        const { name, code, message } = await write.catch((error) => error);
        console.log(JSON.stringify({ name, code, message }));`;
      const node = [process.execPath, '--input-type=module', '--eval', program];
      const readOnly = 'mount --bind /proc/sys /proc/sys; mount -o remount,ro,bind /proc/sys; exec "$@"';
      const output = await outputOf(['unshare', '--mount', 'sh', '-euc', readOnly, 'sh', ...node]);
      assert.deepEqual(JSON.parse(output), {
        name: 'SystemError',
        code: 'EROFS',
        message:
          'Cannot set sysctl net.ipv4.ip_forward to "1": EROFS: read-only file system, open \'/proc/sys/net/ipv4/ip_forward\'',
      });
    }));

  for (const name of ['net.//.hostname', '../hostname', 'net..ip_forward', '']) {
    it(`does not leave /proc/sys for "${name}"`, async () => {
      await assert.rejects(kernelSysctls.read(name), { name: 'SystemError', code: 'EINVAL' });
    });
  }
});
