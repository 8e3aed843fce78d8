/** Opens what the packet loop works on: a queue of an existing TUN, and the UDP socket to the other hosts. */
import koffi from 'koffi';
import type { Address } from '../model/address.js';
import { SystemError } from '../ports.js';
import { writeI32Be, writeU16Be } from '../wire/big-endian.js';
import { ipv4Key } from '../wire/ipv4.js';
import * as libc from './libc.js';

const nameToIndex = koffi.load('libc.so.6').func('uint32_t if_nametoindex(const char *name)');

// linux/if_tun.h
const TUNSETIFF = 0x400454ca;
const TUNSETOFFLOAD = 0x400454d0;
const TUNSETVNETHDRSZ = 0x400454d8;
const TUNSETIFINDEX = 0x400454da;
const IFF_TUN = 0x0001;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_NO_PI = 0x1000;
const IFREQ_BYTES = 40;
const IFREQ_FLAGS = 16;
const IFNAMSIZ = 16;
const VNET_HEADER_BYTES = 10; // of a new device: struct virtio_net_hdr without the merged-buffer count
const LOOPBACK_INDEX = 1; // in every network namespace

/**
 * Attaches to the TUN `name`, without packet information and without offloads; never makes one. The caller
 * closes. Throws SystemError: ENODEV when there is no such link, EBUSY while somebody else holds its only
 * queue, EINVAL when it is no TUN or differs in multi-queue.
 */
export function openTun(name: string, multiQueue: boolean): number {
  const action = `attach to TUN ${name}`;
  const fd = libc.open('/dev/net/tun', libc.O_RDWR | libc.O_NONBLOCK | libc.O_CLOEXEC);
  try {
    // TUNSETIFF makes a device when the name is free. Asking for an index that is always taken lets it only attach:
    // making one then fails with EBUSY, and attaching does not look at the index.
    libc.ioctl(fd, TUNSETIFINDEX, int32(LOOPBACK_INDEX), action);
    attach(fd, name, IFF_TUN | IFF_NO_PI | (multiQueue ? IFF_MULTI_QUEUE : 0), action);
    // Both survive in the device from whoever held it before, and would hand us unfinished checksums.
    libc.ioctl(fd, TUNSETVNETHDRSZ, int32(VNET_HEADER_BYTES), action);
    libc.ioctlValue(fd, TUNSETOFFLOAD, 0, action);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function attach(fd: number, name: string, flags: number, action: string): void {
  const request = new Uint8Array(IFREQ_BYTES);
  const nameBytes = new TextEncoder().encode(name);
  if (nameBytes.length >= IFNAMSIZ) throw new SystemError(`Cannot ${action}: the name is too long`, 'ENODEV');
  request.set(nameBytes);
  new Uint16Array(request.buffer)[IFREQ_FLAGS / 2] = flags;
  try {
    libc.ioctl(fd, TUNSETIFF, request, action);
  } catch (error) {
    if (nameToIndex(name) !== 0) throw error;
    throw new SystemError(`Cannot ${action}: there is no such link (ENODEV)`, 'ENODEV', { cause: error });
  }
}

function int32(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}

// asm-generic/socket.h
const AF_INET = 2;
const SOCK_DGRAM = 2;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOCKADDR_BYTES = 16;

/**
 * 4 MiB hold about 1,800 full packets as the kernel charges them: 30 ms at 700 Mbit/s, more than the loop is
 * ever away. The default of 208 KiB overflows in 1.5 ms.
 */
const SOCKET_BUFFER_BYTES = 4 << 20;

/** Non-blocking and bound. The caller closes. Throws SystemError, EADDRINUSE and EADDRNOTAVAIL among them. */
export function openUdpSocket(address: Address, port: number): number {
  const action = `bind UDP socket to ${address}:${port}`;
  const fd = libc.socket(AF_INET, SOCK_DGRAM, 0, action);
  try {
    setBuffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
    setBuffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
    const socketAddress = new Uint8Array(SOCKADDR_BYTES);
    new Uint16Array(socketAddress.buffer)[0] = AF_INET;
    writeU16Be(socketAddress, 2, port);
    writeI32Be(socketAddress, 4, ipv4Key(address));
    libc.bind(fd, socketAddress, action);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** Beyond net.core.*mem_max where CAP_NET_ADMIN allows, else as far as the limit goes. */
function setBuffer(fd: number, forced: number, limited: number): void {
  try {
    libc.setSocketOption(fd, libc.SOL_SOCKET, forced, SOCKET_BUFFER_BYTES);
  } catch {
    libc.setSocketOption(fd, libc.SOL_SOCKET, limited, SOCKET_BUFFER_BYTES);
  }
}
