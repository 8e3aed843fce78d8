/** The thread of the probe: sends small UDP packets each way between the first two ends, and receives at all of them. */
import type { Socket } from 'node:dgram';
import { workerData } from 'node:worker_threads';
import { udpSocketIn } from '../lab/udp-socket.js';
import { ProbeCounts, type ProbeMemory } from './probe-memory.js';

export interface ProbeWork {
  readonly memory: ProbeMemory;
  /** Process number and address of each end. */
  readonly ends: readonly { readonly pid: number; readonly address: string }[];
  readonly port: number;
  readonly packetsPerSecond: number;
}

const MAGIC = 0x50524f42;
const PAYLOAD_BYTES = 64;
/** After a pause of this thread the rest is not sent: a burst would measure the queues. */
const MOST_AT_ONCE = 20;

const { memory, ends, port, packetsPerSecond } = workerData as ProbeWork;
const counts = new ProbeCounts(memory);
const sockets: Socket[] = [];
for (const [end, { pid }] of ends.entries()) {
  const socket = await udpSocketIn({ pid }, port);
  socket.on('message', (payload) => receive(end, payload));
  // What cannot be sent does not arrive: it is counted there.
  socket.on('error', () => {});
  sockets.push(socket);
}

/** Way 0 leads from end 0 to end 1, way 1 back. */
function send(way: number): void {
  const payload = Buffer.alloc(PAYLOAD_BYTES);
  payload.writeUInt32BE(MAGIC, 0);
  payload.writeUInt32BE(way, 4);
  payload.writeUInt32BE(counts.next(way), 8);
  sockets[way]?.send(payload, port, ends[1 - way]?.address, () => {});
}

function receive(end: number, payload: Buffer): void {
  const isOurs = payload.length === PAYLOAD_BYTES && payload.readUInt32BE(0) === MAGIC;
  const way = isOurs ? payload.readUInt32BE(4) : -1;
  if (end !== 1 - way) counts.arrivedWrongly();
  else counts.arrived(way, payload.readUInt32BE(8));
}

let due = 0;
let last = performance.now();
setInterval(() => {
  const now = performance.now();
  due = Math.min(MOST_AT_ONCE, due + ((now - last) * packetsPerSecond) / 1000);
  last = now;
  for (; due >= 1; due--) for (const way of [0, 1]) send(way);
}, 1);
