/** A host's way to etcd: the port Store with everything that can happen between a client and its server. */
import {
  type Random,
  type Store,
  type StoreEvent,
  type StorePut,
  type StoreSnapshot,
  StoreUnavailableError,
  type WatchEnd,
} from '../../src/ports.js';
import type { EtcdServer } from './etcd-server.js';
import type { Owner, VirtualTime } from './virtual-time.js';

/** `refused`: an answer at once, and it is no. `silent`: no answer at all. */
type WayState = 'open' | 'refused' | 'silent';

/** What the way is like now; it outlives the processes that use it. */
export class Way {
  /** Longest time that a question or an answer takes; each takes a part of it that chance decides. */
  mostMs = GOOD_MS;
  /** In [0, 1): how many calls fail, half of them after etcd has done what was asked. */
  failing = 0;
  /** In [0, 1): how many batches of events arrive twice, and late. */
  disorder = 0;
  #state: WayState = 'open';
  readonly #listeners = new Set<(state: WayState) => void>();

  get state(): WayState {
    return this.#state;
  }

  set state(state: WayState) {
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }

  /** Whatever happens in etcd is known at the other end in no time. */
  get isGood(): boolean {
    return this.#state === 'open' && this.mostMs === GOOD_MS && this.failing === 0 && this.disorder === 0;
  }

  mend(): void {
    this.mostMs = GOOD_MS;
    this.failing = 0;
    this.disorder = 0;
    this.state = 'open';
  }

  /** Returns how to end it. */
  listen(listener: (state: WayState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

const GOOD_MS = 4;

/** As src/sys/etcd-store.ts bounds its calls, and its pings the silence of a watch. */
const CALL_DEADLINE_MS = 5_000;
const SILENCE_MS = 8_000;
/** How late an event can come in a line in disorder. */
const LATE_MS = 2_000;

export interface LineDependencies {
  readonly server: EtcdServer;
  readonly way: Way;
  readonly time: VirtualTime;
  readonly random: Random;
  readonly owner: Owner;
  /** Called for every question. */
  readonly onAsk: (what: string) => void;
  /** Called for each write that etcd carried out. */
  readonly onWrite: (what: string, before: string | undefined) => void;
}

export class StoreLine implements Store {
  readonly description = 'etcd http://10.8.64.10:2379';
  readonly #deps: LineDependencies;
  /** Leases that a failure may have left in etcd; given back before the next one is taken, as the real client does. */
  readonly #owed = new Set<string>();
  readonly #watches = new Set<(end: WatchEnd) => void>();
  #isClosed = false;

  constructor(dependencies: LineDependencies) {
    this.#deps = dependencies;
  }

  snapshot(signal: AbortSignal): Promise<StoreSnapshot> {
    return this.#ask('snapshot', signal, () => this.#deps.server.snapshot());
  }

  watch(
    from: bigint,
    onEvents: (events: readonly StoreEvent[]) => void,
    signal: AbortSignal,
  ): Promise<WatchEnd> {
    const { server, way, time, owner, onAsk } = this.#deps;
    onAsk('watch');
    if (signal.aborted) return Promise.resolve({ why: 'aborted' });
    if (this.#isClosed) return Promise.resolve({ why: 'ended' });
    if (way.state === 'refused') return Promise.resolve({ why: 'failed', error: refused('watch') });
    return new Promise((settle) => {
      const flow = { lastMs: 0, held: [] as (() => void)[] };
      let cancelSilence = () => {};
      const end = (result: WatchEnd) => {
        stopListening();
        stopWatching();
        cancelSilence();
        this.#watches.delete(end);
        signal.removeEventListener('abort', onAbort);
        settle(result);
      };
      const onAbort = () => end({ why: 'aborted' });
      const onState = (state: WayState) => {
        cancelSilence();
        if (state === 'refused') end({ why: 'failed', error: refused('watch') });
        if (state === 'silent')
          cancelSilence = time.after(SILENCE_MS, () => end({ why: 'no answer' }), owner);
        // TCP sends again what was not confirmed.
        if (state === 'open') for (const bring of flow.held.splice(0)) bring();
      };
      this.#watches.add(end);
      const stopListening = way.listen(onState);
      const stopWatching = server.watch(
        from,
        (events) => this.#deliver(events, (part) => this.#watches.has(end) && onEvents(part), flow),
        (result) => time.after(this.#transitMs(), () => this.#watches.has(end) && end(result), owner),
      );
      signal.addEventListener('abort', onAbort, { once: true });
      onState(way.state);
    });
  }

  async compareAndPut(put: StorePut, signal: AbortSignal): Promise<boolean> {
    const { server, onWrite } = this.#deps;
    return this.#ask(`put ${put.key}`, signal, () => {
      const before = server.entry(put.key)?.value;
      const done = server.put(put);
      if (done === 'gone') throw new StoreUnavailableError(`Cannot write ${put.key}: the lease is gone`);
      if (done) onWrite(`put ${put.key} ${put.value} on ${put.lease}`, before);
      return done;
    });
  }

  async compareAndDelete(key: string, expected: bigint, signal: AbortSignal): Promise<boolean> {
    const { server, onWrite } = this.#deps;
    return this.#ask(`delete ${key}`, signal, () => {
      const before = server.entry(key)?.value;
      const done = server.delete(key, expected);
      if (done && before !== undefined) onWrite(`delete ${key}`, before);
      return done;
    });
  }

  async grantLease(ttlSeconds: number, signal: AbortSignal): Promise<string> {
    for (const owed of this.#owed) await this.revokeLease(owed, signal);
    let granted: string | undefined;
    try {
      return await this.#ask('grant', signal, () => {
        granted = this.#deps.server.grant(ttlSeconds);
        this.#deps.onWrite(`grant ${granted}`, undefined);
        return granted;
      });
    } catch (error) {
      if (granted !== undefined) this.#owed.add(granted);
      throw error;
    }
  }

  keepAlive(lease: string, signal: AbortSignal): Promise<number> {
    return this.#ask('keep alive', signal, () => this.#deps.server.keepAlive(lease));
  }

  async revokeLease(lease: string, signal: AbortSignal): Promise<void> {
    this.#owed.add(lease);
    await this.#ask('revoke', signal, () => {
      if (this.#deps.server.expiryOf(lease) === undefined) return;
      this.#deps.onWrite(`revoke ${lease}`, undefined);
      this.#deps.server.revoke(lease);
    });
    this.#owed.delete(lease);
  }

  secondsLeft(lease: string, signal: AbortSignal): Promise<number> {
    return this.#ask('seconds left', signal, () => this.#deps.server.secondsLeft(lease));
  }

  alarms(signal: AbortSignal): Promise<readonly string[]> {
    return this.#ask('alarms', signal, () => []);
  }

  renew(): void {
    this.cut({ why: 'renewed' });
  }

  close(): void {
    this.#isClosed = true;
    this.cut({ why: 'ended' });
  }

  /** Ends the watches that run over this line. */
  cut(result: WatchEnd): void {
    for (const end of [...this.#watches]) end(result);
  }

  async #ask<T>(what: string, signal: AbortSignal, act: () => T): Promise<T> {
    const { way, random, onAsk } = this.#deps;
    onAsk(what);
    signal.throwIfAborted();
    if (this.#isClosed) throw refused(what);
    if (way.state === 'refused') throw refused(what);
    await this.#wait(this.#transitMs(), signal);
    if (way.state === 'silent') return this.#noAnswer(what, signal);
    const isFailing = way.failing > 0 && random.next() < way.failing;
    if (isFailing && random.next() < 0.5) throw refused(what);
    const answer = act();
    if (isFailing) return this.#noAnswer(what, signal);
    await this.#wait(this.#transitMs(), signal);
    return answer;
  }

  async #noAnswer(what: string, signal: AbortSignal): Promise<never> {
    await this.#wait(CALL_DEADLINE_MS, signal);
    throw new StoreUnavailableError(`Cannot ${what}: no answer after ${CALL_DEADLINE_MS} ms`);
  }

  /** In order, unless the line is in disorder. */
  #deliver(
    events: readonly StoreEvent[],
    onEvents: (events: readonly StoreEvent[]) => void,
    flow: { lastMs: number; readonly held: (() => void)[] },
  ): void {
    const { time, random, way, owner } = this.#deps;
    const bring = (ms: number) => {
      const arrive = () => (way.state === 'silent' ? flow.held.push(arrive) : onEvents(events));
      time.after(ms, arrive, owner);
    };
    if (way.disorder > 0 && random.next() < way.disorder) {
      bring(random.next() * LATE_MS);
      bring(random.next() * LATE_MS);
      return;
    }
    flow.lastMs = Math.max(flow.lastMs, time.nowMs + this.#transitMs());
    bring(flow.lastMs - time.nowMs);
  }

  #transitMs(): number {
    const { way, random } = this.#deps;
    return random.next() * way.mostMs;
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    const { time, owner } = this.#deps;
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        cancel();
        reject(signal.reason);
      };
      const cancel = time.after(
        ms,
        () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
        owner,
      );
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }
}

function refused(what: string): StoreUnavailableError {
  return new StoreUnavailableError(`Cannot ${what}: connection refused`);
}
