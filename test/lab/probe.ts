/** A thousand small datagrams a second from one container to another: each lost one is a millisecond of outage. */
import type { Holder } from './holder.js';
import type { LongProcess } from './process.js';

const PACKETS_PER_SECOND = 1_000;
const PACKET_BYTES = 64;

export interface ProbeOutcome {
  readonly sent: number;
  readonly lost: number;
}

export class Probe {
  readonly #client: LongProcess;

  private constructor(client: LongProcess) {
    this.#client = client;
  }

  /** Runs for `seconds`; resolves once packets flow. */
  static async start(
    from: Pick<Holder, 'spawn'>,
    to: Pick<Holder, 'spawn'> & { readonly address: string },
    seconds: number,
  ): Promise<Probe> {
    const server = to.spawn(['iperf3', '--server', '--one-off', '--forceflush']);
    await server.waitForLine(/listening/, 10_000);
    const bits = PACKETS_PER_SECOND * PACKET_BYTES * 8;
    const client = from.spawn([
      'iperf3',
      ...['--client', to.address, '--udp', '--length', String(PACKET_BYTES), '--bitrate', String(bits)],
      ...['--time', String(seconds), '--interval', '1', '--forceflush'],
    ]);
    await client.waitForLine(/ 0\.00-1\.\d+ +sec/, 20_000);
    return new Probe(client);
  }

  /** What the receiver counted. */
  async finish(): Promise<ProbeOutcome> {
    const line = await this.#client.waitForLine(/receiver$/, 60_000);
    await this.#client.exited;
    const [, lost, sent] = /(\d+)\/(\d+) \(/.exec(line) ?? [];
    if (lost === undefined || sent === undefined) throw new Error(`Cannot read iperf3's line: ${line}`);
    return { sent: Number(sent), lost: Number(lost) };
  }
}
