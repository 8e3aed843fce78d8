/** Serves monitoring over TCP where the file asks for it, and moves when the file does. A port that is taken is tried again. */
import type { MonitoringSection } from '../../model/config.js';
import { equalJson } from '../../model/equal-json.js';
import type { Clock, HttpListener, Log, Random } from '../../ports.js';
import { type BackOff, backOffMs, isWorthSaying } from '../timing/back-off.js';
import { withChildAbort } from '../timing/child-abort.js';
import { Wake } from '../timing/wake.js';

export interface MonitorListenerDependencies {
  /** What the file says now. */
  readonly section: () => MonitoringSection;
  readonly listen: HttpListener;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const BACK_OFF: BackOff = { firstMs: 500, mostMs: 30_000 };
const NEVER_MS = 3_600_000;

export class MonitorListener {
  readonly #deps: MonitorListenerDependencies;
  readonly #changed = new Wake();

  constructor(dependencies: MonitorListenerDependencies) {
    this.#deps = dependencies;
  }

  /** The file may say something else now. */
  wake = (): void => this.#changed.wake();

  /** Runs until `signal` aborts; then resolves, with nobody listening. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const section = this.#deps.section();
      await withChildAbort(signal, async (over) => {
        await this.#serve(section, over.signal);
        over.abort();
      });
    }
  }

  /** Resolves when the section is no longer what the file says, or on abort. */
  async #serve(section: MonitoringSection, signal: AbortSignal): Promise<void> {
    const { listen, clock, random, log } = this.#deps;
    const { address, port } = section;
    let isListening = port === undefined;
    for (let failures = 0; !signal.aborted && equalJson(section, this.#deps.section()); ) {
      if (!isListening && port !== undefined) {
        try {
          await listen({ address, port }, signal);
          isListening = true;
          log.info({ address, port }, 'monitoring');
        } catch (error) {
          failures++;
          if (isWorthSaying(failures)) log.warn({ address, port, error: String(error) }, 'no monitoring');
        }
      }
      try {
        const pauseMs = isListening ? NEVER_MS : backOffMs(BACK_OFF, failures, random.next());
        await this.#changed.wait(clock, pauseMs, signal);
      } catch {
        return; // Only an abort ends a wait early.
      }
    }
  }
}
