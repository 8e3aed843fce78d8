/**
 * A store whose server can fail in every way a server fails. It answers like etcd where nothing is wrong: the
 * same contract suite holds.
 */
import {
  type Store,
  type StoreEvent,
  type StorePut,
  type StoreSnapshot,
  StoreUnavailableError,
  type WatchEnd,
} from '../../src/ports.js';
import { MemoryStore } from '../../src/sys/memory-store.js';

export class FakeStore implements Store {
  readonly description = 'fake store';
  /** How often it was asked, whatever it answered. */
  readonly asked = { snapshot: 0, watch: 0, write: 0, grantLease: 0, keepAlive: 0 };
  /** What it has raised the alarm for. */
  complaints: readonly string[] = [];
  /** What a bad line does to the events: lose, repeat, reorder. */
  onTheWay: (events: readonly StoreEvent[]) => readonly StoreEvent[] = (events) => events;
  /** Holds back the answer to a snapshot that was taken already. */
  beforeAnswer: () => Promise<void> = async () => {};
  /** What somebody else does just before a write of ours arrives. */
  beforeWrite: () => Promise<void> = async () => {};
  #core: MemoryStore;
  #trouble: StoreUnavailableError | undefined;
  #isClosed = false;

  constructor() {
    this.#core = newCore('1');
  }

  // ---- what a test does to it ----------------------------------------------------------------------------

  /** Every call is refused and every watch breaks, until `comeBack`. */
  goDown(reason = 'connection refused'): void {
    this.#trouble = new StoreUnavailableError(`Cannot use ${this.description}: ${reason}`);
    this.#core.endWatches({ why: 'failed', error: this.#trouble });
  }

  comeBack(): void {
    this.#trouble = undefined;
  }

  cutWatches(end: WatchEnd = { why: 'ended' }): void {
    this.#core.endWatches(end);
  }

  compact(): void {
    this.#core.compact();
  }

  /** An empty store takes its place. */
  wipe(clusterId = '1'): void {
    const wiped = this.#core;
    this.#core = newCore(clusterId);
    wiped.endWatches({ why: 'ended' });
  }

  /** As any client could: unconditionally, on no lease unless given. */
  async put(key: string, value: string, lease = '0'): Promise<void> {
    const expected = await this.#revisionOf(key);
    await this.#core.compareAndPut({ key, value, expected, lease }, NEVER);
  }

  async delete(key: string): Promise<void> {
    await this.#core.compareAndDelete(key, await this.#revisionOf(key), NEVER);
  }

  /** The lease's time is over. */
  async expire(lease: string): Promise<void> {
    await this.#core.revokeLease(lease, NEVER);
  }

  async valueOf(key: string): Promise<string | undefined> {
    return (await this.#core.snapshot(NEVER)).entries.find((entry) => entry.key === key)?.value;
  }

  // ---- the port ------------------------------------------------------------------------------------------

  async snapshot(signal: AbortSignal): Promise<StoreSnapshot> {
    this.asked.snapshot++;
    const answer = await this.#ask(signal).snapshot(signal);
    await this.beforeAnswer();
    return answer;
  }

  async watch(
    from: bigint,
    onEvents: (events: readonly StoreEvent[]) => void,
    signal: AbortSignal,
  ): Promise<WatchEnd> {
    this.asked.watch++;
    if (!signal.aborted && this.#trouble !== undefined && !this.#isClosed) {
      return { why: 'failed', error: this.#trouble };
    }
    return this.#core.watch(from, (events) => onEvents(this.onTheWay(events)), signal);
  }

  async compareAndPut(put: StorePut, signal: AbortSignal): Promise<boolean> {
    this.asked.write++;
    await this.#interfere();
    return this.#ask(signal).compareAndPut(put, signal);
  }

  async compareAndDelete(key: string, expected: bigint, signal: AbortSignal): Promise<boolean> {
    this.asked.write++;
    await this.#interfere();
    return this.#ask(signal).compareAndDelete(key, expected, signal);
  }

  async grantLease(ttlSeconds: number, signal: AbortSignal): Promise<string> {
    this.asked.grantLease++;
    return this.#ask(signal).grantLease(ttlSeconds, signal);
  }

  async keepAlive(lease: string, signal: AbortSignal): Promise<number> {
    this.asked.keepAlive++;
    return this.#ask(signal).keepAlive(lease, signal);
  }

  async secondsLeft(lease: string, signal: AbortSignal): Promise<number> {
    return this.#ask(signal).secondsLeft(lease, signal);
  }

  async revokeLease(lease: string, signal: AbortSignal): Promise<void> {
    return this.#ask(signal).revokeLease(lease, signal);
  }

  async alarms(signal: AbortSignal): Promise<readonly string[]> {
    this.#ask(signal);
    return this.complaints;
  }

  renew(): void {
    this.#core.endWatches({ why: 'renewed' });
  }

  close(): void {
    this.#isClosed = true;
    this.#core.close();
  }

  #ask(signal: AbortSignal): MemoryStore {
    signal.throwIfAborted();
    if (this.#trouble !== undefined) throw this.#trouble;
    return this.#core;
  }

  /** Once: the other host does not act again because of what it did. */
  async #interfere(): Promise<void> {
    const act = this.beforeWrite;
    this.beforeWrite = async () => {};
    await act();
  }

  async #revisionOf(key: string): Promise<bigint> {
    const { entries } = await this.#core.snapshot(NEVER);
    return entries.find((entry) => entry.key === key)?.modRevision ?? 0n;
  }
}

const NEVER = new AbortController().signal;

function newCore(clusterId: string): MemoryStore {
  return new MemoryStore({ description: 'fake store', clusterId });
}
