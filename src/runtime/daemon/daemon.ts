/** `run`: the file, the store's mirror, the host, the loops and the lease side by side until told to stop. */

import { conditionsOf, type StoreTrouble } from '../../model/conditions.js';
import type { Config } from '../../model/config.js';
import { type DesiredState, isDecided } from '../../model/desired.js';
import { equalJson } from '../../model/equal-json.js';
import { overallOf } from '../../model/overall.js';
import type { ResourceKey } from '../../model/plan.js';
import type { TrialStanding } from '../../model/trial.js';
import {
  type Clock,
  type DataPlane,
  type Log,
  type Meters,
  NEVER,
  type Random,
  StoreUnavailableError,
} from '../../ports.js';
import type { ConfigSource } from '../inputs/config-source.js';
import type { Inputs } from '../inputs/inputs.js';
import { ConditionLog, type DatedCondition } from '../log/condition-log.js';
import { type Change, LastChanges } from '../log/last-changes.js';
import { type DatedOverall, OverallLog } from '../log/overall-log.js';
import { ControlLoops } from '../rounds/control-loops.js';
import type { Reconcilers } from '../rounds/reconcilers.js';
import { type Attempt, type Settlement, Settling } from '../rounds/settling.js';
import { LeaseKeeper, type LeaseTerm } from '../store/lease-keeper.js';
import { OwnLease } from '../store/own-lease.js';
import type { StoreFollower } from '../store/store-follower.js';
import { withDeadline } from '../timing/deadline.js';
import { Wake } from '../timing/wake.js';

export interface DaemonDependencies {
  readonly source: ConfigSource;
  readonly inputs: Inputs;
  readonly store: StoreFollower;
  readonly reconcilers: Reconcilers;
  readonly dataPlane: DataPlane;
  readonly meters: Meters;
  /** What is on trial; absent where nobody tries anything. */
  readonly trial?: () => TrialStanding | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const STOP_DATA_PLANE_MS = 500;

export class Daemon {
  readonly loops: ControlLoops;
  readonly startedAt: number;
  readonly #deps: DaemonDependencies;
  readonly #keeper: LeaseKeeper;
  readonly #conditions: ConditionLog;
  readonly #overall: OverallLog;
  readonly #changes = new LastChanges();
  readonly #settling: Settling;
  readonly #reports = new Set<() => void>();
  #isReady = false;
  #configError: string | undefined;
  #configLoadedAt: number;
  #reloading: Promise<unknown> = Promise.resolve();

  constructor(dependencies: DaemonDependencies) {
    this.#deps = dependencies;
    const { reconcilers, inputs, store, meters, clock, random, log } = dependencies;
    this.startedAt = this.#configLoadedAt = clock.now();
    this.loops = new ControlLoops({
      reconcilers,
      desired: () => inputs.state(),
      mayDelete: () => store.state.isConfirmed,
      onReport: () => this.#onReport(),
      onAction: (action, result) => {
        meters.acted(action.kind, action.verb, result.outcome);
        this.#changes.note(action, result, clock.now());
        this.#settling.tried({ action, result });
      },
      onHealed: (kind, ms) => meters.healed(kind, ms / 1000),
      clock,
      random,
      log,
    });
    this.#settling = new Settling({ inputs, store, loops: this.loops, clock });
    this.onReport(this.#settling.reported);
    const ownLease = new OwnLease(inputs, () => store.view());
    this.#keeper = new LeaseKeeper({
      access: store,
      ownLease: () => ownLease.now(),
      isLive: () => store.state.status === 'live',
      clock,
      random,
      log,
    });
    this.#conditions = new ConditionLog({ conditions: () => this.#conditionsNow(), clock, log });
    this.#overall = new OverallLog(() => this.#overallNow(), clock);
    inputs.subscribe(this.loops.wakeChanged);
    inputs.subscribe(this.#conditions.look);
    inputs.subscribe(this.#keeper.wake);
  }

  get config(): { readonly path: string; readonly loadedAt: number; readonly error: string | undefined } {
    return { path: this.#deps.source.path, loadedAt: this.#configLoadedAt, error: this.#configError };
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** What is wrong now, and since when. */
  conditions(): readonly DatedCondition[] {
    return this.#conditions.look();
  }

  /** What somebody has to confirm. */
  trial(): TrialStanding | undefined {
    return this.#deps.trial?.();
  }

  /** How it stands as a whole, and since when. */
  overall(): DatedOverall {
    return this.#overall.look();
  }

  /** What was done last to an object, since this daemon was started. */
  lastChange(key: ResourceKey): Change | undefined {
    return this.#changes.of(key);
  }

  #overallNow() {
    const state = this.#deps.inputs.state();
    return overallOf({
      isConverged: this.loops.isConverged(),
      ...(!isDecided(state) && { undecided: state.reason }),
      troubles: this.loops.troubles(),
      conditions: this.#conditions.look(),
    });
  }

  #conditionsNow() {
    const { inputs, store } = this.#deps;
    const { error } = store.state;
    const state = inputs.state();
    return conditionsOf({
      store: {
        description: store.store.description,
        ...(error && { failure: { trouble: storeTrouble(error), message: error.message } }),
        alarms: store.alarms,
        view: store.view(),
      },
      declaresNetwork: inputs.config.network.declared !== undefined,
      undecided: isDecided(state) ? undefined : state,
      objects: this.loops.troubles(),
      leaseTerm: this.#keeper.timeLeft(),
      configError: this.#configError,
      trial: this.trial(),
    });
  }

  /** Calls `tell` after every round of a loop, and whenever the file was read. */
  onReport(tell: () => void): void {
    this.#reports.add(tell);
  }

  leaseTerm(): LeaseTerm | undefined {
    return this.#keeper.term();
  }

  /**
   * Runs until `signal` aborts; then the packet loop is stopped and everything on the host stays. Rejects when a
   * part of it failed for good; `signal` must then be aborted to end the other parts.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { inputs, store, dataPlane, clock } = this.#deps;
    try {
      await Promise.all([
        store.run(signal),
        inputs.run(signal),
        this.loops.run(signal),
        this.#keeper.run(signal),
        this.#followConfig(signal),
      ]);
    } finally {
      await withDeadline(clock, STOP_DATA_PLANE_MS, 'stopping the packet loop', NEVER, (limited) =>
        dataPlane.shutDown(limited),
      );
    }
  }

  /** Reads the file again: a good one takes effect at once, a bad one changes nothing. Resolves with what is wrong. */
  reload(): Promise<string | undefined> {
    // One after the other: a slow reading must not overtake a newer one.
    const reload = this.#reloading.then(() => this.#reload());
    this.#reloading = reload.catch(() => {});
    return reload;
  }

  async #reload(): Promise<string | undefined> {
    const { source, inputs, store, log, clock } = this.#deps;
    const reading = await source.read();
    const error = 'error' in reading ? reading.error : restartNeeded(inputs.config, reading.config);
    if (error !== this.#configError && error !== undefined)
      log.error({ path: source.path, error }, 'configuration kept');
    this.#configError = error;
    for (const tell of this.#reports) tell();
    this.#conditions.look();
    if (error !== undefined || !('config' in reading)) return error;
    if (equalJson(reading.config, inputs.config)) return undefined;
    this.#configLoadedAt = clock.now();
    log.info({ path: source.path }, 'configuration loaded');
    if (!equalJson(reading.config.store, inputs.config.store)) store.follow(reading.config.store);
    inputs.setConfig(reading.config);
    this.loops.wakeAll();
    return undefined;
  }

  /** See Settling. */
  converge(
    onAttempt: (attempt: Attempt) => void,
    signal: AbortSignal,
    allowsRenumbering?: boolean,
  ): Promise<Settlement> {
    return this.#settling.settle(onAttempt, signal, allowsRenumbering);
  }

  #onReport(): void {
    for (const tell of this.#reports) tell();
    this.#overall.look();
    const state = this.#deps.inputs.state();
    const isReady = isDecided(state) && this.loops.isConverged();
    if (isReady === this.#isReady) return;
    this.#isReady = isReady;
    if (isReady) this.#deps.log.info(readyFields(state as DesiredState), 'ready');
    else this.#deps.log.warn({}, 'not ready');
  }

  async #followConfig(signal: AbortSignal): Promise<void> {
    const changed = new Wake();
    this.#deps.source.watch(changed.wake, signal);
    while (!signal.aborted) {
      try {
        await changed.wait(this.#deps.clock, CONFIG_RESYNC_MS, signal);
        await this.reload();
      } catch (error) {
        if (!signal.aborted) this.#deps.log.error({ error: String(error) }, 'configuration not read');
      }
    }
  }
}

const CONFIG_RESYNC_MS = 60_000;

function readyFields({ subnets, publicIps, mtu, network }: DesiredState): object {
  return {
    subnet: subnets.ipv4 ?? subnets.ipv6,
    publicIp: publicIps.ipv4 ?? publicIps.ipv6,
    mtu,
    backend: network.backend.type,
  };
}

function storeTrouble(error: Error): StoreTrouble {
  return error instanceof StoreUnavailableError ? error.trouble : 'unreachable';
}

/** The instance's names are what its lock, its socket and its marks hang on. */
function restartNeeded(before: Config, after: Config): string | undefined {
  if (equalJson(before.instance, after.instance)) return undefined;
  return 'section instance has changed: restart the daemon for it to take effect';
}
