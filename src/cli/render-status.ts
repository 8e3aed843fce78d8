/** The daemon's status as text. Pure. */

import { counted } from '../model/counted.js';
import { type Painter, plain } from '../model/paint.js';
import type { ObjectState, StatusReport } from '../model/status.js';
import { trialText } from '../model/trial.js';
import { HEALTH_COLOURS, OBJECT_COLOURS, SYNC_COLOURS } from './state-colours.js';
import { table } from './table.js';

export function statusText(report: StatusReport, paint: Painter = plain): string {
  const lines = [
    ...headLines(report, paint),
    ...conditionLines(report, paint),
    ...objectLines(report, paint),
    ...peerLines(report),
    ...trafficLines(report),
    ...noteLines(report),
  ];
  return `${lines.join('\n')}\n`;
}

/** One line, for a prompt or a log. */
export function briefText(report: StatusReport, paint: Painter = plain): string {
  const { sync, health, conditions, peers } = report;
  const [head = ''] = headLines(report, paint);
  const parts = [
    head,
    `sync ${paint(SYNC_COLOURS[sync.state], sync.state)}`,
    `health ${paint(HEALTH_COLOURS[health.state], health.state)}`,
    conditions.map(({ type }) => type).join(', '),
    counted(peers.length, 'peer'),
  ];
  return `${parts.filter((part) => part !== '').join('; ')}\n`;
}

/** The other hosts alone. */
export function peersText(report: Pick<StatusReport, 'peers'>): string {
  const [, ...lines] = peerLines(report);
  return `${lines.length === 0 ? 'no peers' : lines.join('\n')}\n`;
}

const SYNC_WORDS = {
  'in-sync': 'in sync',
  drifted: 'drifted',
  conflict: 'in conflict',
  unknown: 'not known',
} as const satisfies Record<StatusReport['sync']['state'], string>;

function standingLine(
  name: string,
  word: string,
  { since, reason }: StatusReport['sync' | 'health'],
): string {
  return `${name.padEnd(10)}${word} since ${since}${reason && `: ${reason}`}`;
}

function headLines(report: StatusReport, paint: Painter): string[] {
  const { instance, ready, reason, pid, config, store, network, lease, sync, health } = report;
  const lines = [
    ready
      ? `${instance}: ${paint('green', 'ready')} (pid ${pid})`
      : `${instance}: ${paint('red', 'not ready')}: ${reason} (pid ${pid})`,
    standingLine('sync', paint(SYNC_COLOURS[sync.state], SYNC_WORDS[sync.state]), sync),
    standingLine('health', paint(HEALTH_COLOURS[health.state], health.state), health),
    `config    ${config.path}, loaded ${config.loadedAt}`,
  ];
  if (config.error !== undefined)
    lines.push(...`          kept, because: ${config.error}`.trimEnd().split('\n'));
  if (report.trial !== undefined) lines.push(`trial     ${paint('yellow', trialText(report.trial))}`);
  lines.push(
    `store     ${store.description}: ${store.status} since ${store.since}${store.error ? ` (${store.error})` : ''}`,
  );
  if (network !== undefined) {
    const { cidrs, backend, subnets, subnetReason, publicIps, mtu } = network;
    lines.push(`network   ${cidrs.join(', ')}, backend ${backend}, mtu ${mtu}`);
    lines.push(`subnet    ${subnets.join(', ')} (${subnetReason}) at ${publicIps.join(', ')}`);
  }
  if (lease !== undefined) {
    const term =
      lease.etcdLease === '0' ? 'reserved, does not expire' : `until ${lease.expiresAt ?? 'not known yet'}`;
    lines.push(`lease     ${term}`);
  }
  return lines;
}

function conditionLines({ conditions }: StatusReport, paint: Painter): string[] {
  const rows = conditions.map(({ type, since, message }) => [type, since, message]);
  return table(['CONDITION', 'SINCE', 'DETAIL'], rows, { CONDITION: (type) => paint('yellow', type) });
}

function objectLines({ objects }: StatusReport, paint: Painter): string[] {
  const rows = objects
    // Peers have a table of their own; one that is not as wanted is said here too.
    .filter(({ kind, state }) => kind !== 'peer' || state !== 'in-sync')
    .map(({ key, state, since, nextTryAt = '-', reason }) => [key, state, since, nextTryAt, reason]);
  const STATE = (state: string) => paint(OBJECT_COLOURS[state as ObjectState], state);
  return table(['OBJECT', 'STATE', 'SINCE', 'NEXT TRY', 'REASON'], rows, { STATE });
}

function peerLines({ peers }: Pick<StatusReport, 'peers'>): string[] {
  const rows = peers.map(({ subnet, publicIp, sentPackets, receivedPackets, drops, lastReceivedAt }) => [
    subnet,
    publicIp,
    String(sentPackets ?? '-'),
    String(receivedPackets ?? '-'),
    String(drops ?? '-'),
    lastReceivedAt ?? (sentPackets === undefined ? '-' : 'never'),
  ]);
  return table(['PEER', 'AT', 'SENT', 'RECEIVED', 'DROPPED', 'LAST HEARD'], rows);
}

function trafficLines({ traffic }: StatusReport): string[] {
  const { sentPackets, sentBytes, receivedPackets, receivedBytes, drops, offloads } = traffic;
  const dropped = Object.entries(drops).map(([reason, packets]) => `${reason} ${packets}`);
  const inForce = Object.keys(offloads).filter((name) => offloads[name]);
  return [
    '',
    `sent ${volume(sentPackets, sentBytes)}; received ${volume(receivedPackets, receivedBytes)}`,
    `dropped: ${dropped.length === 0 ? 'none' : dropped.join(', ')}`,
    `offload: ${inForce.length === 0 ? 'none' : inForce.join(', ')}`,
  ];
}

function volume(packets: number, bytes: number): string {
  return `${counted(packets, 'packet')}, ${counted(bytes, 'byte')}`;
}

function noteLines({ notes }: StatusReport): string[] {
  return notes.length === 0 ? [] : ['', ...notes.map((note) => `note: ${note}`)];
}
