/** TUN devices: the ioctls of linux/if_tun.h that make one. Whoever moves packets opens it again for itself. */
import { Buffer } from 'node:buffer';
import { PrivilegeError, SystemError, type Tuns } from '../ports.js';
import * as libc from './libc.js';

export const TUN_CLONE_DEVICE = '/dev/net/tun';
export const TUNSETIFF = 0x400454ca; // argument: struct ifreq
export const TUNSETPERSIST = 0x400454cb; // argument: the value
export const TUNSETOFFLOAD = 0x400454d0; // argument: the value, TUN_F_*
export const TUNSETVNETHDRSZ = 0x400454d8; // argument: pointer to int
export const IFF_TUN = 0x1;
export const IFF_MULTI_QUEUE = 0x100;
export const IFF_NO_PI = 0x1000;
export const IFF_VNET_HDR = 0x4000;
const IFF_TUN_EXCL = 0x8000;

const IFREQ_BYTES = 40; // on 64-bit; the kernel copies all of it
const IFREQ_FLAGS_OFFSET = 16;
const IFNAMSIZ = 16; // with the final NUL

/** struct ifreq for TUNSETIFF. Throws SystemError for a name that the kernel would silently cut off. */
export function tunRequest(name: string, flags: number): Uint8Array {
  const bytes = Buffer.from(name);
  if (bytes.length === 0 || bytes.length >= IFNAMSIZ) {
    throw new SystemError(
      `Cannot open TUN device "${name}": name is ${bytes.length} bytes long, must be 1 to ${IFNAMSIZ - 1}`,
      'EINVAL',
    );
  }
  const request = new Uint8Array(IFREQ_BYTES);
  request.set(bytes);
  new Uint16Array(request.buffer, IFREQ_FLAGS_OFFSET, 1)[0] = flags;
  return request;
}

/**
 * Opens the device that TUNs are made with. Throws SystemError when the host has none, PrivilegeError when it is
 * kept from us. The caller closes.
 */
export function openTunCloneDevice(): number {
  try {
    return libc.open(TUN_CLONE_DEVICE, libc.O_RDWR | libc.O_NONBLOCK | libc.O_CLOEXEC);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.code === 'ENOENT' || error.code === 'ENODEV') {
      throw new SystemError(
        `${error.message}: load the kernel module tun, or give the container this device`,
        error.code,
        { cause: error },
      );
    }
    throw privilegeErrorFor(error) ?? error;
  }
}

export const kernelTuns: Tuns = {
  create(name, { multiQueue }) {
    const flags = IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL | (multiQueue ? IFF_MULTI_QUEUE : 0);
    const request = tunRequest(name, flags);
    const action = `create TUN device ${name}`;
    const fd = openTunCloneDevice();
    try {
      libc.ioctl(fd, TUNSETIFF, request, action);
      libc.ioctlValue(fd, TUNSETPERSIST, 1, `make TUN device ${name} persistent`);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      // IFF_TUN_EXCL: a link of that name is there. Attaching to it instead would change its flags and its carrier.
      if (error.code !== 'EBUSY') throw privilegeErrorFor(error) ?? error;
    } finally {
      libc.close(fd);
    }
  },
};

function privilegeErrorFor(error: SystemError): PrivilegeError | undefined {
  if (error.code !== 'EPERM' && error.code !== 'EACCES') return undefined;
  return new PrivilegeError(
    `${error.message}: run with CAP_NET_ADMIN and access to ${TUN_CLONE_DEVICE}`,
    'CAP_NET_ADMIN',
    { cause: error },
  );
}
