/** Why a packet was not forwarded: the names that people see, the numbers that the packet path counts by. */

export const DROP_REASONS = [
  /** Out of the TUN, not IPv4: the kernel's IPv6 neighbour discovery, for example. */
  'not_ipv4',
  'malformed_short',
  'malformed_version',
  'malformed_header_length',
  'malformed_total_length',
  'malformed_checksum',
  /** No peer has a subnet with the inner destination. */
  'no_route',
  'ttl_expired',
  'oversize',
  /** The outer source is no peer. */
  'unknown_peer',
  /** The outer source is this host. */
  'reflected',
  /** The inner source is not the sending peer's; a multi-homed flanneld needs `sourceCheck: peer`. */
  'spoofed_source',
  /** The inner destination is not in our subnet. */
  'not_local',
  'send_again',
  'send_no_buffers',
  'send_refused',
  'send_not_permitted',
  'send_too_big',
  'send_unreachable',
  'send_failed',
  'tun_full',
  'tun_down',
  'tun_failed',
  'tun_absent',
  'socket_absent',
  /** One of our own ICMP errors could not be sent. */
  'answer_unsent',
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

/** Reason → its number. 0 is kept for "not dropped". */
export const DROP = Object.fromEntries(DROP_REASONS.map((reason, index) => [reason, index + 1])) as Readonly<
  Record<DropReason, number>
>;

// errno(3), asm-generic values.
const EAGAIN = 11;
const EPERM = 1;
const EIO = 5;
const EACCES = 13;
const ENOMEM = 12;
const EMSGSIZE = 90;
const ENETDOWN = 100;
const ENETUNREACH = 101;
const ENOBUFS = 105;
const ECONNREFUSED = 111;
const EHOSTUNREACH = 113;

/** The reason's number for an errno of sending a datagram. */
export function sendDrop(errno: number): number {
  switch (errno) {
    case EAGAIN:
      return DROP.send_again;
    case ENOBUFS:
    case ENOMEM:
      return DROP.send_no_buffers;
    case ECONNREFUSED:
      return DROP.send_refused;
    case EPERM: // a firewall's output rule
    case EACCES: // a broadcast address, or a route of type prohibit
      return DROP.send_not_permitted;
    case EMSGSIZE:
      return DROP.send_too_big;
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTUNREACH:
      return DROP.send_unreachable;
    default:
      return DROP.send_failed;
  }
}

/** The reason's number for an errno of writing into the TUN. */
export function tunWriteDrop(errno: number): number {
  switch (errno) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
      return DROP.tun_full;
    case EIO: // the link is down
      return DROP.tun_down;
    default:
      return DROP.tun_failed;
  }
}
