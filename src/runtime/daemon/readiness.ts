/** Keeps the service manager informed: ready, reloading, stopping, a line for people, and signs of life. */
import type { Clock, Log, News, Notifier } from '../../ports.js';
import { Liveness, type Turn } from '../rounds/liveness.js';
import { Wake } from '../timing/wake.js';

export interface ReadinessDependencies {
  readonly notifier: Notifier;
  /** Whether packets can flow, and how things stand in one line. */
  readonly state: () => { readonly isReady: boolean; readonly text: string };
  /** What each loop is at. */
  readonly turns: () => ReadonlyMap<string, Turn>;
  readonly clock: Clock;
  readonly log: Log;
}

type Phase = 'starting' | 'ready' | 'reloading';

/** How often a sign is given when no watchdog says so. */
const SIGN_MS = 10_000;
/** Until this many signs are due, a missing one is not missed. */
const PATIENCE_SIGNS = 3;
/** How often the loops are looked at. */
const BEAT_MS = 1_000;
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
    const { notifier, turns, clock, log } = this.#deps;
    const signMs = notifier.watchdogMs === undefined ? SIGN_MS : notifier.watchdogMs / 2;
    const beatMs = Math.min(BEAT_MS, signMs);
    const liveness = new Liveness(beatMs);
    for (let sinceSignMs = signMs; !signal.aborted; sinceSignMs += beatMs) {
      const stuck = liveness.beat(turns());
      if (stuck.length > 0 && this.#stuck.length === 0) log.error({ loops: stuck }, 'loops stuck');
      this.#stuck = stuck;
      if (sinceSignMs >= signMs && stuck.length === 0) {
        this.#giveSign(signMs);
        sinceSignMs = 0;
      }
      try {
        await clock.sleep(beatMs, signal);
      } catch {
        return;
      }
    }
  }

  #giveSign(signMs: number): void {
    const { notifier } = this.#deps;
    const sign: News = {
      ...(notifier.watchdogMs !== undefined && { alive: true }),
      ...(this.#told.phase === 'starting' && { patienceMs: signMs * PATIENCE_SIGNS }),
    };
    if (Object.keys(sign).length > 0) notifier.send(sign);
  }
}
