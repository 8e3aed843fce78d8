/** A forwarder whose TUN and socket are memory. */
import { Counters, countersMemory } from '../../src/dataplane/counters.js';
import { Forwarder } from '../../src/dataplane/forwarder.js';
import { PeerTable } from '../../src/dataplane/peer-table.js';
import { rulesOf } from '../../src/dataplane/rules.js';
import { parseAddress, parsePrefix } from '../../src/model/address.js';
import type { ForwarderState } from '../../src/model/objects.js';
import { ipv4Key } from '../../src/wire/ipv4.js';
import { type MemoryNetwork, type MemorySocket, MemoryTun } from './memory-network.js';

export const PORT = 8285;
/** Where each host has the other. */
export const PEER_ROW = 5;

export class MemoryHost {
  readonly tun = new MemoryTun();
  readonly socket: MemorySocket;
  readonly counters = new Counters(countersMemory());
  readonly peers = new PeerTable();
  readonly forwarder = new Forwarder(this.peers, this.counters);
  readonly state: ForwarderState;

  constructor(network: MemoryNetwork, third: number, publicIp: string) {
    this.socket = network.open(publicIp, PORT);
    this.state = {
      tun: 'flannel0',
      workers: 1,
      mtu: 1472,
      tunAddress: parseAddress(`10.1.${third}.0`),
      subnet: parsePrefix(`10.1.${third}.0/24`),
      publicIp: parseAddress(publicIp),
      bind: { address: parseAddress(publicIp), port: PORT },
      sourceCheck: 'strict',
      offload: true,
      fastPath: false,
    };
    this.forwarder.rules = rulesOf(this.state);
    this.forwarder.tun = this.tun;
    this.forwarder.socket = this.socket;
  }

  knows(third: number, publicIp: string): void {
    this.peers.set(PEER_ROW, {
      subnetBase: ipv4Key(parseAddress(`10.1.${third}.0`)),
      subnetLength: 24,
      publicIp: ipv4Key(parseAddress(publicIp)),
      port: PORT,
    });
  }

  turn(monotonicMs = 0): void {
    const now = { monotonicMs, epochMs: 1_795_000_000_000 };
    this.forwarder.forwardFromTun(now);
    this.forwarder.forwardFromNetwork(now);
  }

  /** The reasons that were counted, each once. */
  drops(): string[] {
    return Object.entries(this.counters.totals().drops).flatMap(([reason, packets]) =>
      new Array<string>(packets).fill(reason),
    );
  }
}
