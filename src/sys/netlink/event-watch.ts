/** Wakes on the kernel's events. What they say is thrown away: whoever is woken looks for itself. */
import { Buffer } from 'node:buffer';
import koffi from 'koffi';
import { MulticastGroups } from 'netlink/dist/rt/structs.js';
import { type NetlinkGroup, SystemError } from '../../ports.js';
import * as libc from '../libc.js';
import { NETLINK_ROUTE, NetlinkSocket } from './socket.js';

const GROUPS = {
  link: MulticastGroups.LINK,
  neighbour: MulticastGroups.NEIGH,
  'ipv4-address': MulticastGroups.IPV4_IFADDR,
  'ipv6-address': MulticastGroups.IPV6_IFADDR,
  'ipv4-route': MulticastGroups.IPV4_ROUTE,
  'ipv6-route': MulticastGroups.IPV6_ROUTE,
  // linux/rtnetlink.h; the codecs do not know these.
  'ipv4-netconf': 24,
  'ipv6-netconf': 25,
} as const satisfies Record<NetlinkGroup, number>;

/** Wakes on any rtnetlink message of `groups`, until `signal` aborts. */
export function watchEvents(groups: readonly NetlinkGroup[], wake: () => void, signal: AbortSignal): void {
  const numbers = groups.map((group) => GROUPS[group]);
  wakeOnMulticast(NETLINK_ROUTE, numbers, wake, signal);
}

/** On a socket of its own, since events must not stand between a request and its answer. Ends when `signal` aborts. */
export function wakeOnMulticast(
  protocol: number,
  groups: readonly number[],
  wake: () => void,
  signal: AbortSignal,
): void {
  if (signal.aborted) return;
  const socket = new NetlinkSocket(protocol);
  for (const group of groups) socket.join(group);

  const onReadable = (): void => {
    // koffi drops what a callback throws; from a microtask it reaches the process as any other error does.
    try {
      drain(socket.fd);
      // An overrun ends libuv's polling with an error (status -9); it goes on once the socket has been read.
      poll.stop();
      poll.start({ readable: true }, onReadable);
      wake();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  };
  const poll = koffi.node.poll(socket.fd, { readable: true }, onReadable);
  signal.addEventListener(
    'abort',
    () => {
      poll.close();
      socket.close();
    },
    { once: true },
  );
}

// Only emptied, never read: short datagrams cost less to copy.
const scratch = Buffer.alloc(64);

function drain(fd: number): void {
  for (;;) {
    try {
      if (libc.receive(fd, scratch, 'receive netlink events') === undefined) return;
    } catch (error) {
      if (!(error instanceof SystemError && error.code === 'ENOBUFS')) throw error;
    }
  }
}
