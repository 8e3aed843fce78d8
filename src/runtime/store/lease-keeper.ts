/** Keeps this host's etcd lease alive. Taking it, and taking it again when it was lost, is the lease reconciler's work. */
import { type Lease, NO_ETCD_LEASE } from '../../model/lease.js';
import type { Clock, Log, Random } from '../../ports.js';
import type { StoreAccess } from '../../reconcilers/store-access.js';
import { type BackOff, backOffMs, isWorthSaying } from '../timing/back-off.js';
import { Wake } from '../timing/wake.js';

export interface LeaseKeeperDependencies {
  readonly access: StoreAccess;
  /** This host's lease as it stands in the store. */
  readonly ownLease: () => Lease | undefined;
  /** Whether the store serves now. */
  readonly isLive: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface LeaseTerm {
  readonly etcdLease: string;
  /** On the wall clock, for people; absent for a reservation and before the first answer. */
  readonly expiresAt?: number;
}

/** Times are CLOCK_BOOTTIME's, so a suspended host refreshes at once on waking. */
interface HeldLease {
  readonly etcdLease: string;
  /** Undefined until etcd has told. */
  expiresMs?: number;
  ttlMs?: number;
  /** When to ask for more time. */
  dueMs: number;
}

const BACK_OFF: BackOff = { firstMs: 1_000, mostMs: 60_000 };
/** A wait that ends for nothing costs nothing. */
const UNTIL_WOKEN_MS = 3_600_000;

/**
 * - A lease that was not in hand before has an unknown time left: it is refreshed as soon as the store serves.
 * - It is refreshed at a third of its time: every 8 h at a TTL of 24 h.
 * - A failed refresh is tried again after a back-off, but no later than a third of what is left.
 * - A reservation is never refreshed.
 */
export class LeaseKeeper {
  readonly #deps: LeaseKeeperDependencies;
  readonly #wake = new Wake();
  #held: HeldLease | undefined;
  /** The etcd lease that was this host's last. */
  #last: string | undefined;
  #failures = 0;

  constructor(dependencies: LeaseKeeperDependencies) {
    this.#deps = dependencies;
  }

  /** The lease may have changed. */
  wake = (): void => this.#wake.wake();

  term(): LeaseTerm | undefined {
    const { ownLease, clock } = this.#deps;
    const etcdLease = ownLease()?.etcdLease;
    if (etcdLease === undefined) return undefined;
    const left = this.timeLeft();
    return left === undefined ? { etcdLease } : { etcdLease, expiresAt: clock.now() + left.leftMs };
  }

  /** Of this host's lease, and how much it had when it was refreshed; undefined where it does not run out or is not known. */
  timeLeft(): { readonly leftMs: number; readonly ttlMs: number } | undefined {
    const { ownLease, clock } = this.#deps;
    const { etcdLease, expiresMs, ttlMs } = this.#held ?? {};
    if (expiresMs === undefined || ttlMs === undefined || etcdLease !== ownLease()?.etcdLease)
      return undefined;
    return { leftMs: expiresMs - clock.boottimeMs(), ttlMs };
  }

  /** Runs until `signal` aborts; then resolves. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const pauseMs = await this.#step(signal);
      try {
        await this.#wake.wait(this.#deps.clock, pauseMs, signal);
      } catch {
        return; // Only an abort ends a wait early.
      }
    }
  }

  /** Returns how long to wait. */
  async #step(signal: AbortSignal): Promise<number> {
    const { ownLease, clock } = this.#deps;
    const etcdLease = ownLease()?.etcdLease;
    if (etcdLease === undefined || etcdLease === NO_ETCD_LEASE) {
      this.#held = undefined;
      return UNTIL_WOKEN_MS;
    }
    if (this.#held?.etcdLease !== etcdLease) {
      // While the store is away there is no hurry to hear that it is.
      const waitMs = this.#deps.isLive() ? 0 : BACK_OFF.firstMs;
      this.#held = { etcdLease, dueMs: clock.boottimeMs() + waitMs };
      this.#failures = 0;
    }
    await this.#giveUpLast(etcdLease, signal);
    const held = this.#held;
    if (held.dueMs <= clock.boottimeMs()) await this.#refresh(held, signal);
    return Math.min(Math.max(0, held.dueMs - clock.boottimeMs()), UNTIL_WOKEN_MS);
  }

  /** An etcd lease whose key somebody deleted holds nothing, and would stay for a day. */
  async #giveUpLast(etcdLease: string, signal: AbortSignal): Promise<void> {
    const last = this.#last;
    this.#last = etcdLease;
    if (last === undefined || last === etcdLease) return;
    const { access, log } = this.#deps;
    try {
      await access.store.revokeLease(last, signal);
    } catch (error) {
      if (!signal.aborted) log.warn({ etcdLease: last, error: String(error) }, 'former lease not revoked');
    }
  }

  async #refresh(held: HeldLease, signal: AbortSignal): Promise<void> {
    const { access, clock, log } = this.#deps;
    const { etcdLease } = held;
    const askedMs = clock.boottimeMs();
    try {
      const ttlMs = (await access.store.keepAlive(etcdLease, signal)) * 1000;
      this.#failures = 0;
      if (ttlMs > 0) {
        // Counted from the question, not the answer: never later than etcd's own reckoning.
        held.ttlMs = ttlMs;
        held.expiresMs = askedMs + ttlMs;
        held.dueMs = askedMs + ttlMs / 3;
        return;
      }
      log.warn({ etcdLease }, 'lease expired');
      delete held.expiresMs;
      held.dueMs = clock.boottimeMs() + BACK_OFF.firstMs;
      // The key went with it: once that is known, the reconciler takes a new one.
      await access.refresh(signal);
    } catch (error) {
      if (signal.aborted) return;
      this.#failures++;
      if (isWorthSaying(this.#failures)) {
        log.warn({ etcdLease, failures: this.#failures, error: String(error) }, 'lease not refreshed');
      }
      held.dueMs = clock.boottimeMs() + this.#retryMs(held);
    }
  }

  #retryMs({ expiresMs = 0 }: HeldLease): number {
    const { clock, random } = this.#deps;
    const retryMs = backOffMs(BACK_OFF, this.#failures, random.next());
    const leftMs = expiresMs - clock.boottimeMs();
    return leftMs > 0 ? Math.max(BACK_OFF.firstMs, Math.min(retryMs, leftMs / 3)) : retryMs;
  }
}
