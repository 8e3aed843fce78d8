/** Keeps this host's etcd lease alive. Taking it, and taking it again when it was lost, is the lease reconciler's work. */
import type { Lease } from '../model/lease.js';
import type { Clock, Log, Random } from '../ports.js';
import type { StoreAccess } from '../reconcilers/store-access.js';
import { type BackOff, backOffMs } from './back-off.js';
import { Wake } from './wake.js';

export interface LeaseKeeperDependencies {
  readonly access: StoreAccess;
  /** This host's lease as it stands in the store. */
  readonly ownLease: () => Lease | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface LeaseTerm {
  readonly etcdLease: string;
  /** On the wall clock, for people; absent for a reservation and before the first answer. */
  readonly expiresAt?: number;
}

const RESERVED = '0';
const BACK_OFF: BackOff = { firstMs: 1_000, mostMs: 60_000 };

/**
 * Refreshes at a third of the time that is left: a TTL of 24 h is refreshed every 8 h, and after failures ever
 * sooner. Deadlines count on CLOCK_BOOTTIME, so a suspended host refreshes at once on waking.
 */
export class LeaseKeeper {
  readonly #deps: LeaseKeeperDependencies;
  readonly #wake = new Wake();
  #held: { etcdLease: string; expiresMs: number; refreshMs: number } | undefined;
  #failures = 0;

  constructor(dependencies: LeaseKeeperDependencies) {
    this.#deps = dependencies;
  }

  /** The lease may have changed. */
  wake = (): void => this.#wake.wake();

  term(): LeaseTerm | undefined {
    const etcdLease = this.#deps.ownLease()?.etcdLease;
    if (etcdLease === undefined) return undefined;
    if (this.#held?.etcdLease !== etcdLease) return { etcdLease };
    const { clock } = this.#deps;
    return { etcdLease, expiresAt: clock.now() + this.#held.expiresMs - clock.boottimeMs() };
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
    if (etcdLease === undefined || etcdLease === RESERVED) {
      this.#held = undefined;
      return UNTIL_WOKEN_MS;
    }
    // An adopted lease has an unknown time left: refresh it at once.
    if (this.#held?.etcdLease !== etcdLease) this.#held = undefined;
    const dueInMs = (this.#held?.refreshMs ?? 0) - clock.boottimeMs();
    if (dueInMs > 0) return Math.min(dueInMs, UNTIL_WOKEN_MS);
    await this.#refresh(etcdLease, signal);
    return this.#retryMs();
  }

  async #refresh(etcdLease: string, signal: AbortSignal): Promise<void> {
    const { access, clock, log } = this.#deps;
    const askedMs = clock.boottimeMs();
    try {
      const ttlSeconds = await access.store.keepAlive(etcdLease, signal);
      this.#failures = 0;
      if (ttlSeconds > 0) {
        // Counted from the question, not the answer: never later than etcd's own reckoning.
        this.#held = {
          etcdLease,
          expiresMs: askedMs + ttlSeconds * 1000,
          refreshMs: askedMs + (ttlSeconds * 1000) / 3,
        };
        return;
      }
      log.warn({ etcdLease }, 'lease expired');
      this.#held = undefined;
      await access.refresh(signal);
    } catch (error) {
      if (signal.aborted) return;
      this.#failures++;
      if (this.#failures === 1) log.warn({ etcdLease, error: String(error) }, 'lease not refreshed');
    }
  }

  #retryMs(): number {
    const { clock, random } = this.#deps;
    if (this.#failures === 0) {
      return this.#held === undefined
        ? BACK_OFF.firstMs
        : Math.max(0, this.#held.refreshMs - clock.boottimeMs());
    }
    const retry = backOffMs(BACK_OFF, this.#failures, random.next());
    const leftMs = (this.#held?.expiresMs ?? 0) - clock.boottimeMs();
    return leftMs > 0 ? Math.max(BACK_OFF.firstMs, Math.min(retry, leftMs / 3)) : retry;
  }
}

/** Timers hold at most 2^31 ms; a wait that ends for nothing costs nothing. */
const UNTIL_WOKEN_MS = 3_600_000;
