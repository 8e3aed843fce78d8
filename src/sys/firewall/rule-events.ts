/** When the host's rules change. */
import { wakeOnMulticast } from '../netlink/event-watch.js';
import { NETLINK_NETFILTER } from '../netlink/socket.js';

const NFNLGRP_NFTABLES = 7; // linux/netfilter/nfnetlink.h

/** Wakes on every change by nft and by iptables over nf_tables, until `signal` aborts. The legacy tables tell nobody. */
export function watchRuleEvents(wake: () => void, signal: AbortSignal): void {
  wakeOnMulticast(NETLINK_NETFILTER, [NFNLGRP_NFTABLES], wake, signal);
}
