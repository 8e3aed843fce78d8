/** The fast path as the control plane sees it. */
import type { Prefix } from '../../model/address.js';
import type { ForwarderState, PeerState } from '../../model/objects.js';
import type { FastCounters } from './tables.js';

export type CountersBySubnet = ReadonlyMap<Prefix, FastCounters>;

/** Whoever takes a peer away, or sets it anew, is given what was counted for its subnet until then. */
export interface FastPath {
  /** False once a link that it is attached to was replaced, or has lost our address, or something on this host is against it. */
  isInPlace(): boolean;
  set(peer: PeerState): FastCounters | undefined;
  remove(subnet: Prefix): FastCounters | undefined;
  counters(): CountersBySubnet;
  /** Afterwards no packet takes it. */
  close(): CountersBySubnet;
}

/**
 * What would have to see the datagrams between hosts, and would not see those that the fast path carries; undefined when there is
 * nothing. Costs little when nothing has changed. Rejects when it cannot be known.
 */
export type FindOnlooker = () => Promise<string | undefined>;

/** What of this host it takes. */
export interface FastPathHost {
  /**
   * Makes one that knows no peer yet. Until it is closed it wakes when the addresses of this host change, for then it may be in
   * place no more. Throws SystemError when the kernel, or what else is on this host, is against it.
   */
  open(state: ForwarderState, wake: () => void): FastPath;
  /** Until `signal` aborts. Throws SystemError when that is not possible. */
  lookOut(state: ForwarderState, signal: AbortSignal): FindOnlooker;
}
