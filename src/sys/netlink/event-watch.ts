/** Wakes on the kernel's events. What they say tells at most whom they concern: whoever is woken looks for itself. */
import { Buffer } from 'node:buffer';
import koffi from 'koffi';
import { MulticastGroups } from 'netlink/dist/rt/structs.js';
import { type NetlinkGroup, SystemError } from '../../ports.js';
import * as libc from '../libc.js';
import { type EventFilter, NeighbourEvents } from './neighbour-events.js';
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

/**
 * Wakes on the rtnetlink messages of `groups`, until `signal` aborts; of those about neighbours only on the ones about
 * `devices`, where these are given.
 */
export function watchEvents(
  groups: readonly NetlinkGroup[],
  wake: () => void,
  signal: AbortSignal,
  devices?: () => readonly string[],
): void {
  const numbers = groups.map((group) => GROUPS[group]);
  if (signal.aborted) return;
  const neighbours = devices && new NeighbourEvents(devices);
  signal.addEventListener('abort', () => neighbours?.close(), { once: true });
  wakeOnMulticast(NETLINK_ROUTE, numbers, wake, signal, neighbours?.concerns);
}

/** Wakes on the messages about routes and links, and says whether `isForeign` is true of one of them; until `signal` aborts. */
export function watchRouteEvents(
  isForeign: EventFilter,
  wake: (isForeign: boolean) => void,
  signal: AbortSignal,
): void {
  let hasForeign = false;
  const onEvents = () => {
    const had = hasForeign;
    hasForeign = false;
    wake(had);
  };
  // Once there is one, the others need not be looked into.
  const look: EventFilter = (start) => {
    hasForeign ||= isForeign(start);
    return true;
  };
  const groups = [GROUPS['ipv4-route'], GROUPS['ipv6-route'], GROUPS.link];
  wakeOnMulticast(NETLINK_ROUTE, groups, onEvents, signal, look);
}

/**
 * On a socket of its own, since events must not stand between a request and its answer. Ends when `signal` aborts.
 * `concerns` tells by the first bytes of an event whether to wake.
 */
export function wakeOnMulticast(
  protocol: number,
  groups: readonly number[],
  wake: () => void,
  signal: AbortSignal,
  concerns: EventFilter = () => true,
): void {
  if (signal.aborted) return;
  const socket = new NetlinkSocket(protocol);
  try {
    for (const group of groups) socket.join(group);
  } catch (error) {
    socket.close();
    throw error;
  }

  let lastMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  const listen = () => poll.start({ readable: true }, onReadable);
  const onReadable = (): void => {
    // koffi drops what a callback throws; from a microtask it reaches the process as any other error does.
    try {
      const isWoken = drain(socket.fd, concerns);
      const [nowMs, beforeMs] = [performance.now(), lastMs];
      lastMs = nowMs;
      // An overrun ends libuv's polling with an error (status -9); it goes on once the socket has been read.
      poll.stop();
      if (nowMs - beforeMs < QUIET_MS) timer = setTimeout(listen, GATHERED_MS);
      else listen();
      if (isWoken) wake();
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
      clearTimeout(timer);
      poll.close();
      socket.close();
    },
    { once: true },
  );
}

/**
 * The first event is heard of at once. When more follow, so many milliseconds of them are read together: a burst of
 * 100,000 would otherwise wake for each. The socket holds about ten times as many as ip(8) can make in that time.
 */
const GATHERED_MS = 10;
/** After that long without any, the next event is a first one. */
const QUIET_MS = 20;

// No more of an event is read than whom it concerns: short datagrams cost less to copy.
const scratch = Buffer.alloc(64);

/** Returns whether there was anything that concerns somebody. */
function drain(fd: number, concerns: EventFilter): boolean {
  let isWoken = false;
  for (;;) {
    try {
      if (libc.receive(fd, scratch, 'receive netlink events') === undefined) return isWoken;
      if (concerns(scratch)) isWoken = true;
    } catch (error) {
      if (!(error instanceof SystemError && error.code === 'ENOBUFS')) throw error;
      if (concerns('lost')) isWoken = true;
    }
  }
}
