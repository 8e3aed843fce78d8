/** Pings without a pause, to see what a fault costs: each lost one is an interval of outage. */
import type { Holder } from './holder.js';
import type { LongProcess } from './process.js';

export interface PingOutcome {
  readonly answered: number;
  /** Sequence numbers without an answer, up to the last one that had one. */
  readonly lost: number;
  /** The longest row of lost ones, in milliseconds. */
  readonly longestOutageMs: number;
}

/** What is asked of ping; the machine's timers make it up to 16 ms. */
const EVERY_SECONDS = 0.01;
const ANSWER_MS = 30_000;

export class PingStream {
  readonly #process: LongProcess;

  private constructor(process: LongProcess) {
    this.#process = process;
  }

  /** Resolves once the first answer is here. */
  static async start(from: Pick<Holder, 'spawn'>, address: string): Promise<PingStream> {
    const stream = new PingStream(from.spawn(['ping', '-n', '-D', '-i', String(EVERY_SECONDS), address]));
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
  const answers = lines.flatMap((line) => {
    const [, seconds, number] = /^\[([\d.]+)\] .* bytes from .* icmp_seq=(\d+) /.exec(line) ?? [];
    // An answer that comes twice is no loss.
    const isNew = number !== undefined && !line.includes('DUP!');
    return isNew ? [{ number: Number(number), ms: Number(seconds) * 1000 }] : [];
  });
  answers.sort((left, right) => left.number - right.number);
  const [first, last] = [answers[0], answers.at(-1)];
  if (first === undefined || last === undefined) throw new Error(`no answers in:\n${lines.join('\n')}`);
  const intervalMs = (last.ms - first.ms) / Math.max(1, last.number - first.number);
  const gaps = answers.slice(1).map(({ number }, index) => number - (answers[index]?.number ?? number) - 1);
  return {
    answered: answers.length,
    lost: gaps.reduce((sum, gap) => sum + gap, 0),
    longestOutageMs: Math.round(Math.max(0, ...gaps) * intervalMs),
  };
}
