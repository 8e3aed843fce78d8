/** TUN devices: what outlives whom, and what is said when there may be none. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as libc from '../../src/sys/libc.js';
import { KernelNetlink } from '../../src/sys/netlink/netlink.js';
import * as tun from '../../src/sys/tun.js';
import { inFreshNamespace } from '../lab/namespace.js';
import { outputOf } from '../lab/process.js';

const MODULE = JSON.stringify(new URL('../../src/sys/tun.js', import.meta.url).href);

/** Creates flannel0 in a process of its own and prints what went wrong. */
function creating(before: string): readonly string[] {
  const program = `
    import { kernelTuns } from ${MODULE};
    try {
      kernelTuns.create('flannel0', { multiQueue: false });
      console.log(JSON.stringify({ created: true }));
    } catch ({ name, code, capability, message }) {
      console.log(JSON.stringify({ name, code, capability, message }));
    }`;
  const node = [process.execPath, '--input-type=module', '--eval', program];
  return ['unshare', '--mount', 'sh', '-euc', `${before} "$@"`, 'sh', ...node];
}

async function outcomeOf(before: string): Promise<unknown> {
  return JSON.parse(await outputOf(creating(before)));
}

describe('kernelTuns', () => {
  it('creates a device that outlives the process', () =>
    inFreshNamespace(async () => {
      assert.deepEqual(await outcomeOf('exec'), { created: true });
      const netlink = new KernelNetlink();
      try {
        const link = (await netlink.links()).find(({ name }) => name === 'flannel0');
        assert.deepEqual(link?.tun, { mode: 'tun', persist: true, multiQueue: false });
      } finally {
        netlink.close();
      }
    }));

  it('creates one that a packet loop can open with a virtio-net header', () =>
    inFreshNamespace(async () => {
      tun.kernelTuns.create('flannel0', { multiQueue: false });
      const fd = tun.openTunCloneDevice();
      try {
        const flags = tun.IFF_TUN | tun.IFF_NO_PI | tun.IFF_VNET_HDR;
        libc.ioctl(fd, tun.TUNSETIFF, tun.tunRequest('flannel0', flags), 'open flannel0');
        libc.ioctl(fd, tun.TUNSETVNETHDRSZ, new Uint8Array(Int32Array.of(10).buffer), 'set the header');
        libc.ioctlValue(fd, tun.TUNSETOFFLOAD, 7, 'set the offloads');
      } finally {
        libc.close(fd);
      }
    }));

  it('lets the flag for several queues be asked for once only', () =>
    inFreshNamespace(async () => {
      tun.kernelTuns.create('flannel0', { multiQueue: true });
      const fd = tun.openTunCloneDevice();
      try {
        const request = tun.tunRequest('flannel0', tun.IFF_TUN | tun.IFF_NO_PI);
        assert.throws(() => libc.ioctl(fd, tun.TUNSETIFF, request, 'open flannel0'), {
          message: 'Cannot open flannel0: Invalid argument (EINVAL)',
        });
      } finally {
        libc.close(fd);
      }
    }));

  const lacking: readonly [name: string, before: string, error: string][] = [
    [
      'without CAP_NET_ADMIN',
      '--bounding-set=-net_admin --inh-caps=-net_admin',
      'create TUN device flannel0: Operation not permitted (EPERM)',
    ],
    [
      'without access to the device',
      '--reuid=65534 --clear-groups',
      'open /dev/net/tun: Permission denied (EACCES)',
    ],
  ];
  for (const [name, privileges, error] of lacking) {
    it(`names the capability to a process ${name}`, () =>
      inFreshNamespace(async () => {
        // A /dev/net of its own: some hosts let everybody open the device, others do not.
        const device = 'mount -t tmpfs none /dev/net; mknod -m 600 /dev/net/tun c 10 200';
        assert.deepEqual(await outcomeOf(`${device}; exec setpriv ${privileges}`), {
          name: 'PrivilegeError',
          capability: 'CAP_NET_ADMIN',
          message: `Cannot ${error}: run with CAP_NET_ADMIN and access to /dev/net/tun`,
        });
      }));
  }

  it('says what to do on a host without TUN', () =>
    inFreshNamespace(async () => {
      assert.deepEqual(await outcomeOf('mount -t tmpfs none /dev/net; exec'), {
        name: 'SystemError',
        code: 'ENOENT',
        message:
          'Cannot open /dev/net/tun: No such file or directory (ENOENT): load the kernel module tun, or give the container this device',
      });
    }));
});
