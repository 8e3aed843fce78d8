/**
 * What both programs of the fast path do alike. Every step jumps to `next` with a packet that is the loop's business, to `slow` with
 * one that the following packets of the peer must not overtake, and falls through with the others.
 *
 * Registers and places on the stack have one meaning throughout.
 */
import { type Assembler, type Register, register } from './assembler.js';
import { MEMORY } from './tables.js';

/** What the programs know of the host; addresses are signed 32-bit integers, as everywhere (wire/ipv4.ts). */
export interface FastPathSettings {
  /** Descriptor of the map of peers (tables.ts). */
  readonly peers: number;
  /** What datagrams are sent from and to, and what other hosts call it: two addresses behind a NAT. */
  readonly bindAddress: number;
  readonly publicIp: number;
  readonly port: number;
  readonly subnetBase: number;
  readonly subnetMask: number;
  /** Of the longest packet, in bytes. */
  readonly mtu: number;
  readonly tunIndex: number;
  /** Index of the only link that datagrams may go out by; undefined when they may by any. */
  readonly leavesBy: number | undefined;
}

export const CONTEXT: Register = 6;
/** Where the packet's bytes begin and end. */
export const DATA: Register = 7;
export const END: Register = 8;
/** What the map has of the peer. */
export const PEER_VALUE: Register = 9;
export const FRAME: Register = 10;
/** The length of the packet, until something is called. */
export const LENGTH: Register = 3;

/** On the stack, from FRAME: the packet's length for later, and a key. What is below is each program's own. */
export const KEPT_LENGTH = -4;
const KEY = -16;
export const OWN_STACK = -16;

// linux/bpf.h
const MAP_LOOKUP_ELEM = 1;
export const SKB_PULL_DATA = 39;
const SKB_ADJUST_ROOM = 50;
const ADJ_ROOM_MAC = 1;
const KTIME_GET_COARSE_NS = 160;
const TCX_NEXT = -1;
const TCX_DROP = 2;

// struct __sk_buff
export const SKB = {
  LENGTH: 0,
  /** 0 is PACKET_HOST. */
  PACKET_TYPE: 4,
  PROTOCOL: 16,
  HAS_VLAN: 20,
  DATA: 76,
  DATA_END: 80,
  GSO_SIZE: 176,
} as const;

export const ETHERNET_BYTES = 14;
export const IP_BYTES = 20;
export const UDP_BYTES = 8;
export const TCP_BYTES = 20;
/** From the IP header on. */
export const UDP_CHECKSUM = IP_BYTES + 6;
export const ETH_P_IP = stored16(0x0800);
export const FRAGMENT_BITS = stored16(0x3fff); // more fragments, and the offset
/** Version 4, and no options. */
export const PLAIN_IPV4 = 0x45;
export const PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17 } as const;
const TCP_FLAGS = 13;
const TCP_ACK = 0x10;

/** What is longer is data of a stream, which the loop puts together: one super-packet costs less than forty packets here. */
const STREAM_BYTES = 1_000;
/** A loop that is in time is done by then with what it was given. */
const SLOW_NS = 250_000_000;
/** More packets to or from one peer within a tick are a flood, and the loop carries many packets at once. */
const FLOOD_PACKETS = 64;
const TICK_BITS = 22; // 4.2 ms

/** Of what is at the beginning `bytes` are known to be there afterwards. */
export function loadData(program: Assembler, bytes: number, otherwise: string): void {
  program
    .load(4, DATA, CONTEXT, SKB.DATA)
    .load(4, END, CONTEXT, SKB.DATA_END)
    .do(1, '=', register(DATA))
    .do(1, '+=', bytes)
    .jumpIf(1, '>', register(END), otherwise);
}

/** The peer whose subnet holds the address at `offset` from `base`. */
export function findPeer(
  program: Assembler,
  { peers }: FastPathSettings,
  base: Register,
  offset: number,
): void {
  program
    .store(4, FRAME, KEY, 32)
    .load(4, 0, base, offset)
    .store(4, FRAME, KEY + 4, register(0))
    .loadMap(1, peers)
    .do(2, '=', register(FRAME))
    .do(2, '+=', KEY)
    .call(MAP_LOOKUP_ELEM)
    .do(PEER_VALUE, '=', register(0))
    .jumpIfNull(PEER_VALUE, 'next');
}

/** Sets LENGTH, and keeps it. What is too long, or at the end of its life, gets its answer from the loop. */
export function readLength(program: Assembler, ip: number, { mtu }: FastPathSettings): void {
  program
    .load(2, LENGTH, DATA, ip + 2)
    .swap16(LENGTH)
    .jumpIf(LENGTH, '>', mtu, 'next')
    .store(4, FRAME, KEPT_LENGTH, register(LENGTH))
    .load(1, 0, DATA, ip + 8)
    .jumpIf(0, '<=', 1, 'next');
}

/** Behind the IP header from `ip` there are `bytes` more. */
export function loadTransport(program: Assembler, ip: number, bytes: number): void {
  program
    .do(1, '=', register(DATA))
    .do(1, '+=', ip + IP_BYTES + bytes)
    .jumpIf(1, '>', register(END), 'slow');
}

/** TCP from `ip`: goes to `fast` with an acknowledgement and nothing else, which TCP takes in any order. */
export function takeStreamsApart(program: Assembler, ip: number): void {
  const tcp = ip + IP_BYTES;
  program
    .jumpIf(LENGTH, '>', STREAM_BYTES, 'slow')
    .load(1, 0, DATA, tcp + TCP_FLAGS)
    .jumpIf(0, '!=', TCP_ACK, 'single')
    .load(1, 0, DATA, tcp + 12)
    .do(0, '>>=', 4)
    .do(0, '<<=', 2)
    .do(0, '+=', IP_BYTES)
    .jumpIf(0, '==', register(LENGTH), 'fast');
}

/**
 * A packet is fast when few come, and nothing had to go the slow way lately. It is counted in any case: the followers of a flood are the
 * flood, and would overtake it if they were not.
 */
export function followTheSlow(program: Assembler, direction: number): void {
  program
    .call(KTIME_GET_COARSE_NS)
    .do(1, '=', register(0))
    .do(1, '>>=', TICK_BITS)
    .load(4, 2, PEER_VALUE, direction + MEMORY.PACKETS)
    .load(8, 3, PEER_VALUE, direction + MEMORY.TICK)
    .jumpIf(3, '==', register(1), 'same tick')
    .store(8, PEER_VALUE, direction + MEMORY.TICK, register(1))
    .do(2, '=', 0)
    .label('same tick')
    .do(2, '+=', 1)
    .store(4, PEER_VALUE, direction + MEMORY.PACKETS, register(2))
    .jumpIf(2, '>', FLOOD_PACKETS, 'slow')
    .load(8, 1, PEER_VALUE, direction + MEMORY.SLOW_AT)
    .do(0, '-=', register(1))
    .do(1, '=', SLOW_NS)
    .jumpIf(0, '<', register(1), 'next');
}

/** The header checksum of the packet from `ip` is right (RFC 791). */
export function verifyHeader(program: Assembler, ip: number): void {
  program.load(4, 0, DATA, ip);
  for (let word = 4; word < IP_BYTES; word += 4) program.load(4, 1, DATA, ip + word).do(0, '+=', register(1));
  fold(program, 0, 1);
  program.jumpIf(0, '!=', 0xffff, 'next');
}

/** As the kernel does it (ip_decrease_ttl of net/ip.h), on what is loaded: the TTL is the lower byte of its word. */
export function lowerTtl(program: Assembler, ip: number): void {
  program
    .load(1, 0, DATA, ip + 8)
    .do(0, '-=', 1)
    .store(1, DATA, ip + 8, register(0))
    .load(2, 0, DATA, ip + 10)
    .do(0, '+=', 1)
    .jumpIf(0, '<', 0xffff, 'no carry')
    .do(0, '+=', 1)
    .label('no carry')
    .store(2, DATA, ip + 10, register(0));
}

/** Folds a ones' complement sum into 16 bits (RFC 1071); `spare` is overwritten. */
export function fold(program: Assembler, sum: Register, spare: Register): void {
  for (let round = 0; round < 3; round++) {
    program
      .do(spare, '=', register(sum))
      .do(spare, '>>=', 16)
      .do(sum, '&=', 0xffff)
      .do(sum, '+=', register(spare));
  }
}

/** `packets` and `bytes` are of PEER. */
export function count(program: Assembler, packets: number, bytes: number): void {
  program
    .do(1, '=', 1)
    .addAtomically(PEER_VALUE, packets, 1)
    .load(4, 1, FRAME, KEPT_LENGTH)
    .addAtomically(PEER_VALUE, bytes, 1);
}

/** Makes `bytes` of room behind the header of the link, or takes as many away; `flags` are those of bpf_skb_adjust_room. */
export function adjustRoom(program: Assembler, bytes: number, flags: number, otherwise: string): void {
  program
    .do(1, '=', register(CONTEXT))
    .do(2, '=', bytes)
    .do(3, '=', ADJ_ROOM_MAC)
    .do(4, '=', flags)
    .call(SKB_ADJUST_ROOM)
    .jumpIf(0, '!=', 0, otherwise);
}

/** Where the steps jump to. */
export function end(program: Assembler, direction: number): Uint8Array {
  return (
    program
      .label('slow')
      .call(KTIME_GET_COARSE_NS)
      .store(8, PEER_VALUE, direction + MEMORY.SLOW_AT, register(0))
      .label('next')
      .do(0, '=', TCX_NEXT)
      .exit()
      // The kernel had no memory to change the packet, which has begun to change.
      .label('drop')
      .do(0, '=', TCX_DROP)
      .exit()
      .assemble()
  );
}

/** A number as it is loaded from where it stands in network order. */
export function stored32(value: number): number {
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setInt32(0, value);
  return bytes.getInt32(0, true);
}

export function stored16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8);
}
