/**
 * The whole store in memory, kept by list and watch: reads cost nothing, and while the store is away the last
 * known state stays. Why events are applied: docs/decisions/0004-store-mirror.md.
 */
import type { NetworkConfig } from '../../model/network.js';
import type { StoreView } from '../../model/store-view.js';
import type { TrackedList } from '../../model/tracked-list.js';
import {
  type Clock,
  type Log,
  type Random,
  type Store,
  type StoreEntry,
  type StoreEvent,
  type StoreSnapshot,
  StoreUnavailableError,
  type WatchEnd,
} from '../../ports.js';
import type { StoreAccess } from '../../reconcilers/store-access.js';
import { CONFIG_KEY, isLeaseKey, storeReader } from '../../wire/flannel-store.js';
import { type BackOff, backOffMs, isWorthSaying } from '../timing/back-off.js';
import { withChildAbort } from '../timing/child-abort.js';
import { Gathering } from '../timing/gathering.js';
import { Wake } from '../timing/wake.js';
import { Departures, GRACE_MS } from './departures.js';
import { EventDamper } from './event-damper.js';
import { MirroredEntries } from './mirrored-entries.js';

export interface StoreMirrorDependencies {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The network that the file declares now, if it does: leases are judged by it. */
  readonly declared?: () => NetworkConfig | undefined;
}

export interface MirrorState {
  /** `connecting`: never read yet. `stale`: what is here was true, and is kept, but the store is not followed now. */
  readonly status: 'connecting' | 'live' | 'stale';
  /** When the status began, in milliseconds since the epoch. */
  readonly since: number;
  /** Why it is not live. */
  readonly error?: Error;
  /** Whether the store itself has answered this process; before that all comes from memory. */
  readonly isConfirmed: boolean;
  /** When the store last confirmed what is here, on CLOCK_BOOTTIME: now while it is live. Undefined before. */
  readonly confirmedMs?: number;
  /** How often the content has changed. */
  readonly changes: number;
  readonly clusterId?: string;
  readonly revision: bigint;
  readonly entries: TrackedList<StoreEntry>;
}

/** Never more than one try a second, and back within two seconds once the store is. */
const BACK_OFF: BackOff = { firstMs: 100, mostMs: 1_400 };
/** Messages get lost. Jittered by ±25 %, so that a hundred hosts do not ask at once. */
const RELIST_MS = 300_000;
/** Between two looks at what has changed, while hosts come and go: each costs the same, however much has changed. */
const GATHER_MS = 100;
const UNTIL_WOKEN_MS = 3_600_000;
/** A watch that held this long was not part of the trouble before it. */
const STEADY_MS = 10_000;

export class StoreMirror implements StoreAccess {
  readonly store: Store;
  readonly #deps: StoreMirrorDependencies;
  readonly #mirrored = new MirroredEntries();
  readonly #read = storeReader();
  readonly #departures = new Departures();
  readonly #damper = new EventDamper();
  /** Something is held for a moment: an event, or a lease that went away. */
  readonly #isHolding = new Wake();
  /** What went away must be asked for again. */
  readonly #doubt = new Wake();
  readonly #subscribers = new Set<() => void>();
  #view: StoreView | undefined;
  #viewedFor: NetworkConfig | undefined;
  #isRead = false;
  #status: Pick<MirrorState, 'status' | 'since' | 'error'>;
  #confirmedMs: number | undefined;
  #changes = 0;
  #failures = 0;
  /** What was last told of an outage; undefined when there is none that was told. */
  #told: string | undefined;
  #isConfirmed = false;
  /** Ends the watch under way, for that cause; the loop then lists and watches anew. */
  #endWatch: (cause?: Error) => void = () => {};

  constructor(dependencies: StoreMirrorDependencies) {
    this.#deps = dependencies;
    this.store = dependencies.store;
    this.#status = { status: 'connecting', since: dependencies.clock.now() };
  }

  get state(): MirrorState {
    const { clusterId, revision, entries } = this.#mirrored;
    const confirmedMs = this.#status.status === 'live' ? this.#deps.clock.boottimeMs() : this.#confirmedMs;
    return {
      ...this.#status,
      changes: this.#changes,
      isConfirmed: this.#isConfirmed,
      ...(confirmedMs !== undefined && { confirmedMs }),
      ...(clusterId !== undefined && { clusterId }),
      revision,
      entries,
    };
  }

  /** Undefined until the store was read once. The same object as long as nothing changed. */
  view(): StoreView | undefined {
    if (!this.#isRead) return undefined;
    const declared = this.#deps.declared?.();
    if (this.#view === undefined || this.#viewedFor !== declared) {
      this.#view = this.#read(this.#mirrored.entries, declared, this.#departures);
      this.#viewedFor = declared;
    }
    return this.#view;
  }

  /** Begins with what the store confirmed at that time; it corrects that itself when it answers. */
  recall(snapshot: StoreSnapshot, confirmedAt: number, confirmedMs: number): void {
    if (this.#isRead) return;
    this.#mirrored.applyList(snapshot, 0n);
    this.#isRead = true;
    this.#confirmedMs = confirmedMs;
    const { error } = this.#status;
    this.#status = { status: 'stale', since: confirmedAt, ...(error && { error }) };
    this.#changed(true);
  }

  /** `wake` is called when the content or the status has changed. Returns how to end that. */
  subscribe(wake: () => void): () => void {
    this.#subscribers.add(wake);
    return () => this.#subscribers.delete(wake);
  }

  /**
   * Lists the store anew; afterwards the content is at least as new as every write that was answered before
   * the call. Rejects with StoreUnavailableError, and then keeps what was known.
   */
  async refresh(signal: AbortSignal): Promise<void> {
    const knownBefore = this.#mirrored.revision;
    const askedMs = this.#deps.clock.boottimeMs();
    const list = await this.store.snapshot(signal).catch((error: unknown) => {
      // A watch that was opened before outlives the password: what it says of the store is no longer true.
      if (error instanceof StoreUnavailableError && error.trouble === 'auth') this.#endWatch(error);
      throw error;
    });
    const { entries: before } = this.#mirrored;
    const { hasChanged, isNewHistory } = this.#mirrored.applyList(list, knownBefore);
    this.#noteDepartures(before, isNewHistory);
    const isLetGo = this.#departures.confirm(askedMs);
    this.#isRead = this.#isConfirmed = true;
    if (isNewHistory) {
      this.#deps.log.warn({ revision: list.revision.toString() }, 'store replaced');
      this.#damper.forget();
      // Its revisions mean nothing in the new history.
      this.#endWatch();
    }
    const isNowLive = this.#setStatus('live');
    if (hasChanged || isLetGo || isNowLive) this.#changed(hasChanged || isLetGo);
  }

  /** Follows the store until `signal` aborts; then resolves. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#deps;
    while (!signal.aborted) {
      const startedAt = clock.boottimeMs();
      const error = await this.#follow(signal);
      if (signal.aborted) return;
      if (error === undefined) continue;
      if (clock.boottimeMs() - startedAt >= STEADY_MS) this.#failures = 0;
      this.#failures++;
      this.#tellLoss(error);
      // Told once: every object would be looked at anew with each try.
      if (this.#setStatus(this.#isRead ? 'stale' : 'connecting', error)) this.#changed(false);
      try {
        await clock.sleep(backOffMs(BACK_OFF, this.#failures, random.next()), signal);
      } catch {
        return; // Only an abort ends a wait early.
      }
    }
  }

  /** Lists, then watches; resolves with why that came to an end, undefined when nothing was lost. */
  async #follow(signal: AbortSignal): Promise<Error | undefined> {
    const { store } = this.#deps;
    try {
      await this.refresh(signal);
    } catch (error) {
      return error as Error;
    }
    this.#tellRead();
    return withChildAbort(signal, async (over) => {
      let cause: Error | undefined;
      this.#endWatch = (error) => {
        cause = error;
        over.abort();
      };
      const relisting = this.#relist(over.signal).finally(() => over.abort());
      const releasing = this.#release(over.signal);
      const take = (events: readonly StoreEvent[]) => {
        this.#apply(this.#damper.pass(events, this.#deps.clock.boottimeMs()));
        if (this.#dueMs() !== undefined) this.#isHolding.wake();
      };
      const gathering = new Gathering(this.#deps.clock, GATHER_MS, take, over.signal);
      const end = await store.watch(
        this.#mirrored.listed + 1n,
        (events) => gathering.add(events),
        over.signal,
      );
      // In another history they would mean nothing.
      if (!over.signal.aborted) gathering.finish();
      over.abort();
      await releasing;
      return (await relisting) ?? cause ?? (end.why === 'renewed' ? undefined : watchError(end));
    });
  }

  #apply(events: readonly StoreEvent[]): void {
    const { entries: before } = this.#mirrored;
    if (!this.#mirrored.applyEvents(events)) return;
    this.#noteDepartures(before, false);
    this.#changed(true);
  }

  /** Applies events that were held back, and lets go of leases, each in its time, until `signal` aborts. */
  async #release(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    while (!signal.aborted) {
      const dueMs = this.#dueMs();
      const pauseMs = dueMs === undefined ? UNTIL_WOKEN_MS : Math.max(0, dueMs - clock.boottimeMs());
      try {
        await this.#isHolding.wait(clock, pauseMs, signal);
      } catch {
        return; // Only an abort ends a wait early.
      }
      this.#apply(this.#damper.release(clock.boottimeMs()));
      if (this.#departures.release(clock.boottimeMs())) this.#changed(true);
    }
  }

  /** When the next of what is held is to be dealt with; undefined when nothing is. */
  #dueMs(): number | undefined {
    const dues = [this.#damper.dueMs, this.#departures.briefUntilMs].filter((dueMs) => dueMs !== undefined);
    return dues.length === 0 ? undefined : Math.min(...dues);
  }

  /** What went away in doubtful company is asked for again at once, and held until that is settled. */
  #noteDepartures(before: TrackedList<StoreEntry>, isNewHistory: boolean): void {
    const { clock, log } = this.#deps;
    const { entries } = this.#mirrored;
    const gone: StoreEntry[] = [];
    for (const key of entries.differences(before)) {
      const [was, is] = [before.get(key), entries.get(key)];
      if (is !== undefined) this.#departures.returned(key);
      else if (was !== undefined && isLeaseKey(key)) gone.push(was);
    }
    if (gone.length === 0) return;
    this.#isHolding.wake();
    const left = entries.list.length - (entries.get(CONFIG_KEY) === undefined ? 0 : 1);
    if (!this.#departures.note(gone, left, isNewHistory, clock.boottimeMs())) return;
    log.warn({ gone: this.#departures.vanished, left, holdMs: GRACE_MS }, 'leases vanished');
    this.#doubt.wake();
  }

  /** An outage is told once, and again when it has another cause; of a line that keeps breaking ever less is told. */
  #tellLoss(error: Error): void {
    const { log, store } = this.#deps;
    const cause = error instanceof StoreUnavailableError ? error.trouble : 'unreachable';
    if (this.#told === cause || (this.#told === undefined && !isWorthSaying(this.#failures))) return;
    this.#told = cause;
    log.warn({ store: store.description, error: error.message }, 'store lost');
  }

  #tellRead(): void {
    const { log, store } = this.#deps;
    if (this.#told === undefined && this.#failures > 0) return;
    this.#told = undefined;
    log.info({ store: store.description, revision: this.#mirrored.listed.toString() }, 'store read');
  }

  /** Lists now and then until `signal` aborts; resolves with an error when the store did not answer. */
  async #relist(signal: AbortSignal): Promise<Error | undefined> {
    const { clock, random } = this.#deps;
    try {
      for (;;) {
        const { untilMs } = this.#departures;
        const usualMs = Math.round(RELIST_MS * (0.75 + 0.5 * random.next()));
        const pauseMs = untilMs === undefined ? usualMs : Math.max(0, untilMs - clock.boottimeMs());
        await this.#doubt.wait(clock, pauseMs, signal);
        await this.refresh(signal);
      }
    } catch (error) {
      return signal.aborted ? undefined : (error as Error);
    }
  }

  /** Returns whether it is another one than before. */
  #setStatus(status: MirrorState['status'], error?: Error): boolean {
    const before = this.#status;
    const isOther = before.status !== status;
    if (isOther && before.status === 'live') this.#confirmedMs = this.#deps.clock.boottimeMs();
    this.#status = {
      status,
      since: isOther ? this.#deps.clock.now() : before.since,
      ...(error && { error }),
    };
    // The first failure of a store that was never read is news too: until then it was merely being asked.
    return isOther || (error !== undefined && before.error === undefined);
  }

  #changed(hasContentChanged: boolean): void {
    if (hasContentChanged) {
      this.#view = undefined;
      this.#changes++;
    }
    for (const wake of this.#subscribers) wake();
  }
}

function watchError(end: Exclude<WatchEnd, { why: 'renewed' }>): Error {
  switch (end.why) {
    case 'failed':
      return end.error;
    case 'compacted':
      return new Error(`The watch fell behind: the store was compacted at revision ${end.revision}`);
    case 'aborted':
    case 'ended':
      return new Error('The watch ended');
    case 'no answer':
      return new Error('The watch got no answer');
  }
}
