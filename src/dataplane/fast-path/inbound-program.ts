/** What comes from a peer, on its way to the socket: put onto the TUN's link before it gets to the loop. */
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
  followTheSlow,
  IP_BYTES,
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
  verifyHeader,
} from './steps.js';
import { DIRECTION, PEER } from './tables.js';

// linux/bpf.h
const SKB_STORE_BYTES = 9;
const REDIRECT = 23;
const SKB_LOAD_BYTES = 26;
const KTIME_GET_BOOT_NS = 125;
const F_INGRESS = 1;
const F_RECOMPUTE_CSUM = 1;

const OUTER_BYTES = IP_BYTES + UDP_BYTES;
const OUTER = ETHERNET_BYTES;
const UDP = OUTER + IP_BYTES;
const INNER = OUTER + OUTER_BYTES;
const MOST_HEADER_BYTES = INNER + IP_BYTES + TCP_BYTES;

/** On the stack: how the packet begins. */
const BEGINNING_BYTES = 8;
const BEGINNING = OWN_STACK - BEGINNING_BYTES;
/** On the stack: of the headers a copy, at the same distances from here as they have from the beginning of the frame. */
const COPY = BEGINNING - (INNER + IP_BYTES);

/** BPF_PROG_TYPE_SCHED_CLS, for what comes in at an Ethernet link. */
export function inboundProgram(settings: FastPathSettings): Uint8Array {
  const program = new Assembler().do(CONTEXT, '=', register(1));
  program
    .load(4, 0, CONTEXT, SKB.PROTOCOL)
    .jumpIf(0, '!=', ETH_P_IP, 'next')
    // What a promiscuous card picks up, and what is on its way to a VLAN of this link.
    .load(4, 0, CONTEXT, SKB.PACKET_TYPE)
    .jumpIf(0, '!=', 0, 'next')
    .load(4, 0, CONTEXT, SKB.HAS_VLAN)
    .jumpIf(0, '!=', 0, 'next');
  // Most of what comes in at the card is nobody's here: it is looked at without being touched.
  copyHeaders(program);
  requireOurs(program, settings);
  findPeer(program, settings, FRAME, COPY + INNER + 12);
  requireSender(program, settings);
  program.load(4, 0, CONTEXT, SKB.GSO_SIZE).jumpIf(0, '!=', 0, 'slow');
  loadHeaders(program);
  readLength(program, INNER, settings);
  requireEqualLengths(program);
  program
    .load(4, 0, DATA, INNER + 16)
    .do(0, '&=', stored32(settings.subnetMask))
    .jumpIf(0, '!=', stored32(settings.subnetBase), 'next');
  verifyHeader(program, OUTER);
  verifyHeader(program, INNER);
  requireChecksum(program);
  program.label('single');
  followTheSlow(program, DIRECTION.IN);

  program.label('fast');
  takeOuterHeadersOff(program);
  loadData(program, ETHERNET_BYTES + IP_BYTES, 'drop');
  lowerTtl(program, ETHERNET_BYTES);
  count(program, PEER.RECEIVED_PACKETS, PEER.RECEIVED_BYTES);
  program
    .call(KTIME_GET_BOOT_NS)
    .store(8, PEER_VALUE, PEER.RECEIVED_AT, register(0))
    .do(1, '=', settings.tunIndex)
    .do(2, '=', F_INGRESS)
    .call(REDIRECT)
    .exit();
  return end(program, DIRECTION.IN);
}

/** Both IP headers, and that of UDP. */
function copyHeaders(program: Assembler): void {
  program
    .do(1, '=', register(CONTEXT))
    .do(2, '=', OUTER)
    .do(3, '=', register(FRAME))
    .do(3, '+=', COPY + OUTER)
    .do(4, '=', OUTER_BYTES + IP_BYTES)
    .call(SKB_LOAD_BYTES)
    .jumpIf(0, '!=', 0, 'next');
}

/** As much as there may be of all headers: a card's driver may have put less in front. */
function loadHeaders(program: Assembler): void {
  program
    .load(4, 2, CONTEXT, SKB.LENGTH)
    .jumpIf(2, '<=', MOST_HEADER_BYTES, 'few')
    .do(2, '=', MOST_HEADER_BYTES)
    .label('few')
    .load(4, DATA, CONTEXT, SKB.DATA)
    .load(4, END, CONTEXT, SKB.DATA_END)
    .do(1, '=', register(DATA))
    .do(1, '+=', MOST_HEADER_BYTES)
    .jumpIf(1, '<=', register(END), 'there')
    .do(1, '=', register(CONTEXT))
    .call(SKB_PULL_DATA)
    .label('there');
  loadData(program, INNER + IP_BYTES, 'next');
}

/** Nobody looks at the checksum of the datagram, which the socket would: so the packet must have one of its own. */
function requireChecksum(program: Assembler): void {
  program
    .load(1, 0, DATA, INNER + 9)
    .jumpIf(0, '==', PROTOCOL.ICMP, 'single')
    .load(2, 1, DATA, INNER + 6)
    .do(1, '&=', FRAGMENT_BITS)
    .jumpIf(0, '==', PROTOCOL.TCP, 'tcp')
    .jumpIf(0, '!=', PROTOCOL.UDP, 'next')
    .jumpIf(1, '!=', 0, 'slow');
  loadTransport(program, INNER, UDP_BYTES);
  program
    .load(2, 0, DATA, INNER + UDP_CHECKSUM)
    .jumpIf(0, '==', 0, 'slow')
    .jump('single');

  program.label('tcp').jumpIf(1, '!=', 0, 'slow');
  loadTransport(program, INNER, TCP_BYTES);
  takeStreamsApart(program, INNER);
}

/** A whole datagram to our socket, with a packet in it. */
function requireOurs(program: Assembler, { bindAddress, port }: FastPathSettings): void {
  program
    .load(1, 0, FRAME, COPY + OUTER)
    .jumpIf(0, '!=', PLAIN_IPV4, 'next')
    .load(1, 0, FRAME, COPY + OUTER + 9)
    .jumpIf(0, '!=', PROTOCOL.UDP, 'next')
    .load(4, 0, FRAME, COPY + OUTER + 16)
    .jumpIf(0, '!=', stored32(bindAddress), 'next')
    .load(2, 0, FRAME, COPY + UDP + 2)
    .jumpIf(0, '!=', stored16(port), 'next')
    .load(2, 0, FRAME, COPY + OUTER + 6)
    .do(0, '&=', FRAGMENT_BITS)
    .jumpIf(0, '!=', 0, 'next')
    .load(1, 0, FRAME, COPY + INNER)
    .jumpIf(0, '!=', PLAIN_IPV4, 'next');
}

/** The packet is from the subnet of the host that sent it, which every source check lets in; and that is not ourselves. */
function requireSender(program: Assembler, { bindAddress, publicIp }: FastPathSettings): void {
  program
    .load(4, 1, FRAME, COPY + OUTER + 12)
    .load(4, 0, PEER_VALUE, PEER.PUBLIC_IP)
    .jumpIf(1, '!=', register(0), 'next')
    .jumpIf(1, '==', stored32(publicIp), 'next')
    .jumpIf(1, '==', stored32(bindAddress), 'next')
    .load(2, 1, FRAME, COPY + UDP)
    .load(2, 0, PEER_VALUE, PEER.PORT)
    .jumpIf(1, '!=', register(0), 'next');
}

/** All lengths agree: nothing is cut off, and nothing hangs behind. */
function requireEqualLengths(program: Assembler): void {
  program
    .do(LENGTH, '+=', INNER)
    .load(4, 0, CONTEXT, SKB.LENGTH)
    .jumpIf(0, '!=', register(LENGTH), 'next')
    .load(2, 0, DATA, OUTER + 2)
    .swap16(0)
    .do(0, '+=', OUTER)
    .jumpIf(0, '!=', register(LENGTH), 'next')
    .load(2, 0, DATA, UDP + 4)
    .swap16(0)
    .do(0, '+=', UDP)
    .jumpIf(0, '!=', register(LENGTH), 'next')
    .do(LENGTH, '-=', INNER);
}

/**
 * Together with the beginning of the packet, which is put back. A datagram over a virtual link comes with a note of where a card is to
 * put its checksum (CHECKSUM_PARTIAL), and the kernel forgets that note once everything up to there is gone; with it, NAT would
 * take the packet's own checksum for one that is not complete, and spoil it.
 */
function takeOuterHeadersOff(program: Assembler): void {
  for (let word = 0; word < BEGINNING_BYTES; word += 4) {
    program.load(4, 0, DATA, INNER + word).store(4, FRAME, BEGINNING + word, register(0));
  }
  adjustRoom(program, -(OUTER_BYTES + BEGINNING_BYTES), 0, 'next');
  adjustRoom(program, BEGINNING_BYTES, 0, 'drop');
  program
    .do(1, '=', register(CONTEXT))
    .do(2, '=', ETHERNET_BYTES)
    .do(3, '=', register(FRAME))
    .do(3, '+=', BEGINNING)
    .do(4, '=', BEGINNING_BYTES)
    .do(5, '=', F_RECOMPUTE_CSUM)
    .call(SKB_STORE_BYTES)
    .jumpIf(0, '!=', 0, 'drop');
}
