/** Pings without a pause, to see what a fault costs: each lost one is about `EVERY_MS` of outage. */
import type { Holder } from './holder.js';
import type { LongProcess } from './process.js';

export interface PingOutcome {
  readonly answered: number;
  /** Sequence numbers without an answer, up to the last one that had one. */
  readonly lost: number;
  /** The longest row of lost ones, in milliseconds. */
  readonly longestOutageMs: number;
}

const EVERY_MS = 10;
const ANSWER_MS = 10_000;

export class PingStream {
  readonly #process: LongProcess;

  private constructor(process: LongProcess) {
    this.#process = process;
  }

  /** Resolves once the first answer is here. */
  static async start(from: Holder, address: string): Promise<PingStream> {
    const stream = new PingStream(from.spawn(['ping', '-n', '-i', String(EVERY_MS / 1000), address]));
    await stream.answeredFromNow();
    return stream;
  }

  /** Resolves when one more answer than now is here. */
  async answeredFromNow(): Promise<void> {
    await this.#process.waitForLine(/bytes from/, ANSWER_MS, this.#process.lines.length);
  }

  /** Pings go on until one is answered, so that an outage at the end is not overlooked. */
  async finish(): Promise<PingOutcome> {
    await this.answeredFromNow();
    this.#process.signal('SIGINT');
    await this.#process.exited;
    return pingOutcome(this.#process.lines);
  }
}

function pingOutcome(lines: readonly string[]): PingOutcome {
  const numbers = lines.flatMap((line) => {
    const [, number] = /bytes from .* icmp_seq=(\d+) /.exec(line) ?? [];
    // An answer that comes twice is no loss.
    return number === undefined || line.includes('DUP!') ? [] : [Number(number)];
  });
  numbers.sort((left, right) => left - right);
  const gaps = numbers.slice(1).map((number, index) => number - (numbers[index] ?? number) - 1);
  return {
    answered: numbers.length,
    lost: gaps.reduce((sum, gap) => sum + gap, 0),
    longestOutageMs: Math.max(0, ...gaps) * EVERY_MS,
  };
}
