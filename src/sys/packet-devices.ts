/**
 * Opens what the packet loop works on: a queue of an existing TUN, and the UDP socket to the other hosts, each
 * with what the kernel can do for many packets at once. What it cannot is done without.
 */
import koffi from 'koffi';
import type { SocketHandle, SocketOffloads, TunHandle, TunOffloads } from '../dataplane/control.js';
import type { Address } from '../model/address.js';
import { SystemError } from '../ports.js';
import { writeI32Be, writeU16Be } from '../wire/big-endian.js';
import { ipv4Key } from '../wire/ipv4.js';
import { VIRTIO_NET_HEADER_BYTES } from '../wire/virtio-net.js';
import * as libc from './libc.js';
import {
  IFF_MULTI_QUEUE,
  IFF_NO_PI,
  IFF_TUN,
  IFF_VNET_HDR,
  openTunCloneDevice,
  TUNSETIFF,
  TUNSETOFFLOAD,
  TUNSETVNETHDRSZ,
  tunRequest,
} from './tun.js';
import { UDP_GRO, UDP_SEGMENT } from './udp-socket.js';

const nameToIndex = koffi.load('libc.so.6').func('uint32_t if_nametoindex(const char *name)');

const TUNSETIFINDEX = 0x400454da; // linux/if_tun.h; argument: pointer to int
const LOOPBACK_INDEX = 1; // in every network namespace

const TUN_F_CSUM = 0x01;
const TUN_F_TSO4 = 0x02;
const TUN_F_TSO_ECN = 0x08;
// The kernel takes these two together or not at all (set_offload of drivers/net/tun.c).
const TUN_F_USO = 0x60;

const PLAIN_TUN: TunOffloads = { virtioHeader: false, tso: false, uso: false };
/** What a TUN is asked for: the first that this kernel grants. */
const TUN_WISHES: readonly { readonly flags: number; readonly offloads: TunOffloads }[] = [
  {
    flags: TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN | TUN_F_USO,
    offloads: { virtioHeader: true, tso: true, uso: true },
  },
  {
    flags: TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN,
    offloads: { virtioHeader: true, tso: true, uso: false },
  },
  { flags: TUN_F_CSUM | TUN_F_TSO4, offloads: { virtioHeader: true, tso: true, uso: false } },
];

/**
 * Attaches to the TUN `name`, without packet information; never makes one. Without `offload` it is asked for
 * nothing but single packets. The caller closes. Throws SystemError: ENODEV when there is no such link, EBUSY
 * while somebody else holds its only queue, EINVAL when it is no TUN or differs in multi-queue; PrivilegeError
 * when /dev/net/tun is kept from us.
 */
export function openTun(name: string, multiQueue: boolean, offload: boolean): OpenedTun {
  const fd = openTunCloneDevice();
  try {
    const action = `attach to TUN ${name}`;
    const flags = IFF_TUN | IFF_NO_PI | (multiQueue ? IFF_MULTI_QUEUE : 0);
    // TUNSETIFF makes a device when the name is free. Asking for an index that is always taken lets it only attach:
    // making one then fails with EBUSY, and attaching does not look at the index.
    libc.ioctl(fd, TUNSETIFINDEX, int32(LOOPBACK_INDEX), action);
    const virtioHeader =
      offload && isGranted(() => attach(fd, name, tunRequest(name, flags | IFF_VNET_HDR), action));
    if (!virtioHeader) attach(fd, name, tunRequest(name, flags), action);
    // Both survive in the device from whoever held it before: a header of another size, and unfinished checksums.
    libc.ioctl(fd, TUNSETVNETHDRSZ, int32(VIRTIO_NET_HEADER_BYTES), action);
    libc.ioctlValue(fd, TUNSETOFFLOAD, 0, action);
    const offloads = virtioHeader ? grantedOffloads(fd, action) : PLAIN_TUN;
    return { fd, link: { name, index: linkIndex(name) }, offloads };
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

export interface OpenedTun extends Pick<TunHandle, 'fd' | 'offloads'> {
  /** As long as the name has this index, the descriptor is that link's. */
  readonly link: { readonly name: string; readonly index: number };
}

/** 0 when there is no such link. */
export function linkIndex(name: string): number {
  return nameToIndex(name) as number;
}

function grantedOffloads(fd: number, action: string): TunOffloads {
  const wish = TUN_WISHES.find(({ flags }) =>
    isGranted(() => libc.ioctlValue(fd, TUNSETOFFLOAD, flags, action)),
  );
  return wish?.offloads ?? { ...PLAIN_TUN, virtioHeader: true };
}

/** False when the kernel does not know what is asked of it; every other failure is thrown. */
function isGranted(ask: () => void): boolean {
  try {
    ask();
    return true;
  } catch (error) {
    if (error instanceof SystemError && UNKNOWN_TO_KERNEL.has(error.code)) return false;
    throw error;
  }
}

const UNKNOWN_TO_KERNEL: ReadonlySet<string> = new Set(['EINVAL', 'ENOPROTOOPT', 'EOPNOTSUPP']);

function attach(fd: number, name: string, request: Uint8Array, action: string): void {
  try {
    libc.ioctl(fd, TUNSETIFF, request, action);
  } catch (error) {
    if (linkIndex(name) !== 0) throw error;
    throw new SystemError(`Cannot ${action}: there is no such link (ENODEV)`, 'ENODEV', { cause: error });
  }
}

function int32(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}

// asm-generic/socket.h
const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOL_UDP = 17;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_REUSEPORT = 15;
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

export type OpenedSocket = Pick<SocketHandle, 'fd' | 'offloads'>;

/** Non-blocking and bound; `shared`: beside others of the same address and port. The caller closes. Throws SystemError, EADDRINUSE and EADDRNOTAVAIL among them. */
export function openUdpSocket(
  address: Address,
  port: number,
  shared: boolean,
  offload: boolean,
): OpenedSocket {
  const action = `bind UDP socket to ${address}:${port}`;
  const fd = libc.socket(AF_INET, SOCK_DGRAM, 0, action);
  try {
    if (shared) libc.setSocketOption(fd, libc.SOL_SOCKET, SO_REUSEPORT, 1);
    setBuffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
    setBuffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
    const socketAddress = new Uint8Array(SOCKADDR_BYTES);
    new Uint16Array(socketAddress.buffer)[0] = AF_INET;
    writeU16Be(socketAddress, SOCKADDR_PORT, port);
    writeI32Be(socketAddress, SOCKADDR_ADDRESS, ipv4Key(address));
    libc.bind(fd, socketAddress, action);
    return { fd, offloads: socketOffloads(fd, offload) };
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function socketOffloads(fd: number, offload: boolean): SocketOffloads {
  const isOn = (option: number, value: number) =>
    offload && isGranted(() => libc.setSocketOption(fd, SOL_UDP, option, value));
  // Zero changes nothing: it only tells whether the kernel knows the option, which is then used for each message.
  return { segment: isOn(UDP_SEGMENT, 0), gro: isOn(UDP_GRO, 1) };
}

/** Beyond net.core.*mem_max where CAP_NET_ADMIN allows, else as far as the limit goes. */
function setBuffer(fd: number, forced: number, limited: number): void {
  try {
    libc.setSocketOption(fd, libc.SOL_SOCKET, forced, SOCKET_BUFFER_BYTES);
  } catch {
    libc.setSocketOption(fd, libc.SOL_SOCKET, limited, SOCKET_BUFFER_BYTES);
  }
}
