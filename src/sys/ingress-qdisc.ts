/** Whether a link has a queueing discipline at its ingress, whose filters see packets behind the programs of TCX (linux/rtnetlink.h). */
import type { Buffer } from 'node:buffer';
import { getString, parseAttributes, readS32 } from 'netlink/dist/structs.js';
import { NetlinkChannel } from './netlink/channel.js';
import { NETLINK_ROUTE, NetlinkSocket } from './netlink/socket.js';

const RTM_GETQDISC = 38;
/** struct tcmsg: family, padding, number of the link, handle, parent, info. */
const HEADER_BYTES = 20;
const LINK_AT = 4;
const TCA_KIND = 1;

/** `clsact` has filters for both directions. */
export type IngressQdisc = 'ingress' | 'clsact';

/** Undefined when there is none, or no such link. Throws SystemError or ObserveError when the kernel does not say. */
export function ingressQdisc(link: number): IngressQdisc | undefined {
  const socket = new NetlinkSocket(NETLINK_ROUTE);
  try {
    const qdiscs = new NetlinkChannel(socket).dump(
      RTM_GETQDISC,
      [new Uint8Array(HEADER_BYTES)],
      'list queueing disciplines',
    );
    // No strict check of this dump filters by link: the kernel lists those of all.
    return qdiscs
      .filter((qdisc) => readS32.call(qdisc, LINK_AT) === link)
      .map(kindOf)
      .find((kind) => kind === 'ingress' || kind === 'clsact') as IngressQdisc | undefined;
  } finally {
    socket.close();
  }
}

function kindOf(qdisc: Buffer): string | undefined {
  let kind: string | undefined;
  parseAttributes(qdisc.subarray(HEADER_BYTES), ({ type, data }) => {
    if (type === TCA_KIND) kind = getString(data);
  });
  return kind;
}
