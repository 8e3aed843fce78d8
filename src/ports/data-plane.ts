/** The packet loop: what it does, what it tells, and what of its packets can be seen. */
import type { Prefix } from '../model/address.js';
import type { CapturedPacket, CaptureQuestion } from '../model/captured-packet.js';
import type { ForwarderState, PeerState } from '../model/objects.js';

export interface DataPlaneCounters {
  /** Packets and bytes out of the TUN to peers, and from peers into the TUN. */
  readonly sent: { readonly packets: number; readonly bytes: number };
  readonly received: { readonly packets: number; readonly bytes: number };
  /** Reason → packets. */
  readonly drops: Readonly<Record<string, number>>;
  readonly peers: readonly PeerCounters[];
}

export interface PeerCounters {
  readonly subnet: Prefix;
  readonly sentPackets: number;
  readonly sentBytes: number;
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly drops: number;
  /** Milliseconds since the epoch; absent when nothing came yet. */
  readonly lastReceivedAt?: number;
}

/** Goes on until it is ended, also with a loop that takes the place of one that died. */
export interface PacketCapture {
  /** What has come since the last call, and how many packets were left out because that was too long ago. */
  take(): { readonly packets: readonly CapturedPacket[]; readonly missed: number };
  end(signal: AbortSignal): Promise<void>;
}

/** What the kernel does for the packet loop, many packets at a time; without one the loop does with single packets. */
export interface Offloads {
  /** TCP through the TUN. */
  readonly tso: boolean;
  /** UDP through the TUN. */
  readonly uso: boolean;
  /** Datagrams to peers. */
  readonly udpSegment: boolean;
  /** Datagrams from peers. */
  readonly udpGro: boolean;
  /** Packets that need nothing special do not come to the loop at all. */
  readonly fastPath: boolean;
}

/** The packet loop, seen from the control plane. It runs in a thread of its own and goes on when this side stalls. */
export interface DataPlane {
  /** What the loop confirmed to be running with; undefined when it does not run. */
  forwarder(): ForwarderState | undefined;
  /** The rows the loop confirmed to have. */
  peers(): readonly PeerState[];
  /** Opens TUN and socket, or changes what the loop runs with; rejects with SystemError (EADDRINUSE, EADDRNOTAVAIL, ENODEV, EBUSY). */
  configure(state: ForwarderState, signal: AbortSignal): Promise<void>;
  /** Closes TUN and socket; the persistent TUN stays. */
  shutDown(signal: AbortSignal): Promise<void>;
  /** Rows to set (by subnet) and subnets to forget; resolves once the loop has them. */
  updatePeers(
    change: { readonly set: readonly PeerState[]; readonly remove: readonly Prefix[] },
    signal: AbortSignal,
  ): Promise<void>;
  counters(): DataPlaneCounters;
  /** Shows the packets that `question` asks for, in place of the last capture. Rejects with SystemError: EINVAL for a question that makes no sense, ENOTCONN when no loop runs. */
  capture(question: CaptureQuestion, signal: AbortSignal): Promise<PacketCapture>;
  /** Of the TUN and the socket in use; all false when there is none. */
  offloads(): Offloads;
  /** What was asked of the kernel and is not had, each with the reason; for the operator. */
  refusals(): readonly string[];
  /** Wakes when the loop stopped, lost its TUN or socket, or confirmed something. */
  watch(wake: () => void, signal: AbortSignal): void;
}
