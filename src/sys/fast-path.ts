/**
 * The fast path in the kernel: a map of the peers, and two programs at the links of the TUN and of our address. Open descriptors hold
 * it, so it goes with the process, whatever that died of.
 */
import { readFileSync } from 'node:fs';
import { endianness, networkInterfaces } from 'node:os';
import type { CountersBySubnet, FastPath, FastPathHost } from '../dataplane/fast-path/fast-path.js';
import { inboundProgram } from '../dataplane/fast-path/inbound-program.js';
import { outboundProgram } from '../dataplane/fast-path/outbound-program.js';
import {
  countersIn,
  type FastCounters,
  MOST_PEERS,
  PEER_BYTES,
  PEER_KEY_BYTES,
  peerKey,
  peerValue,
} from '../dataplane/fast-path/tables.js';
import { rulesOf } from '../dataplane/rules.js';
import { type Address, baseOf, lengthOf, type Prefix } from '../model/address.js';
import type { ForwarderState, PeerState } from '../model/objects.js';
import { SystemError } from '../ports.js';
import { ipv4Key } from '../wire/ipv4.js';
import * as bpf from './bpf.js';
import { HostRules } from './firewall/host-rules.js';
import { hasIpsecPolicies } from './ipsec.js';
import * as libc from './libc.js';
import { watchEvents } from './netlink/event-watch.js';
import { linkIndex } from './packet-devices.js';
import { hasCapability } from './privileges.js';

const ACTION = 'set up the fast path';
const CAP_BPF = 39; // linux/capability.h

const LOOPBACK_FORWARDING = '/proc/sys/net/ipv4/conf/lo/forwarding';

const AF_INET = 2;
const SIOCGIFHWADDR = 0x8927;
/** struct ifreq: a name, and of the address at first its type, which is that of the link. */
const REQUEST_BYTES = 40;
const NAME_BYTES = 16;
const ARPHRD_ETHER = 1;

interface Link {
  readonly name: string;
  readonly index: number;
}

export function hostFastPath(): FastPathHost {
  return {
    open: openFastPath,
    lookOut({ bind: { address, port } }, signal) {
      const watching = new AbortController();
      const until = AbortSignal.any([signal, watching.signal]);
      let link: string | undefined;
      const forget = () => {
        link = undefined;
      };
      try {
        watchEvents(['ipv4-address', 'link'], forget, until);
        const rules = new HostRules(until);
        return async () => {
          link ??= linkOf(address).name;
          return rules.look({ address, port, link });
        };
      } catch (error) {
        watching.abort();
        throw error;
      }
    },
  };
}

function openFastPath(state: ForwarderState, wake: () => void): FastPath {
  if (endianness() !== 'LE') throw refusal('the processor is big-endian', 'ENOTSUP');
  const tun = linkNamed(state.tun);
  const card = linkOf(state.bind.address);
  if (typeOf(card) !== ARPHRD_ETHER) throw refusal(`${card.name} is no Ethernet link`, 'ENOTSUP');
  // Ways are looked up as for a packet that came in by the loopback link.
  if (readFileSync(LOOPBACK_FORWARDING, 'utf8').trim() !== '1')
    throw refusal(`${LOOPBACK_FORWARDING} is 0, must be 1`, 'ENOTSUP');
  if (hasIpsecPolicies())
    throw refusal('this host has IPsec policies, which it would not respect', 'ENOTSUP');
  const descriptors: number[] = [];
  const opened = (fd: number) => {
    descriptors.push(fd);
    return fd;
  };
  try {
    const peers = opened(
      bpf.createPrefixMap({ keyBytes: PEER_KEY_BYTES, valueBytes: PEER_BYTES, entries: MOST_PEERS }),
    );
    const { mtu, subnetBase, subnetMask, publicIp, bindAddress, port } = rulesOf(state);
    // What is left to us has looked at the rules for this link alone.
    const leavesBy = state.fastPath === 'auto' ? card.index : undefined;
    const settings = {
      peers,
      mtu,
      subnetBase,
      subnetMask,
      publicIp,
      bindAddress,
      port,
      tunIndex: tun.index,
      leavesBy,
    };
    // One by one: a kernel that attaches none has loaded one for nothing.
    opened(bpf.attachProgram(opened(bpf.loadProgram(outboundProgram(settings))), tun.index, 'egress'));
    opened(bpf.attachProgram(opened(bpf.loadProgram(inboundProgram(settings))), card.index, 'ingress'));
    return new KernelFastPath({ peers, descriptors, tun, card, address: state.bind.address }, wake);
  } catch (error) {
    for (const fd of descriptors) libc.close(fd);
    throw isForbidden(error) ? missingPrivilege(error) : error;
  }
}

interface Parts {
  readonly peers: number;
  /** The map of the peers first, and what attaches the programs last. */
  readonly descriptors: readonly number[];
  readonly tun: Link;
  readonly card: Link;
  readonly address: Address;
}

class KernelFastPath implements FastPath {
  readonly #parts: Parts;
  readonly #keys = new Map<Prefix, Uint8Array>();
  readonly #watching = new AbortController();
  /** Some address of this host, also one that changed before it was watched. */
  #hasAddressChanged = true;

  constructor(parts: Parts, wake: () => void) {
    this.#parts = parts;
    const onChange = () => {
      this.#hasAddressChanged = true;
      wake();
    };
    // Without ours it would go on to send from an address that is another host's by now.
    watchEvents(['ipv4-address'], onChange, this.#watching.signal);
  }

  isInPlace(): boolean {
    const { tun, card, address } = this.#parts;
    // All addresses of all links are many on a host with many containers.
    const isElsewhere = this.#hasAddressChanged && nameOfLinkWith(address) !== card.name;
    this.#hasAddressChanged = isElsewhere;
    return (
      !isElsewhere &&
      linkIndex(tun.name) === tun.index &&
      linkIndex(card.name) === card.index &&
      !hasIpsecPolicies()
    );
  }

  set({ subnet, publicIp, port }: PeerState): FastCounters | undefined {
    const counted = this.#countersOf(subnet);
    const key = peerKey({ subnetBase: ipv4Key(baseOf(subnet)), subnetLength: lengthOf(subnet) });
    bpf.setEntry(this.#parts.peers, key, peerValue({ publicIp: ipv4Key(publicIp), port }, coarseNowNs()));
    this.#keys.set(subnet, key);
    return counted;
  }

  remove(subnet: Prefix): FastCounters | undefined {
    const key = this.#keys.get(subnet);
    if (key === undefined) return undefined;
    const counted = this.#countersOf(subnet);
    bpf.deleteEntry(this.#parts.peers, key);
    this.#keys.delete(subnet);
    return counted;
  }

  counters(): CountersBySubnet {
    return new Map(
      [...this.#keys.keys()].map((subnet) => [subnet, this.#countersOf(subnet) as FastCounters]),
    );
  }

  close(): CountersBySubnet {
    this.#watching.abort();
    // The last ones are what attaches the programs: without them nothing is counted any more.
    const [map, ...others] = this.#parts.descriptors;
    for (const fd of others.reverse()) libc.close(fd);
    try {
      return this.counters();
    } finally {
      libc.close(map as number);
    }
  }

  #countersOf(subnet: Prefix): FastCounters | undefined {
    const key = this.#keys.get(subnet);
    if (key === undefined) return undefined;
    const value = new Uint8Array(PEER_BYTES);
    bpf.readEntry(this.#parts.peers, key, value);
    return countersIn(value);
  }
}

/** CLOCK_MONOTONIC, and not later than its coarse sister, which goes by ticks of up to 10 ms. */
function coarseNowNs(): bigint {
  return process.hrtime.bigint() - 10_000_000n;
}

function linkNamed(name: string): Link {
  const index = linkIndex(name);
  if (index === 0) throw refusal(`there is no link ${name}`, 'ENODEV');
  return { name, index };
}

function linkOf(address: Address): Link {
  const name = nameOfLinkWith(address);
  if (name === undefined) throw refusal(`no running link has the address ${address}`, 'EADDRNOTAVAIL');
  return linkNamed(name);
}

function nameOfLinkWith(address: Address): string | undefined {
  const found = Object.entries(networkInterfaces()).find(([, addresses]) =>
    addresses?.some((each) => each.address === address),
  );
  // An address may have a label of its own, which begins with the name of the link: eth0:1 (ip-address(8)).
  return found?.[0].split(':')[0];
}

function typeOf({ name }: Link): number {
  const request = new Uint8Array(REQUEST_BYTES);
  new TextEncoder().encodeInto(name, request.subarray(0, NAME_BYTES - 1));
  const socket = libc.socket(AF_INET, libc.SOCK_DGRAM, 0, ACTION);
  try {
    libc.ioctl(socket, SIOCGIFHWADDR, request, ACTION);
  } finally {
    libc.close(socket);
  }
  return new DataView(request.buffer).getUint16(NAME_BYTES, true);
}

function isForbidden(error: unknown): error is SystemError {
  return error instanceof SystemError && error.code === 'EPERM';
}

function missingPrivilege(cause: SystemError): SystemError {
  const missing = hasCapability(readFileSync('/proc/self/status', 'utf8'), CAP_BPF)
    ? 'bpf(2) is forbidden in spite of CAP_BPF; let it through the filter of system calls'
    : 'CAP_BPF is missing; give it to the process';
  const remedy = 'as the unit flannelette.service does';
  return refusal(`${missing}, ${remedy}`, cause.code, { cause });
}

function refusal(reason: string, code: string, options?: ErrorOptions): SystemError {
  return new SystemError(`Cannot ${ACTION}: ${reason}`, code, options);
}
