/** All loops of the control plane side by side, and what they reported last. */
import { type DesiredState, isDecided, objectsOf, type Undecided } from '../../model/desired.js';
import { equalJson } from '../../model/equal-json.js';
import { settledKey } from '../../model/keys.js';
import { IN_STORE, KINDS, type KindName, type PlannedAction } from '../../model/objects.js';
import type { ActionResult, ResourceKey } from '../../model/plan.js';
import type { ObjectStatus } from '../../model/status.js';
import { TrackedList } from '../../model/tracked-list.js';
import type { Clock, Log, Random } from '../../ports.js';
import { Wake } from '../timing/wake.js';
import type { Turn } from './liveness.js';
import { LOOP_TIMINGS, Loop, type LoopReport, type LoopTimings } from './loop.js';
import { Presence } from './presence.js';
import type { Reconcilers } from './reconcilers.js';
import { StatusDates } from './status-dates.js';

type Planned = Pick<DesiredState, 'objects'> & Partial<DesiredState>;

export interface ControlLoopsDependencies {
  readonly reconcilers: Reconcilers;
  readonly desired: () => Planned | Undecided;
  /** False while what is wanted comes from memory alone: then nothing is taken away. */
  readonly mayDelete: () => boolean;
  /** Called after every report. */
  readonly onReport: () => void;
  /** Called for each action that was tried. */
  readonly onAction: (action: PlannedAction, result: ActionResult) => void;
  /** Called when a kind is as wanted again, with how long it was not. */
  readonly onHealed: (kind: KindName, ms: number) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly timings?: LoopTimings;
}

/** An object's status with the time it has been so, in milliseconds since the epoch. */
export interface DatedStatus extends ObjectStatus {
  readonly kind: KindName;
  readonly since: number;
  /** When it is looked at again, where it is not as wanted and nothing wakes its loop before. */
  readonly nextTryAt?: number;
}

/** A loop that asks the kernel alone and waits for longer is stuck; the others may have to wait for the store, a disk or a program. */
const KERNEL_ROUND: Partial<LoopTimings> = { roundDeadlineMs: 8_000 };

const OWN_TIMINGS: { readonly [K in KindName]?: Partial<LoopTimings> } = {
  link: KERNEL_ROUND,
  address: KERNEL_ROUND,
  sysctl: KERNEL_ROUND,
  route: KERNEL_ROUND,
  fdb: KERNEL_ROUND,
  neighbour: KERNEL_ROUND,
  peer: KERNEL_ROUND,
  // No packet flows until the port is free or the address is there, and nothing tells when that is.
  forwarder: { ...KERNEL_ROUND, backOff: { firstMs: 100, mostMs: 750 } },
};

/** What a packet to another host meets, whatever the backend. */
const ON_THE_WAY: readonly KindName[] = [
  'lease',
  'link',
  'address',
  'sysctl',
  'route',
  'fdb',
  'neighbour',
  'forwarder',
  'peer',
];

/**
 * These are looked at by starting programs, some 20 ms of the processor for each. At the start they begin once what is
 * on the way is in place, or after a second: packets to a thousand hosts do not wait for a list of rules.
 */
const LATER: ReadonlySet<KindName> = new Set(['masquerade', 'forward', 'flannel-rules', 'docker-bridge']);
const HEAD_START_MS = 1_000;
const NEVER_MS = 3_600_000;

export class ControlLoops {
  readonly #deps: ControlLoopsDependencies;
  readonly #presence = new Presence((kind) => this.#isSettled(kind));
  readonly #loops = new Map<KindName, Loop<KindName>>();
  readonly #reports = new Map<KindName, LoopReport>();
  /** Asked for after every report of any kind. */
  readonly #troubles = new Map<KindName, readonly DatedStatus[]>();
  #allTroubles: readonly DatedStatus[] | undefined;
  /** Once the state is. */
  readonly #decided = new Wake();
  #isUnderWay = false;
  #planned: Planned | Undecided | undefined;
  #couldDelete = false;
  /** Whether every kind was looked at after a device was last taken away or made anew: what hung on it went with it. */
  #haveLookedSince: () => boolean = () => true;
  readonly #dates: StatusDates;

  constructor(dependencies: ControlLoopsDependencies) {
    this.#deps = dependencies;
    this.#dates = new StatusDates(dependencies.clock);
    for (const kind of KINDS) this.#add(kind);
  }

  #add<K extends KindName>(kind: K): void {
    const { reconcilers, desired, mayDelete, onHealed, clock, random, log, timings } = this.#deps;
    const reconciler = reconcilers[kind];
    if (reconciler === undefined) return;
    const loop = new Loop<K>({
      kind,
      reconciler,
      desired: () => (this.#isUnderWay || !LATER.has(kind) ? objectsOf(desired(), kind) : undefined),
      isPresent: (key) => this.#presence.has(key, kind),
      mayDelete,
      onReport: (report, present) => this.#accept(report, present),
      onAction: (action, result) => this.#acted(action, result),
      onHealed: (ms) => onHealed(kind, ms),
      clock,
      random,
      log,
      timings: timings ?? { ...LOOP_TIMINGS, ...OWN_TIMINGS[kind] },
    });
    this.#loops.set(kind, loop as unknown as Loop<KindName>);
  }

  /** Runs until `signal` aborts; then resolves when every loop has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const loops = [...this.#loops.values()].map((loop) => loop.run(signal));
    await Promise.all([...loops, this.#endHeadStart(signal)]);
  }

  async #endHeadStart(signal: AbortSignal): Promise<void> {
    const { clock, desired } = this.#deps;
    try {
      while (!isDecided(desired())) await this.#decided.wait(clock, NEVER_MS, signal);
      await clock.sleep(HEAD_START_MS, signal);
      if (!this.#isUnderWay) this.#getUnderWay();
    } catch {
      // Only an abort ends a wait early.
    }
  }

  #getUnderWay(): void {
    this.#isUnderWay = true;
    for (const kind of LATER) this.#loops.get(kind)?.wake();
  }

  wakeAll = (): void => {
    for (const loop of this.#loops.values()) loop.wake();
  };

  /**
   * Something that is planned with may have changed. A change that leaves a kind what it was leaves its loop alone: the
   * kernel is not to be read through because one host has joined.
   */
  wakeChanged = (): void => {
    const state = this.#deps.desired();
    const before = this.#planned;
    this.#planned = state;
    const mayDelete = this.#deps.mayDelete();
    const wasHeldBack = mayDelete && !this.#couldDelete;
    this.#couldDelete = mayDelete;
    if (state !== before) this.#decided.wake();
    if (wasHeldBack) {
      this.wakeAll();
      return;
    }
    if (state === before) return;
    const isSameAround =
      before !== undefined &&
      isDecided(before) &&
      isDecided(state) &&
      equalJson(around(before), around(state));
    if (!isSameAround) {
      this.wakeAll();
      return;
    }
    for (const [kind, loop] of this.#loops) {
      // Of those in the store it is what was found that has changed.
      if (IN_STORE.has(kind) || !isSameList(before.objects[kind], state.objects[kind])) loop.wake();
    }
  };

  /** Wakes every loop, contested or not. What comes back tells whether each has ended a round that began after this call. */
  lookAgain(): () => boolean {
    const haveLooked = this.#roundsFromNow();
    for (const loop of this.#loops.values()) loop.lookAgain();
    return haveLooked;
  }

  #roundsFromNow(): () => boolean {
    const begun = [...this.#loops].map(([kind, loop]) => [kind, loop.begun] as const);
    return () => begun.every(([kind, rounds]) => (this.#reports.get(kind)?.round ?? 0) > rounds);
  }

  /** Every kind was looked at, and nothing is left to do. */
  isConverged(): boolean {
    const isDone = (kind: KindName) => this.#reports.get(kind)?.converged === true;
    return this.#haveLookedSince() && [...this.#loops.keys()].every(isDone);
  }

  reports(): readonly LoopReport[] {
    return KINDS.flatMap((kind) => this.#reports.get(kind) ?? []);
  }

  /** What each loop is at. */
  turns(): ReadonlyMap<KindName, Turn> {
    return new Map([...this.#loops].map(([kind, loop]) => [kind, loop.turn]));
  }

  objects(): readonly DatedStatus[] {
    return this.#withNextTry(this.reports().flatMap(({ kind, objects }) => this.#dated(kind, objects)));
  }

  /** Of one object; undefined where the last rounds knew none of that name. */
  object(key: ResourceKey): DatedStatus | undefined {
    for (const { kind, objects } of this.reports()) {
      const found = objects.filter((object) => object.key === key);
      if (found.length > 0) return this.#withNextTry(this.#dated(kind, found))[0];
    }
    return undefined;
  }

  /** Those that are not in sync. The same list until the next report. */
  troubles(): readonly DatedStatus[] {
    this.#allTroubles ??= KINDS.flatMap((kind) => this.#troubles.get(kind) ?? []);
    return this.#allTroubles;
  }

  #withNextTry(objects: readonly DatedStatus[]): readonly DatedStatus[] {
    return objects.map((object) => {
      const isTried = object.state !== 'in-sync' && object.state !== 'foreign';
      const nextTryAt = isTried ? this.#loops.get(object.kind)?.nextAt : undefined;
      return nextTryAt === undefined ? object : { ...object, nextTryAt };
    });
  }

  #dated(kind: KindName, objects: readonly ObjectStatus[]): readonly DatedStatus[] {
    return objects.map((object) => ({ ...object, kind, since: this.#dates.since(object.key) }));
  }

  #acted(action: PlannedAction, result: ActionResult): void {
    if (action.kind === 'link' && action.interrupts) {
      this.#haveLookedSince = this.#roundsFromNow();
      this.wakeAll();
    }
    this.#deps.onAction(action, result);
  }

  #accept(report: LoopReport, present: readonly ResourceKey[] | undefined): void {
    const before = this.#reports.get(report.kind);
    this.#reports.set(report.kind, report);
    this.#dates.note(before?.objects ?? [], report.objects);
    const [troubled, troubles] = [this.#troubles.get(report.kind), this.#dated(report.kind, report.troubles)];
    this.#troubles.set(report.kind, troubles);
    // Ten thousand peers that wait are not gone through again because a kind without troubles still has none.
    if (troubles.length > 0 || (troubled?.length ?? 0) > 0) this.#allTroubles = undefined;
    // Somebody may have waited for what just came, or has to know what went.
    const concerned = present && this.#presence.update(report.kind, present);
    const settled = report.isSettled ? settledKey(report.kind) : undefined;
    for (const [kind, loop] of this.#loops) {
      const isAwaited = settled !== undefined && this.#reports.get(kind)?.awaits.has(settled) === true;
      if (kind !== report.kind && (concerned?.has(kind) || isAwaited)) loop.wake();
    }
    if (!this.#isUnderWay && ON_THE_WAY.every((kind) => this.#isSettled(kind))) this.#getUnderWay();
    this.#deps.onReport();
  }

  /** The last round of the kind had before it what is wanted now, and left nothing to do. A kind without a loop is nobody's to wait for. */
  #isSettled(kind: KindName): boolean {
    if (!this.#loops.has(kind)) return true;
    const [report, state] = [this.#reports.get(kind), this.#deps.desired()];
    // A packet loop that must stop at once waits for nobody: of the other kinds nothing is to come.
    if (!isDecided(state)) return state.leaseConflict !== undefined;
    if (report?.desired === undefined || !report.isSettled) return false;
    return isSameList(report.desired, state.objects[kind]);
  }
}

/** What the reconcilers look into beside their objects. */
function around({ objects: _, loop: __, ignoredLeases: ___, ...rest }: Planned): object {
  return rest;
}

function isSameList(left: readonly unknown[], right: readonly unknown[]): boolean {
  // A tracked list is another one exactly when something in it has changed.
  if (TrackedList.of(left) !== undefined && TrackedList.of(right) !== undefined) return left === right;
  return equalJson(left, right);
}
