/** A look at a UDP port of another host. */
import type { Address } from '../model/address.js';

/**
 * Sends one datagram that says nothing to a UDP port and waits a moment for an error. `silent`: somebody takes it, or nobody
 * tells. Rejects with SystemError when this host does not let it out, and on abort.
 */
export type UdpKnock = (
  address: Address,
  port: number,
  signal: AbortSignal,
) => Promise<'silent' | 'refused' | 'unreachable'>;
