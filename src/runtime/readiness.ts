/** Keeps the service manager informed: ready, reloading, stopping, a line for people, and signs of life. */
import type { Clock, Log, News, Notifier } from '../ports.js';
import { Liveness } from './liveness.js';
import { LONGEST_TURN_MS } from './loop.js';
import { Wake } from './wake.js';

export interface ReadinessDependencies {
  readonly notifier: Notifier;
  /** Whether packets can flow, and how things stand in one line. */
  readonly state: () => { readonly isReady: boolean; readonly text: string };
  /** How many rounds each loop has begun. */
  readonly rounds: () => ReadonlyMap<string, number>;
  readonly clock: Clock;
  readonly log: Log;
}

type Phase = 'starting' | 'ready' | 'reloading';

/** When no watchdog says how often. */
const BEAT_MS = 10_000;
/** Until this many beats are over, a missing one is not missed. */
const PATIENCE_BEATS = 3;
const RETRY_MS = 500;
const NEVER_MS = 3_600_000;

/**
 * - `ready` is told for the first time when packets can flow, and ends each reload afterwards. There is no way
 *   to take it back: later troubles show in the status line.
 * - A sign of life is given only while every loop turns: one that is stuck gets the process restarted.
 * - What could not be put down is told again.
 */
export class Readiness {
  readonly #deps: ReadinessDependencies;
  readonly #changed = new Wake();
  #told: { readonly phase: Phase; readonly text: string } = { phase: 'starting', text: '' };
  #reloads = 0;
  #stuck: readonly string[] = [];

  constructor(dependencies: ReadinessDependencies) {
    this.#deps = dependencies;
  }

  /** The state may have changed. */
  wake = (): void => this.#changed.wake();

  /** The loops that turn no more. */
  get stuck(): readonly string[] {
    return this.#stuck;
  }

  /** Runs until `signal` aborts, tells that the process stops, and resolves. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#tellChanges(signal), this.#giveSigns(signal)]);
    this.#deps.notifier.send({ stopping: true, status: 'stopping' });
  }

  /** Carries out `reload` and tells when it begins and ends. */
  async reload(reload: () => Promise<unknown>): Promise<void> {
    this.#reloads++;
    this.#tell();
    try {
      await reload();
    } finally {
      this.#reloads--;
      this.wake();
    }
  }

  async #tellChanges(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const isTold = this.#tell();
      try {
        await this.#changed.wait(this.#deps.clock, isTold ? NEVER_MS : RETRY_MS, signal);
      } catch {
        return; // Only an abort ends a wait early.
      }
    }
  }

  /** Sends what has changed since it was told last; false when that has to be tried again. */
  #tell(): boolean {
    const { notifier, state } = this.#deps;
    const { isReady, text } = state();
    const phase = this.#phase(isReady);
    const news: News = {
      ...(phase !== this.#told.phase && phase === 'ready' && { ready: true }),
      ...(phase !== this.#told.phase && phase === 'reloading' && { reloading: true }),
      ...(text !== this.#told.text && { status: text }),
    };
    if (Object.keys(news).length > 0 && !notifier.send(news)) return false;
    this.#told = { phase, text };
    return true;
  }

  #phase(isReady: boolean): Phase {
    // Reloading is something that a ready service does.
    if (this.#told.phase === 'starting') return isReady ? 'ready' : 'starting';
    return this.#reloads > 0 ? 'reloading' : 'ready';
  }

  async #giveSigns(signal: AbortSignal): Promise<void> {
    const { notifier, rounds, clock, log } = this.#deps;
    const beatMs = notifier.watchdogMs === undefined ? BEAT_MS : notifier.watchdogMs / 2;
    const liveness = new Liveness(Math.ceil(LONGEST_TURN_MS / beatMs));
    while (!signal.aborted) {
      const stuck = liveness.beat(rounds());
      if (stuck.length > 0 && this.#stuck.length === 0) log.error({ loops: stuck }, 'loops stuck');
      this.#stuck = stuck;
      const sign: News = {
        ...(notifier.watchdogMs !== undefined && { alive: true }),
        ...(this.#told.phase === 'starting' && { patienceMs: beatMs * PATIENCE_BEATS }),
      };
      if (stuck.length === 0 && Object.keys(sign).length > 0) notifier.send(sign);
      try {
        await clock.sleep(beatMs, signal);
      } catch {
        return;
      }
    }
  }
}
