/** Keeps a change on trial: applies it, waits for a word, and takes it back when none comes in time. */
import { isOver, type TrialPhase, type TrialReport } from '../../model/trial.js';
import { type Clock, type ControlReply, type ControlRequest, NEVER } from '../../ports.js';
import { Wake } from '../timing/wake.js';

/** What is on trial, and the way back. */
export interface TrialSubject {
  readonly file: string;
  /** Resolves with why it is not in force, having left nothing of it behind unless `problems` says so; undefined when it is. */
  apply(signal: AbortSignal): Promise<TrialFailure | undefined>;
  /** What could not be taken back. Never rejects. */
  revert(): Promise<readonly string[]>;
  /** It is to stay. */
  keep(): Promise<void>;
}

export interface TrialFailure {
  readonly message: string;
  readonly problems: readonly string[];
}

/** So long whoever has started it may take to read how it ended. */
const LINGER_MS = 2_000;

export class Trial {
  readonly #subject: TrialSubject;
  readonly #clock: Clock;
  readonly #pid: number;
  readonly #endsAtMs: number;
  readonly #revertsAt: string;
  readonly #asked = new Wake();
  #word: 'confirm' | 'rollback' | undefined;
  #phase: TrialPhase = 'applying';
  #message = '';
  #problems: readonly string[] = [];
  #isTold = false;

  /** The time runs from now on. */
  constructor(subject: TrialSubject, timeoutMs: number, clock: Clock, pid: number) {
    this.#subject = subject;
    this.#clock = clock;
    this.#pid = pid;
    this.#endsAtMs = clock.boottimeMs() + timeoutMs;
    this.#revertsAt = new Date(clock.now() + timeoutMs).toISOString();
  }

  report(): TrialReport {
    const { file } = this.#subject;
    const [phase, message, problems] = [this.#phase, this.#message, this.#problems];
    return { phase, file, pid: this.#pid, revertsAt: this.#revertsAt, message, problems };
  }

  /** `GET /trial`, `POST /confirm`, `POST /rollback`. */
  answer = async ({ method, path }: ControlRequest): Promise<ControlReply> => {
    if (method === 'POST' && path === '/confirm') return this.#take('confirm');
    if (method === 'POST' && path === '/rollback') return this.#take('rollback');
    if (method !== 'GET' || path !== '/trial')
      return { status: 404, body: `Nothing answers to ${method} ${path}` };
    this.#isTold = isOver(this.report());
    return this.#reply(200);
  };

  /** The first word counts; one that comes too late is refused with 409. */
  #take(word: 'confirm' | 'rollback'): ControlReply {
    const isOpen = this.#phase === 'on-trial' || (this.#phase === 'applying' && word === 'rollback');
    if (!isOpen || this.#word !== undefined) return this.#reply(409);
    this.#word = word;
    this.#asked.wake();
    return this.#reply(202);
  }

  #reply(status: number): ControlReply {
    return { status, body: JSON.stringify(this.report()), contentType: 'application/json' };
  }

  /** Resolves when it is over, and told. An abort takes back what is on trial. */
  async run(signal: AbortSignal): Promise<void> {
    const failure = await this.#subject
      .apply(signal)
      .catch((error: unknown) => ({ message: String(error), problems: [] }));
    if (failure !== undefined) this.#end('failed', failure.message, failure.problems);
    else {
      this.#phase = 'on-trial';
      await this.#decide(signal);
    }
    await this.#linger();
  }

  async #decide(signal: AbortSignal): Promise<void> {
    const isTimeLeft = await this.#wordCame(signal);
    if (this.#word === 'confirm' && isTimeLeft) {
      await this.#subject.keep();
      this.#end('confirmed', '', []);
      return;
    }
    this.#phase = 'reverting';
    const problems = await this.#subject.revert();
    const why =
      this.#word === 'rollback' ? 'as told' : isTimeLeft ? 'its keeper was stopped' : 'not confirmed in time';
    this.#end(problems.length === 0 ? 'reverted' : 'failed', why, problems);
  }

  /** False when the time is up. */
  async #wordCame(signal: AbortSignal): Promise<boolean> {
    while (this.#word === undefined) {
      const leftMs = this.#endsAtMs - this.#clock.boottimeMs();
      if (leftMs <= 0) return false;
      try {
        await this.#asked.wait(this.#clock, leftMs, signal);
      } catch {
        return true; // Only an abort ends a wait early.
      }
    }
    return true;
  }

  #end(phase: TrialPhase, message: string, problems: readonly string[]): void {
    this.#phase = phase;
    this.#message = message;
    this.#problems = problems;
  }

  async #linger(): Promise<void> {
    const endMs = this.#clock.boottimeMs() + LINGER_MS;
    while (!this.#isTold && this.#clock.boottimeMs() < endMs) await this.#clock.sleep(50, NEVER);
  }
}
