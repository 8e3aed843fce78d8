/**
 * What a packet loop ran with, as text that grows: a line of all that it had, then one for each change. So a change costs
 * the same among a hundred peers and among ten thousand. Pure; remembered-data-plane.ts keeps the file.
 */
import type { Prefix } from '../../model/address.js';
import type { Config } from '../../model/config.js';
import type { ForwarderState, PeerState } from '../../model/objects.js';

export interface ForwardingRecord {
  /** Another file is another wish: then nothing is resumed. */
  readonly config: Config;
  readonly forwarder: ForwarderState;
  readonly peers: readonly PeerState[];
}

export interface PeersChange {
  readonly set: readonly PeerState[];
  readonly remove: readonly Prefix[];
}

/** Of another one nothing is resumed. */
const FORMAT = 2;

interface Head extends Omit<ForwardingRecord, 'peers'> {
  readonly format: typeof FORMAT;
}

interface Change {
  readonly set: readonly (readonly [PeerState['subnet'], PeerState['publicIp'], PeerState['port']])[];
  readonly remove: readonly Prefix[];
}

/** The whole of it, as the beginning of a file. */
export function recordText({ config, forwarder, peers }: ForwardingRecord): string {
  const head: Head = { format: FORMAT, config, forwarder };
  return `${JSON.stringify(head)}\n${changeText({ set: peers, remove: [] })}`;
}

/** To be put at the end of the file. */
export function changeText({ set, remove }: PeersChange): string {
  const change: Change = {
    set: set.map(({ subnet, publicIp, port }) => [subnet, publicIp, port]),
    remove,
  };
  return `${JSON.stringify(change)}\n`;
}

/** Undefined for what another version wrote. Throws SyntaxError for what is no record. A line that was not finished is left out. */
export function parseRecord(text: string): ForwardingRecord | undefined {
  const [first = '', ...changes] = text.split('\n').slice(0, -1);
  const { format, config, forwarder } = JSON.parse(first) as Head;
  if (format !== FORMAT) return undefined;
  const peers = new Map<Prefix, PeerState>();
  for (const line of changes) {
    const { set, remove } = JSON.parse(line) as Change;
    for (const [subnet, publicIp, port] of set) peers.set(subnet, { subnet, publicIp, port });
    for (const subnet of remove) peers.delete(subnet);
  }
  return { config, forwarder, peers: [...peers.values()] };
}
