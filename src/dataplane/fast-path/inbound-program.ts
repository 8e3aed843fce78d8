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
  lowerTtl,
  OWN_STACK,
  PEER_VALUE,
  PLAIN_IPV4,
  PROTOCOL,
  readLength,
  SKB,
  stored16,
  stored32,
  TCP_BYTES,
  takeStreamsApart,
  UDP_BYTES,
  verifyHeader,
} from './steps.js';
import { DIRECTION, PEER } from './tables.js';

// linux/bpf.h
const SKB_STORE_BYTES = 9;
const REDIRECT = 23;
const SKB_PULL_DATA = 39;
const KTIME_GET_BOOT_NS = 125;
const F_INGRESS = 1;
const F_RECOMPUTE_CSUM = 1;

const OUTER_BYTES = IP_BYTES + UDP_BYTES;
const OUTER = ETHERNET_BYTES;
const UDP = OUTER + IP_BYTES;
const INNER = OUTER + OUTER_BYTES;

/** On the stack: how the packet begins. */
const BEGINNING_BYTES = 8;
const BEGINNING = OWN_STACK - BEGINNING_BYTES;

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
  // Not more than a card's driver puts in front anyway: pulling is for the others.
  loadData(program, INNER + IP_BYTES, 'pull');
  program.jump('whole').label('pull');
  program
    .do(1, '=', register(CONTEXT))
    .do(2, '=', INNER + IP_BYTES)
    .call(SKB_PULL_DATA);
  loadData(program, INNER + IP_BYTES, 'next');
  program.label('whole');
  requireOurs(program, settings);
  findPeer(program, settings, INNER + 12);
  requireSender(program, settings);
  program.load(4, 0, CONTEXT, SKB.GSO_SIZE).jumpIf(0, '!=', 0, 'slow');
  readLength(program, INNER, settings);
  requireEqualLengths(program);
  program
    .load(4, 0, DATA, INNER + 16)
    .do(0, '&=', stored32(settings.subnetMask))
    .jumpIf(0, '!=', stored32(settings.subnetBase), 'next');
  verifyHeader(program, OUTER);
  verifyHeader(program, INNER);
  program
    .load(1, 0, DATA, INNER + 9)
    .jumpIf(0, '!=', PROTOCOL.TCP, 'single')
    .load(2, 0, DATA, INNER + 6)
    .do(0, '&=', FRAGMENT_BITS)
    .jumpIf(0, '!=', 0, 'slow')
    .do(1, '=', register(DATA))
    .do(1, '+=', INNER + IP_BYTES + TCP_BYTES)
    .jumpIf(1, '>', register(END), 'slow');
  takeStreamsApart(program, INNER);
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

/** A whole datagram to our socket, with a packet in it. */
function requireOurs(program: Assembler, { bindAddress, port }: FastPathSettings): void {
  program
    .load(1, 0, DATA, OUTER)
    .jumpIf(0, '!=', PLAIN_IPV4, 'next')
    .load(1, 0, DATA, OUTER + 9)
    .jumpIf(0, '!=', PROTOCOL.UDP, 'next')
    .load(4, 0, DATA, OUTER + 16)
    .jumpIf(0, '!=', stored32(bindAddress), 'next')
    .load(2, 0, DATA, UDP + 2)
    .jumpIf(0, '!=', stored16(port), 'next')
    .load(2, 0, DATA, OUTER + 6)
    .do(0, '&=', FRAGMENT_BITS)
    .jumpIf(0, '!=', 0, 'next')
    .load(1, 0, DATA, INNER)
    .jumpIf(0, '!=', PLAIN_IPV4, 'next');
}

/** The packet is from the subnet of the host that sent it, which every source check lets in; and that is not ourselves. */
function requireSender(program: Assembler, { bindAddress, publicIp }: FastPathSettings): void {
  program
    .load(4, 1, DATA, OUTER + 12)
    .load(4, 0, PEER_VALUE, PEER.PUBLIC_IP)
    .jumpIf(1, '!=', register(0), 'next')
    .jumpIf(1, '==', stored32(publicIp), 'next')
    .jumpIf(1, '==', stored32(bindAddress), 'next')
    .load(2, 1, DATA, UDP)
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
