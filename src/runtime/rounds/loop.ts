/**
 * Drives one kind of object for ever: a round when something woke it, when a retry is due, and now and then
 * because messages get lost. Loops share nothing but the answers to `requires`: one that stalls or throws
 * delays no other.
 */
import type { Desired } from '../../model/diff.js';
import type { KindName, PlannedAction, StateOf } from '../../model/objects.js';
import type { Action, ActionResult, ResourceKey } from '../../model/plan.js';
import type { ObjectStatus } from '../../model/status.js';
import { StatusMemory } from '../../model/status-memory.js';
import { asError, type Clock, type Log, type Random } from '../../ports.js';
import type { Reconciler } from '../../reconcilers/reconciler.js';
import { type Change, ChangeLog } from '../log/change-log.js';
import { type BackOff, backOffMs, isWorthSaying } from '../timing/back-off.js';
import { withDeadline } from '../timing/deadline.js';
import { Wake } from '../timing/wake.js';
import { Contests, MOST_REPAIRS, REPAIR_WINDOW_MS } from './contests.js';
import type { Turn } from './liveness.js';
import { isConverged, type Round, runRound } from './round.js';

export interface LoopTimings {
  /** Longest time without a round; jittered by ±25 %. */
  readonly resyncMs: number;
  /** Shortest time between the starts of two rounds: a burst of events costs one round each. */
  readonly leastGapMs: number;
  readonly roundDeadlineMs: number;
  readonly backOff: BackOff;
}

export const LOOP_TIMINGS: LoopTimings = {
  resyncMs: 30_000,
  leastGapMs: 20,
  roundDeadlineMs: 15_000,
  backOff: { firstMs: 100, mostMs: 10_000 },
};

/** By how much a pause may be longer or shorter than `resyncMs`, so that loops do not look all at once. */
const RESYNC_SPREAD = 0.25;

/** `undefined` as desired state: it cannot be told yet, so nothing is touched. */
export type DesiredSource<State> = () => readonly Desired<State>[] | undefined;

export interface LoopReport {
  readonly kind: KindName;
  /** Which of the loop's rounds this was, from 1. */
  readonly round: number;
  /** The last round left nothing to do. */
  readonly converged: boolean;
  readonly objects: readonly ObjectStatus[];
  /** Those of them that are not in sync. */
  readonly troubles: readonly ObjectStatus[];
  /** What the round had before it; undefined when that could not be told. */
  readonly desired?: readonly unknown[];
  /** Nothing is left to do, whatever others' objects may be in the way. */
  readonly isSettled: boolean;
  /** What actions waited for in vain. */
  readonly awaits: ReadonlySet<ResourceKey>;
  /** Why the last round could not be finished. */
  readonly error?: Error;
}

const NOTHING_DONE = { converged: false, isSettled: false, awaits: new Set<ResourceKey>() } as const;

function awaitedBy(
  { planned, results }: Round<unknown>,
  isPresent: (key: ResourceKey) => boolean,
): ReadonlySet<ResourceKey> {
  const waiting = new Set(results.flatMap(({ key, outcome }) => (outcome === 'waiting' ? key : [])));
  if (waiting.size === 0) return NOTHING_DONE.awaits;
  const actions = planned.actions.filter(({ key }) => waiting.has(key));
  return new Set(actions.flatMap(({ requires }) => requires).filter((key) => !isPresent(key)));
}

export interface LoopDependencies<K extends KindName> {
  readonly kind: K;
  readonly reconciler: Reconciler<StateOf[K]>;
  readonly desired: DesiredSource<StateOf[K]>;
  readonly isPresent: (key: ResourceKey) => boolean;
  /** False while what is wanted comes from memory alone: then nothing is taken away. */
  readonly mayDelete: () => boolean;
  /** Called after every round with what it saw and the keys others may count on; without those when it saw nothing. */
  readonly onReport: (report: LoopReport, present?: readonly ResourceKey[]) => void;
  /** Called for each action that was tried. */
  readonly onAction: (action: PlannedAction, result: ActionResult) => void;
  /** Called when everything is as wanted again, with the time since the round began that noticed it was not. */
  readonly onHealed: (ms: number) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly timings?: LoopTimings;
}

export class Loop<K extends KindName> {
  readonly #wake = new Wake();
  readonly #deps: LoopDependencies<K>;
  readonly #timings: LoopTimings;
  readonly #contests = new Contests();
  readonly #statuses = new StatusMemory();
  readonly #changes: ChangeLog;
  #failures = 0;
  #begun = 0;
  #isInRound = false;
  #awrySinceMs: number | undefined;
  #nextAt: number | undefined;
  /** When the next of what is held back may be tried. */
  #heldUntilMs: number | undefined;

  constructor(dependencies: LoopDependencies<K>) {
    this.#deps = dependencies;
    this.#timings = dependencies.timings ?? LOOP_TIMINGS;
    this.#changes = new ChangeLog(dependencies.kind, dependencies.log, dependencies.clock);
  }

  /** How many rounds have begun; one may be under way. */
  get begun(): number {
    return this.#begun;
  }

  /** When it looks again, if nothing wakes it before: milliseconds since the epoch; undefined while it looks. */
  get nextAt(): number | undefined {
    return this.#nextAt;
  }

  /** What it is at, for whoever watches that it turns. */
  get turn(): Turn {
    const { resyncMs, roundDeadlineMs } = this.#timings;
    return {
      count: 2 * this.#begun + (this.#isInRound ? 0 : 1),
      mostMs: this.#isInRound ? roundDeadlineMs : resyncMs * (1 + RESYNC_SPREAD),
    };
  }

  wake = (): void => this.#wake.wake();

  /** Wakes, and holds nothing back that somebody has undone before. */
  lookAgain(): void {
    this.#contests.forget();
    this.#wake.wake();
  }

  /** Runs until `signal` aborts; then resolves. */
  async run(signal: AbortSignal): Promise<void> {
    const { reconciler, clock } = this.#deps;
    reconciler.watch?.(this.wake, signal);
    while (!signal.aborted) {
      const startedAt = clock.boottimeMs();
      this.#isInRound = true;
      await this.#round(signal);
      this.#isInRound = false;
      try {
        const gap = startedAt + this.#timings.leastGapMs - clock.boottimeMs();
        if (gap > 0) await clock.sleep(gap, signal);
        const pauseMs = this.#pauseMs();
        this.#nextAt = clock.now() + pauseMs;
        await this.#wake.wait(clock, pauseMs, signal);
        this.#nextAt = undefined;
      } catch {
        break; // Only an abort ends a wait early.
      }
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { kind, reconciler, clock, log, onReport, isPresent, mayDelete } = this.#deps;
    const round = ++this.#begun;
    const desired = this.#deps.desired();
    this.#heldUntilMs = undefined;
    const isHeld = ({ key }: Action) => this.#isHeld(key);
    if (desired === undefined) {
      this.#failures = 0;
      onReport({ ...NOTHING_DONE, kind, round, objects: [], troubles: [] }, []);
      return;
    }
    const begunAtMs = clock.boottimeMs();
    try {
      const result = await withDeadline(
        clock,
        this.#timings.roundDeadlineMs,
        `a round of ${kind}`,
        signal,
        (limited) =>
          runRound(
            reconciler,
            desired,
            { isPresent, isHeld, ...(!mayDelete() && { only: 'additions' }) },
            limited,
          ),
      );
      this.#account(result);
      this.#timeHealing(result, begunAtMs);
      const { remaining, results } = result;
      const { objects, troubles, present } = this.#statuses.of(desired, remaining, results);
      const converged = isConverged(result);
      const isSettled = remaining.actions.length === 0;
      log.debug({ kind, round, converged, tookMs: clock.boottimeMs() - begunAtMs }, 'round');
      const awaits = awaitedBy(result, isPresent);
      onReport({ kind, round, converged, objects, troubles, desired, isSettled, awaits }, present);
    } catch (thrown) {
      if (signal.aborted) return;
      const error = asError(thrown);
      this.#failures++;
      if (isWorthSaying(this.#failures))
        log.warn({ kind, failures: this.#failures, error: error.message }, 'round failed');
      const objects = desired.map(
        ({ key }): ObjectStatus => ({ key, state: 'failed', reason: error.message }),
      );
      onReport({ ...NOTHING_DONE, kind, round, objects, troubles: objects, error });
    }
  }

  #timeHealing(round: Round<StateOf[K]>, begunAtMs: number): void {
    const { clock, onHealed } = this.#deps;
    if (round.planned.actions.length > 0) this.#awrySinceMs ??= begunAtMs;
    if (this.#awrySinceMs === undefined || !isConverged(round)) return;
    onHealed(clock.boottimeMs() - this.#awrySinceMs);
    this.#awrySinceMs = undefined;
  }

  #account({ planned, results }: Round<StateOf[K]>): void {
    const { kind, log, onAction, clock } = this.#deps;
    const nowMs = clock.boottimeMs();
    const changes: Change[] = [];
    const actions = new Map(planned.actions.map((action) => [action.key, action]));
    const failed = results.some(({ outcome }) => outcome === 'failed');
    this.#failures = failed ? this.#failures + 1 : 0;
    for (const result of results) {
      const action = actions.get(result.key);
      if (action === undefined || result.outcome === 'waiting' || result.outcome === 'held') continue;
      const { verb, key, reason } = action;
      onAction({ kind, ...action }, result);
      if (result.outcome === 'done') {
        changes.push({ verb, key, reason });
        if (this.#contests.done(action, nowMs)) {
          log.warn({ kind, verb, key, reason, times: MOST_REPAIRS, withinMs: REPAIR_WINDOW_MS }, 'contested');
        }
      }
      if (result.outcome === 'failed' && isWorthSaying(this.#failures)) {
        log.warn({ kind, verb, key, reason, error: result.error?.message }, 'change failed');
      }
    }
    this.#changes.tell(changes);
  }

  #isHeld(key: ResourceKey): boolean {
    const untilMs = this.#contests.heldUntil(key, this.#deps.clock.boottimeMs());
    if (untilMs === undefined) return false;
    this.#heldUntilMs = Math.min(untilMs, this.#heldUntilMs ?? untilMs);
    return true;
  }

  #backOff(): BackOff {
    const { firstMs, mostMs } = this.#timings.backOff;
    return { firstMs, mostMs: this.#deps.reconciler.mostRetryMs ?? mostMs };
  }

  #pauseMs(): number {
    const { random, clock } = this.#deps;
    const heldMs = (this.#heldUntilMs ?? Number.POSITIVE_INFINITY) - clock.boottimeMs();
    const pauseMs =
      this.#failures > 0
        ? backOffMs(this.#backOff(), this.#failures, random.next())
        : Math.round(this.#timings.resyncMs * (1 + RESYNC_SPREAD * (2 * random.next() - 1)));
    return Math.max(0, Math.min(pauseMs, heldMs));
  }
}
