/** What the packet path needs to know of the forwarder's state, as numbers. */
import { baseOf, lengthOf } from '../model/address.js';
import type { SourceCheck } from '../model/config.js';
import type { ForwarderState } from '../model/objects.js';
import { ipv4Key, ipv4Mask } from '../wire/ipv4.js';

export interface Rules {
  readonly mtu: number;
  readonly tunAddress: number;
  readonly subnetBase: number;
  readonly subnetMask: number;
  /** The addresses and the port that datagrams of our own come from. */
  readonly publicIp: number;
  readonly bindAddress: number;
  readonly port: number;
  readonly sourceCheck: SourceCheck;
}

/** Throws RangeError for an IPv6 address: the udp backend carries IPv4 alone. */
export function rulesOf(state: ForwarderState): Rules {
  return {
    mtu: state.mtu,
    tunAddress: ipv4Key(state.tunAddress),
    subnetBase: ipv4Key(baseOf(state.subnet)),
    subnetMask: ipv4Mask(lengthOf(state.subnet)),
    publicIp: ipv4Key(state.publicIp),
    bindAddress: ipv4Key(state.bind.address),
    port: state.bind.port,
    sourceCheck: state.sourceCheck,
  };
}
