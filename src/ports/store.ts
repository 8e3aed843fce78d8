/** The store: where the hosts of a network find each other. */
import type { StoreEntry } from '../model/store-view.js';

export type { StoreEntry };

export interface StoreSnapshot {
  readonly revision: bigint;
  /** Identity of the store: another one means that revisions cannot be compared. */
  readonly clusterId: string;
  /** `config` (if there) and everything below `subnets/`, at one revision. */
  readonly entries: readonly StoreEntry[];
}

export type StoreEvent =
  | { readonly type: 'put'; readonly entry: StoreEntry }
  | { readonly type: 'delete'; readonly key: string; readonly modRevision: bigint };

export type WatchEnd =
  | { readonly why: 'aborted' | 'ended' | 'no answer' }
  /** The store serves, and is to be asked over a new connection. */
  | { readonly why: 'renewed' }
  | { readonly why: 'compacted'; readonly revision: bigint }
  | { readonly why: 'failed'; readonly error: Error };

/** The keys of one network. Every call rejects with StoreUnavailableError within its deadline, or with the signal's reason. */
export interface Store {
  /** For people: `etcd http://10.8.64.10:2379`. Holds no secret. */
  readonly description: string;
  snapshot(signal: AbortSignal): Promise<StoreSnapshot>;
  /** One attempt; always settles, never rejects. The caller takes a snapshot again, then watches from its revision + 1. */
  watch(
    from: bigint,
    onEvents: (events: readonly StoreEvent[]) => void,
    signal: AbortSignal,
  ): Promise<WatchEnd>;
  /**
   * Writes only if the key's modification revision is still `expected` (0n: the key is absent). `lease: '0'`
   * hangs the key on no etcd lease. Resolves with false, having written nothing, when somebody was faster.
   */
  compareAndPut(put: StorePut, signal: AbortSignal): Promise<boolean>;
  compareAndDelete(key: string, expected: bigint, signal: AbortSignal): Promise<boolean>;
  /** Resolves with the new lease's id. */
  grantLease(ttlSeconds: number, signal: AbortSignal): Promise<string>;
  /** Resolves with the seconds left, 0 when the lease is gone. */
  keepAlive(lease: string, signal: AbortSignal): Promise<number>;
  /** Resolves with the seconds left, 0 when the lease is gone. Does not refresh it. */
  secondsLeft(lease: string, signal: AbortSignal): Promise<number>;
  /** Gone already is success. */
  revokeLease(lease: string, signal: AbortSignal): Promise<void>;
  /** What the store complains of itself, though it serves: `NOSPACE`. */
  alarms(signal: AbortSignal): Promise<readonly string[]>;
  /** Connections are made anew: those that are open may lead from an address that this host has no more. */
  renew(): void;
  /** Ends watches and connections. */
  close(): void;
}

export interface StorePut {
  readonly key: string;
  readonly value: string;
  readonly expected: bigint;
  readonly lease: string;
}
