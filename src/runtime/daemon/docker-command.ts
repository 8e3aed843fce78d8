/** Runs the operator's command when Docker is out of step (`docker.onChange`); what it does about it is the operator's affair. */
import type { Clock, Commands, Log } from '../../ports.js';
import type { DatedStatus } from '../rounds/control-loops.js';
import { Wake } from '../timing/wake.js';

export interface DockerCommandDependencies {
  /** Undefined: nothing is run. */
  readonly argv: () => readonly string[] | undefined;
  /** Those that are not as wanted. */
  readonly objects: () => readonly DatedStatus[];
  /** Whether everything of ours is in place: before that Docker would be told too early. */
  readonly isReady: () => boolean;
  readonly commands: Commands;
  readonly clock: Clock;
  readonly log: Log;
}

/** A Docker that is just starting has a bridge without its address for a moment. */
const SETTLED_MS = 5_000;
const LEAST_GAP_MS = 60_000;
/** Stopping containers may take their grace of 10 s each. */
const COMMAND_DEADLINE_MS = 300_000;
const MOST_OUTPUT = 2_000;
const NEVER_MS = 3_600_000;

/**
 * - One run for each difference, however long it stays: a command that does not help is not repeated.
 * - At least a minute lies between two runs.
 * - A difference counts once it has lasted a few seconds, and everything of ours is in place.
 */
export class DockerCommand {
  readonly #deps: DockerCommandDependencies;
  readonly #changed = new Wake();
  #seen: { readonly reason: string; readonly sinceMs: number } | undefined;
  #actedOn: string | undefined;
  #lastRunMs: number | undefined;

  constructor(dependencies: DockerCommandDependencies) {
    this.#deps = dependencies;
  }

  /** Something may have changed. */
  wake = (): void => this.#changed.wake();

  /** Runs until `signal` aborts; then resolves. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    while (!signal.aborted) {
      const dueInMs = this.#look();
      try {
        if (dueInMs === 0) await this.#act(signal);
        else await this.#changed.wait(clock, dueInMs, signal);
      } catch {
        return; // Only an abort ends either early.
      }
    }
  }

  /** How long until the command is to be run, as far as that can be told now. */
  #look(): number {
    const { argv, isReady, clock } = this.#deps;
    const nowMs = clock.boottimeMs();
    const reason = this.#difference();
    if (reason === undefined) this.#actedOn = undefined;
    if (reason !== this.#seen?.reason) {
      this.#seen = reason === undefined ? undefined : { reason, sinceMs: nowMs };
    }
    if (this.#seen === undefined || reason === this.#actedOn || !isReady() || argv() === undefined) {
      return NEVER_MS;
    }
    const settledMs = this.#seen.sinceMs + SETTLED_MS;
    const freeMs = this.#lastRunMs === undefined ? nowMs : this.#lastRunMs + LEAST_GAP_MS;
    return Math.max(0, settledMs - nowMs, freeMs - nowMs);
  }

  /** What is said of the bridge's options. What its firewall drops is no matter of a restart. */
  #difference(): string | undefined {
    return this.#deps
      .objects()
      .find(({ kind, key }) => kind === 'docker-bridge' && !key.endsWith(' firewall'))?.reason;
  }

  /** Rejects on abort alone. */
  async #act(signal: AbortSignal): Promise<void> {
    const { argv, commands, clock, log } = this.#deps;
    const command = argv() ?? [];
    const reason = this.#seen?.reason;
    this.#actedOn = reason;
    this.#lastRunMs = clock.boottimeMs();
    try {
      const { code, stdout, stderr } = await commands.run(command, COMMAND_DEADLINE_MS, signal);
      const fields = { command, reason, code, output: `${stdout}${stderr}`.trim().slice(-MOST_OUTPUT) };
      if (code === 0) log.info(fields, 'docker.onChange ran');
      else log.warn(fields, 'docker.onChange failed');
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ command, reason, error: String(error) }, 'docker.onChange failed');
    }
  }
}
