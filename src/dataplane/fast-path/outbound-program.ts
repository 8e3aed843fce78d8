/**
 * What the kernel routes into the TUN, on its way to a peer: sent as a datagram before it gets to the loop.
 *
 * Containers leave the checksums of UDP and TCP to a card (CHECKSUM_PARTIAL), which completes none inside a datagram; a virtual card
 * hands the packet on with a note of what is missing, which a socket at the other end does not read. So they are completed here.
 */
import { Assembler, register } from './assembler.js';
import {
  adjustRoom,
  CONTEXT,
  count,
  DATA,
  END,
  ETH_P_IP,
  ETHERNET_BYTES,
  end,
  type FastPathSettings,
  FRAGMENT_BITS,
  FRAME,
  findPeer,
  fold,
  followTheSlow,
  IP_BYTES,
  KEPT_LENGTH,
  LENGTH,
  loadData,
  loadTransport,
  lowerTtl,
  OWN_STACK,
  PEER_VALUE,
  PLAIN_IPV4,
  PROTOCOL,
  readLength,
  SKB,
  SKB_PULL_DATA,
  stored16,
  stored32,
  TCP_BYTES,
  takeStreamsApart,
  UDP_BYTES,
  UDP_CHECKSUM,
} from './steps.js';
import { DIRECTION, PEER } from './tables.js';

// linux/bpf.h
const SKB_CHANGE_HEAD = 43;
const FIB_LOOKUP = 69;
const REDIRECT_NEIGH = 152;

const F_ADJ_ROOM_ENCAP_L3_IPV4 = 2;
const F_ADJ_ROOM_ENCAP_L4_UDP = 16;

const AF_INET = 2;
const LOOPBACK_INDEX = 1; // in every network namespace

// struct bpf_fib_lookup, on the stack; ADDRESS becomes the gateway's where there is one.
const FIB_BYTES = 64;
const FIB = OWN_STACK - FIB_BYTES;
const FIB_PROTOCOL = FIB + 1;
const FIB_SOURCE_PORT = FIB + 2;
const FIB_DESTINATION_PORT = FIB + 4;
const FIB_LENGTH = FIB + 6;
const FIB_INDEX = FIB + 8;
const FIB_SOURCE = FIB + 16;
const FIB_DESTINATION = FIB + 32;
const ADDRESS_BYTES = 16;

// struct bpf_redir_neigh: a family and an address.
const NEIGHBOUR_BYTES = 4 + ADDRESS_BYTES;
const NEIGHBOUR = FIB - 24;

/** Where the packet has a checksum that is to be completed; 0 when it has none. */
const UNFINISHED_AT = NEIGHBOUR - 4;
const TCP_CHECKSUM = IP_BYTES + 16;
const MOST_SUMMED_BYTES = 2_048;
/** At a time. */
const SUMMED_BYTES = 32;
/** Registers: the sum, what is added next, and how often it went on. */
const SUMMING = [0, 1, 2] as const;

/** More than the IP header: up to where the kernel adds up from, and a little. */
const MOVED_BYTES = 24;
const MOVED = UNFINISHED_AT - 4 - MOVED_BYTES;

const OUTER_BYTES = IP_BYTES + UDP_BYTES;
const OUTER = ETHERNET_BYTES;
const INNER = OUTER + OUTER_BYTES;
const OUTER_TTL = 64;
const DONT_FRAGMENT = 0x4000;

/** BPF_PROG_TYPE_SCHED_CLS, for what leaves the TUN's link: packets without a header of a link in front. */
export function outboundProgram(settings: FastPathSettings): Uint8Array {
  const program = new Assembler().do(CONTEXT, '=', register(1));
  program.load(4, 0, CONTEXT, SKB.PROTOCOL).jumpIf(0, '!=', ETH_P_IP, 'next');
  loadData(program, IP_BYTES, 'next');
  program.load(1, 0, DATA, 0).jumpIf(0, '!=', PLAIN_IPV4, 'next');
  findPeer(program, settings, DATA, 16);
  program.load(4, 0, CONTEXT, SKB.GSO_SIZE).jumpIf(0, '!=', 0, 'slow');
  readLength(program, 0, settings);
  program.load(4, 0, CONTEXT, SKB.LENGTH).jumpIf(0, '!=', register(LENGTH), 'next');
  takeProtocolsApart(program);
  program.label('single');
  followTheSlow(program, DIRECTION.OUT);

  program.label('fast');
  findRoute(program, settings);
  program.load(4, 0, FRAME, UNFINISHED_AT).jumpIf(0, '==', 0, 'finished');
  completeChecksum(program);
  moveOutOfItsPlace(program);
  program.jump('wrapped').label('finished');
  makeRoom(program);
  program.label('wrapped');
  writeOuterHeader(program, settings);
  lowerTtl(program, INNER);
  count(program, PEER.SENT_PACKETS, PEER.SENT_BYTES);
  program
    .load(4, 1, FRAME, FIB_INDEX)
    .do(2, '=', register(FRAME))
    .do(2, '+=', NEIGHBOUR)
    .do(3, '=', NEIGHBOUR_BYTES)
    .do(4, '=', 0)
    .call(REDIRECT_NEIGH)
    .exit();
  return end(program, DIRECTION.OUT);
}

/** ICMP is always complete, and so is a fragment of UDP. Of other protocols it is not known where their checksum is. */
function takeProtocolsApart(program: Assembler): void {
  program
    .store(4, FRAME, UNFINISHED_AT, 0)
    .load(2, 0, DATA, 6)
    .do(0, '&=', FRAGMENT_BITS)
    .do(1, '=', register(0))
    .load(1, 0, DATA, 9)
    .jumpIf(0, '==', PROTOCOL.TCP, 'tcp')
    .jumpIf(0, '==', PROTOCOL.UDP, 'udp')
    .jumpIf(0, '==', PROTOCOL.ICMP, 'single')
    .jump('next');

  program.label('udp').jumpIf(1, '!=', 0, 'single');
  loadTransport(program, 0, UDP_BYTES);
  // Without a checksum of its own it may be a tunnel with an unfinished one deep inside.
  program.load(2, 2, DATA, UDP_CHECKSUM).jumpIf(2, '==', 0, 'slow');
  findUnfinished(program, PROTOCOL.UDP, UDP_CHECKSUM, 'single');

  program.label('tcp').jumpIf(1, '!=', 0, 'slow');
  loadTransport(program, 0, TCP_BYTES);
  program.load(2, 2, DATA, TCP_CHECKSUM);
  findUnfinished(program, PROTOCOL.TCP, TCP_CHECKSUM, 'stream');
  program.label('stream');
  takeStreamsApart(program, 0);
}

/** A checksum, in register 2, that is the sum of the pseudo-header alone is one that a card was to complete. */
function findUnfinished(program: Assembler, protocol: number, at: number, otherwise: string): void {
  program
    .do(0, '=', register(LENGTH))
    .do(0, '-=', IP_BYTES)
    .swap16(0)
    .do(0, '+=', stored16(protocol))
    .load(4, 1, DATA, 12)
    .do(0, '+=', register(1))
    .load(4, 1, DATA, 16)
    .do(0, '+=', register(1));
  fold(program, 0, 1);
  program
    .jumpIf(0, '!=', register(2), otherwise)
    .jumpIf(LENGTH, '<', MOVED_BYTES + IP_BYTES, 'slow')
    .jumpIf(LENGTH, '>', MOST_SUMMED_BYTES, 'slow')
    .store(4, FRAME, UNFINISHED_AT, at)
    .jump(otherwise);
}

/** Adds up everything behind the IP header (RFC 1071). One that was complete all the same, by chance, comes out as it was. */
function completeChecksum(program: Assembler): void {
  const [sum, next, steps] = SUMMING;
  program
    .do(1, '=', register(CONTEXT))
    .load(4, 2, FRAME, KEPT_LENGTH)
    .call(SKB_PULL_DATA)
    .jumpIf(0, '!=', 0, 'next');
  loadData(program, MOVED_BYTES + IP_BYTES, 'next');
  program
    .do(sum, '=', 0)
    .do(steps, '=', 0)
    .do(next, '=', register(DATA))
    .do(next, '+=', IP_BYTES)
    .label('sum');
  addBytes(program, SUMMED_BYTES, 'rest');
  // The verifier wants to see that it comes to an end, and follows each step of it: so they are large.
  program
    .do(steps, '+=', 1)
    .jumpIf(steps, '<=', MOST_SUMMED_BYTES / SUMMED_BYTES, 'sum')
    .jump('next')
    .label('rest');
  for (let bytes = SUMMED_BYTES / 2; bytes >= 1; bytes /= 2) {
    addBytes(program, bytes, `no ${bytes}`);
    program.label(`no ${bytes}`);
  }
  fold(program, sum, 1);
  program
    .do(sum, '^=', 0xffff)
    .load(4, 1, FRAME, UNFINISHED_AT)
    .jumpIf(1, '==', TCP_CHECKSUM, 'into tcp')
    .jumpIf(sum, '!=', 0, 'into udp')
    .do(sum, '=', 0xffff) // zero is none (RFC 768)
    .label('into udp')
    .store(2, DATA, UDP_CHECKSUM, register(sum))
    .jump('complete')
    .label('into tcp')
    .store(2, DATA, TCP_CHECKSUM, register(sum))
    .label('complete');
}

/** The next `bytes`, a power of two, are added to the sum when they are there. */
function addBytes(program: Assembler, bytes: number, otherwise: string): void {
  const [sum, next] = SUMMING;
  const width = bytes >= 4 ? 4 : (bytes as 1 | 2);
  program.do(3, '=', register(next)).do(3, '+=', bytes).jumpIf(3, '>', register(END), otherwise);
  for (let at = 0; at < bytes; at += width) program.load(width, 4, next, at).do(sum, '+=', register(4));
  program.do(next, '=', register(3));
}

/**
 * Takes the beginning of the packet off and puts it back further in front. The kernel forgets that a checksum is missing once everything
 * up to there is gone (skb_postpull_rcsum of linux/skbuff.h), and would otherwise complete it a second time.
 */
function moveOutOfItsPlace(program: Assembler): void {
  for (let word = 0; word < MOVED_BYTES; word += 8)
    program.load(8, 0, DATA, word).store(8, FRAME, MOVED + word, register(0));
  adjustRoom(program, -MOVED_BYTES, 0, 'drop');
  changeHead(program, INNER + MOVED_BYTES);
  loadData(program, INNER + MOVED_BYTES, 'drop');
  for (let word = 0; word < MOVED_BYTES; word += 8)
    program.load(8, 0, FRAME, MOVED + word).store(8, DATA, INNER + word, register(0));
}

/** A packet in which another one is wrapped already is refused: that may have an unfinished checksum, too. */
function makeRoom(program: Assembler): void {
  adjustRoom(program, OUTER_BYTES, F_ADJ_ROOM_ENCAP_L3_IPV4 | F_ADJ_ROOM_ENCAP_L4_UDP, 'next');
  changeHead(program, ETHERNET_BYTES);
  loadData(program, INNER + IP_BYTES, 'drop');
}

/** Room in front of everything, for the header of a link among it. */
function changeHead(program: Assembler, bytes: number): void {
  program
    .do(1, '=', register(CONTEXT))
    .do(2, '=', bytes)
    .do(3, '=', 0)
    .call(SKB_CHANGE_HEAD)
    .jumpIf(0, '!=', 0, 'drop');
}

/**
 * As for a datagram of the host itself: rules, gateways and the MTU of the way are respected. Without a route the loop has to say so, and
 * without a neighbour it has to find one.
 */
function findRoute(program: Assembler, { bindAddress, port, leavesBy }: FastPathSettings): void {
  for (let offset = FIB; offset < OWN_STACK; offset += 8) program.store(8, FRAME, offset, 0);
  program
    .store(1, FRAME, FIB, AF_INET)
    .store(1, FRAME, FIB_PROTOCOL, PROTOCOL.UDP)
    .store(2, FRAME, FIB_SOURCE_PORT, stored16(port))
    .load(2, 0, PEER_VALUE, PEER.PORT)
    .store(2, FRAME, FIB_DESTINATION_PORT, register(0))
    .load(4, 0, FRAME, KEPT_LENGTH)
    .do(0, '+=', OUTER_BYTES)
    .store(2, FRAME, FIB_LENGTH, register(0))
    .store(4, FRAME, FIB_INDEX, LOOPBACK_INDEX)
    .store(4, FRAME, FIB_SOURCE, stored32(bindAddress))
    .load(4, 0, PEER_VALUE, PEER.PUBLIC_IP)
    .store(4, FRAME, FIB_DESTINATION, register(0))
    .do(1, '=', register(CONTEXT))
    .do(2, '=', register(FRAME))
    .do(2, '+=', FIB)
    .do(3, '=', FIB_BYTES)
    .do(4, '=', 0)
    .call(FIB_LOOKUP)
    .jumpIf(0, '!=', 0, 'slow');
  if (leavesBy !== undefined) program.load(4, 0, FRAME, FIB_INDEX).jumpIf(0, '!=', leavesBy, 'slow');
  program.load(1, 0, FRAME, FIB).store(4, FRAME, NEIGHBOUR, register(0));
  for (let word = 0; word < ADDRESS_BYTES; word += 4) {
    program.load(4, 0, FRAME, FIB_DESTINATION + word).store(4, FRAME, NEIGHBOUR + 4 + word, register(0));
  }
}

/**
 * IP and UDP, as a socket of the host sends them by default (RFC 791, RFC 768), but for the checksum of UDP, which there is none of: a tunnel may
 * do without (RFC 8085, section 3.4.1 speaks of IPv6 alone), for the packet has its own.
 */
function writeOuterHeader(program: Assembler, { bindAddress, port }: FastPathSettings): void {
  const source = stored32(bindAddress);
  const versionAndService = PLAIN_IPV4;
  const ttlAndProtocol = OUTER_TTL | (PROTOCOL.UDP << 8);
  const constantSum =
    versionAndService + stored16(DONT_FRAGMENT) + ttlAndProtocol + (source & 0xffff) + (source >>> 16);
  program
    .load(4, 3, FRAME, KEPT_LENGTH)
    .do(3, '+=', UDP_BYTES)
    .do(4, '=', register(3))
    .do(3, '+=', IP_BYTES)
    .swap16(3)
    .swap16(4)
    .load(4, 5, PEER_VALUE, PEER.PUBLIC_IP)
    .load(2, 2, PEER_VALUE, PEER.PORT)
    .store(2, DATA, OUTER, versionAndService)
    .store(2, DATA, OUTER + 2, register(3))
    .store(2, DATA, OUTER + 4, 0)
    .store(2, DATA, OUTER + 6, stored16(DONT_FRAGMENT))
    .store(2, DATA, OUTER + 8, ttlAndProtocol)
    .store(4, DATA, OUTER + 12, source)
    .store(4, DATA, OUTER + 16, register(5))
    .store(2, DATA, OUTER + IP_BYTES, stored16(port))
    .store(2, DATA, OUTER + IP_BYTES + 2, register(2))
    .store(2, DATA, OUTER + IP_BYTES + 4, register(4))
    .store(2, DATA, OUTER + IP_BYTES + 6, 0)
    .do(3, '+=', constantSum)
    .do(3, '+=', register(5));
  fold(program, 3, 4);
  program.do(3, '^=', 0xffff).store(2, DATA, OUTER + 10, register(3));
}
