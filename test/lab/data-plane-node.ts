/**
 * A program of its own around one data plane: obeys calls that come over the IPC channel, one answer each, and
 * misbehaves on request. Started by data-plane-remote.ts inside a host of the lab.
 */

import type { PeerState } from '../../src/model/objects.js';
import type { DataPlane, Log } from '../../src/ports.js';
import { createDataPlane } from '../../src/sys/data-plane.js';

export type Call =
  | { readonly call: 'configure'; readonly state: Parameters<DataPlane['configure']>[0] }
  | { readonly call: 'updatePeers'; readonly change: Parameters<DataPlane['updatePeers']>[0] }
  | {
      readonly call: 'shutDown' | 'forwarder' | 'peers' | 'counters' | 'offloads' | 'wakes' | 'cpuMs' | 'log';
    }
  /** Moves one peer to and fro; the answer is how long each change took to be in force, milliseconds. */
  | { readonly call: 'timeChanges'; readonly peer: PeerState; readonly count: number }
  /** Keeps the main thread busy; the answer comes at once. */
  | { readonly call: 'stall'; readonly ms: number }
  | { readonly call: 'die'; readonly how: 'exit' | 'throw' | 'reject' | 'run out' };

export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly message: string; readonly code: string | undefined };
}

const CALL_MS = 5000;
const lines: string[] = [];
const log: Log = {
  debug: () => {},
  info: (fields, message) => lines.push(`info ${message} ${JSON.stringify(fields)}`),
  warn: (fields, message) => lines.push(`warn ${message} ${JSON.stringify(fields)}`),
  error: (fields, message) => lines.push(`error ${message} ${JSON.stringify(fields)}`),
};
const dataPlane = createDataPlane({ log });
let wakes = 0;
dataPlane.watch(() => {
  wakes++;
}, new AbortController().signal);

async function obey(call: Call): Promise<unknown> {
  const signal = AbortSignal.timeout(CALL_MS);
  switch (call.call) {
    case 'configure':
      return dataPlane.configure(call.state, signal);
    case 'updatePeers':
      return dataPlane.updatePeers(call.change, signal);
    case 'shutDown':
      return dataPlane.shutDown(signal);
    case 'forwarder':
      return dataPlane.forwarder() ?? null;
    case 'peers':
      return dataPlane.peers();
    case 'counters':
      return dataPlane.counters();
    case 'offloads':
      return dataPlane.offloads();
    case 'wakes':
      return wakes;
    case 'cpuMs':
      return (process.cpuUsage().user + process.cpuUsage().system) / 1000;
    case 'log':
      return lines;
    case 'timeChanges':
      return timeChanges(call.peer, call.count, signal);
    case 'stall':
      setImmediate(() => {
        const end = performance.now() + call.ms;
        while (performance.now() < end);
      });
      return;
    case 'die':
      setImmediate(() => die(call.how));
      return;
  }
}

async function timeChanges(peer: PeerState, count: number, signal: AbortSignal): Promise<number[]> {
  const times: number[] = [];
  for (let change = 0; change < count; change++) {
    const start = performance.now();
    await dataPlane.updatePeers({ set: [{ ...peer, port: peer.port + (change % 2) }], remove: [] }, signal);
    times.push(performance.now() - start);
  }
  return times;
}

function die(how: Extract<Call, { call: 'die' }>['how']): void {
  if (how === 'exit') process.exit(3);
  if (how === 'throw') throw new Error('thrown on request');
  if (how === 'reject') void Promise.reject(new Error('rejected on request'));
  // Nothing is left for the main thread to do once the channel is closed.
  if (how === 'run out') process.disconnect();
}

process.on('message', async ({ id, ...call }: Call & { readonly id: number }) => {
  const answer = await obey(call as Call).then(
    (value): Answer => ({ id, value }),
    (error: Error & { code?: string }): Answer => ({
      id,
      error: { message: error.message, code: error.code },
    }),
  );
  process.send?.(answer);
});
