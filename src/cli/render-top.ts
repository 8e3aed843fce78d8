/** What each peer sends and gets, as rates between two looks at the daemon. Pure. */

import { counted } from '../model/counted.js';
import { type Painter, plain } from '../model/paint.js';
import type { PeerStatus, StatusReport } from '../model/status.js';
import { table } from './table.js';

/** The busiest first, and of those that are as busy the order of the subnets. `seconds` passed between the two. */
export function topText(
  before: StatusReport,
  after: StatusReport,
  seconds: number,
  paint: Painter = plain,
): string {
  const earlier = new Map(before.peers.map((peer) => [peer.subnet, peer]));
  const rows = after.peers.map((peer) => rowOf(earlier.get(peer.subnet), peer, seconds));
  rows.sort((left, right) => right.bytes - left.bytes);
  const [, ...lines] = table(
    HEAD,
    rows.map(({ cells }) => cells),
  );
  const drops = Object.entries(after.traffic.drops)
    .map(([reason, packets]) => [reason, packets - (before.traffic.drops[reason] ?? 0)] as const)
    .filter(([, packets]) => packets > 0)
    .map(([reason, packets]) => `${reason} ${rate(packets, seconds)}`);
  const total = (name: 'sentBytes' | 'receivedBytes') =>
    bits(Math.max(0, after.traffic[name] - before.traffic[name]), seconds);
  return `${[
    `${after.instance}: ${after.ready ? paint('green', 'ready') : `${paint('red', 'not ready')}: ${after.reason}`}, ${counted(after.peers.length, 'peer')}; sends ${total('sentBytes')}, gets ${total('receivedBytes')}`,
    `drops/s: ${drops.length === 0 ? 'none' : drops.join(', ')}`,
    ...(lines.length === 0 ? [] : ['', ...lines]),
  ].join('\n')}\n`;
}

const HEAD = ['PEER', 'AT', 'SENT P/S', 'SENT', 'GOT P/S', 'GOT', 'DROPS/S', 'LAST HEARD'];
const UNKNOWN = '-';

/** A counter that is smaller than before has begun anew: the daemon was restarted. */
function rowOf(before: PeerStatus | undefined, after: PeerStatus, seconds: number) {
  const grown = (name: 'sentPackets' | 'sentBytes' | 'receivedPackets' | 'receivedBytes' | 'drops') => {
    const [now, then] = [after[name], before?.[name] ?? 0];
    return now === undefined ? undefined : now < then ? now : now - then;
  };
  const shown = (count: number | undefined, text: (count: number, seconds: number) => string) =>
    count === undefined ? UNKNOWN : text(count, seconds);
  const [sent, received] = [grown('sentBytes'), grown('receivedBytes')];
  return {
    bytes: (sent ?? 0) + (received ?? 0),
    cells: [
      after.subnet,
      after.publicIp,
      shown(grown('sentPackets'), rate),
      shown(sent, bits),
      shown(grown('receivedPackets'), rate),
      shown(received, bits),
      shown(grown('drops'), rate),
      after.lastReceivedAt ?? (after.sentPackets === undefined ? UNKNOWN : 'never'),
    ],
  };
}

function rate(count: number, seconds: number): string {
  return String(Math.round(count / seconds));
}

const UNITS = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s'] as const;

function bits(bytes: number, seconds: number): string {
  let value = (bytes * 8) / seconds;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}
