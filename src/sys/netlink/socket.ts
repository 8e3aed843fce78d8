/** The datagrams of a netlink socket. What is in them is channel.ts's business. */
import { Buffer } from 'node:buffer';
import { SystemError } from '../../ports.js';
import * as libc from '../libc.js';

/** Where a channel's datagrams go and come from: this socket, or a test's script. */
export interface Datagrams {
  send(datagram: Uint8Array): void;
  /** A copy; undefined when none is waiting. Throws SystemError; ENOBUFS means that some were lost. */
  receive(): Buffer | undefined;
}

// Protocols (linux/netlink.h): who in the kernel answers and announces.
export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10; // an answer repeats the header of the request, not all of it
const NETLINK_EXT_ACK = 11; // an error says in words what is wrong
const NETLINK_GET_STRICT_CHK = 12; // a dump honours the filter in its request; since Linux 4.20
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
// The default of 208 KiB holds about 256 route events; this holds a burst of several thousand.
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
// The kernel cuts a dump into parts of up to 32 KiB; a single message can be longer (links with many functions).
const DATAGRAM_BYTES = 256 * 1024;

/**
 * Lives in the network namespace of the thread that opened it. Never blocks: the kernel has queued every answer
 * by the time `send` returns.
 */
export class NetlinkSocket implements Datagrams {
  readonly fd: number;
  readonly #buffer = Buffer.allocUnsafeSlow(DATAGRAM_BYTES);

  constructor(protocol: number) {
    this.fd = libc.socket(libc.AF_NETLINK, libc.SOCK_RAW, protocol, 'open a netlink socket');
    try {
      const anyPort = Buffer.alloc(12); // struct sockaddr_nl: family, padding, port, groups
      new Uint16Array(anyPort.buffer, anyPort.byteOffset, 1)[0] = libc.AF_NETLINK;
      libc.bind(this.fd, anyPort, 'bind a netlink socket');
      for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK]) {
        libc.setSocketOption(this.fd, SOL_NETLINK, option, 1);
      }
      growReceiveBuffer(this.fd);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  send(datagram: Uint8Array): void {
    libc.send(this.fd, datagram, 'send to the kernel over netlink');
  }

  receive(): Buffer | undefined {
    const bytes = libc.receive(this.fd, this.#buffer, 'receive from the kernel over netlink');
    if (bytes === undefined) return undefined;
    if (bytes > DATAGRAM_BYTES) {
      throw new SystemError(
        `Cannot receive from the kernel over netlink: message of ${bytes} bytes, must be at most ${DATAGRAM_BYTES}`,
        'EMSGSIZE',
      );
    }
    return Buffer.from(this.#buffer.subarray(0, bytes));
  }

  /** From now on the group's events arrive here. `group` is a number of the protocol's own, such as RTNLGRP_LINK. */
  join(group: number): void {
    libc.setSocketOption(this.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
  }

  close(): void {
    libc.close(this.fd);
  }
}

/** Beyond the system's limit where we may (CAP_NET_ADMIN), else as far as it allows. */
function growReceiveBuffer(fd: number): void {
  try {
    libc.setSocketOption(fd, libc.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES);
  } catch (error) {
    if (!(error instanceof SystemError && error.code === 'EPERM')) throw error;
    libc.setSocketOption(fd, libc.SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
  }
}
