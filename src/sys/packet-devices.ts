/** Opens what the packet loop works on: a queue of an existing TUN, and the UDP socket to the other hosts. */
import koffi from 'koffi';
import type { Address } from '../model/address.js';
import { SystemError } from '../ports.js';
import { writeI32Be, writeU16Be } from '../wire/big-endian.js';
import { ipv4Key } from '../wire/ipv4.js';
import * as libc from './libc.js';
import {
  IFF_MULTI_QUEUE,
  IFF_NO_PI,
  IFF_TUN,
  openTunCloneDevice,
  TUNSETIFF,
  TUNSETOFFLOAD,
  TUNSETVNETHDRSZ,
  tunRequest,
} from './tun.js';

const nameToIndex = koffi.load('libc.so.6').func('uint32_t if_nametoindex(const char *name)');

const TUNSETIFINDEX = 0x400454da; // linux/if_tun.h; argument: pointer to int
const LOOPBACK_INDEX = 1; // in every network namespace
const VNET_HEADER_BYTES = 10; // of a new device: struct virtio_net_hdr without the merged-buffer count

/**
 * Attaches to the TUN `name`, without packet information and without offloads; never makes one. The caller
 * closes. Throws SystemError: ENODEV when there is no such link, EBUSY while somebody else holds its only
 * queue, EINVAL when it is no TUN or differs in multi-queue; PrivilegeError when /dev/net/tun is kept from us.
 */
export function openTun(name: string, multiQueue: boolean): number {
  const action = `attach to TUN ${name}`;
  const request = tunRequest(name, IFF_TUN | IFF_NO_PI | (multiQueue ? IFF_MULTI_QUEUE : 0));
  const fd = openTunCloneDevice();
  try {
    // TUNSETIFF makes a device when the name is free. Asking for an index that is always taken lets it only attach:
    // making one then fails with EBUSY, and attaching does not look at the index.
    libc.ioctl(fd, TUNSETIFINDEX, int32(LOOPBACK_INDEX), action);
    attach(fd, name, request, action);
    // Both survive in the device from whoever held it before, and would hand us unfinished checksums.
    libc.ioctl(fd, TUNSETVNETHDRSZ, int32(VNET_HEADER_BYTES), action);
    libc.ioctlValue(fd, TUNSETOFFLOAD, 0, action);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function attach(fd: number, name: string, request: Uint8Array, action: string): void {
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

// struct sockaddr_in
const SOCKADDR_BYTES = 16;
const SOCKADDR_PORT = 2;
const SOCKADDR_ADDRESS = 4;

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
    writeU16Be(socketAddress, SOCKADDR_PORT, port);
    writeI32Be(socketAddress, SOCKADDR_ADDRESS, ipv4Key(address));
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
