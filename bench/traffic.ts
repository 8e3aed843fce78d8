/** iperf3 from one container to another. */
import type { Container } from '../test/lab/docker-bridge.js';

export interface Ends {
  readonly sender: Container;
  readonly receiver: Container;
}

const START_MS = 10_000;
const MARGIN_MS = 30_000;

/** TCP from container to container; bits a second that arrived. */
export async function stream(ends: Ends, streams: number, seconds: number): Promise<number> {
  const { end } = await iperf(ends, ['--parallel', String(streams)], seconds);
  return end.sum_received.bits_per_second;
}

/** UDP from container to container, always more than can pass; datagrams a second that the receiver took. */
export async function flood(ends: Ends, payloadBytes: number, seconds: number): Promise<number> {
  const before = await datagramsTaken(ends);
  const argv = ['--udp', '--bitrate', '0', '--length', String(payloadBytes)];
  const { end } = await iperf(ends, argv, seconds);
  return ((await datagramsTaken(ends)) - before) / end.sum.seconds;
}

interface IperfReport {
  readonly end: {
    readonly sum: { readonly seconds: number };
    readonly sum_received: { readonly bits_per_second: number };
  };
}

async function iperf(ends: Ends, options: readonly string[], seconds: number): Promise<IperfReport> {
  const server = ends.receiver.spawn(['iperf3', '--server', '--one-off', '--forceflush']);
  try {
    await server.waitForLine(/listening/i, START_MS);
    const argv = [
      'iperf3',
      '--client',
      ends.receiver.address,
      '--time',
      String(seconds),
      '--json',
      ...options,
    ];
    const text = await ends.sender.output(argv, { timeoutMs: seconds * 1000 + MARGIN_MS });
    return JSON.parse(text) as IperfReport;
  } finally {
    await server.stop();
  }
}

/** InDatagrams of the receiving container: the kernel counts a datagram when a program has read it. */
async function datagramsTaken(ends: Ends): Promise<number> {
  const snmp = await ends.receiver.output(['cat', '/proc/net/snmp']);
  const [names = '', values = ''] = snmp.split('\n').filter((line) => line.startsWith('Udp:'));
  return Number(values.split(' ')[names.split(' ').indexOf('InDatagrams')]);
}
