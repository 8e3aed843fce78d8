/**
 * The ports as one process has them: a call can be refused, and the process can die before or after any of them. What
 * a dead process asked for is never answered.
 */
import { setMaxListeners } from 'node:events';
import { ObserveError, type Random, SystemError } from '../../src/ports.js';
import type { Owner, VirtualTime } from './virtual-time.js';

/** What becomes of a call. */
export type Fate = 'refused' | 'died before' | 'died after';

export class Process implements Owner {
  isStopped = false;
  /** How many calls of ports it has made. */
  calls = 0;
  /** The number of calls from now → what becomes of that one. */
  readonly #fates = new Map<number, Fate>();
  readonly #death = new AbortController();
  readonly #time: VirtualTime;
  readonly #random: Random;
  /** Longest time that a call takes. */
  slownessMs = 0;
  /** In [0, 1): how many of its calls are refused. */
  refusals = 0;

  constructor(time: VirtualTime, random: Random) {
    setMaxListeners(0, this.#death.signal);
    this.#time = time;
    this.#random = random;
  }

  get isDead(): boolean {
    return this.#death.signal.aborted;
  }

  /** Nothing of it happens from now on. */
  die(): void {
    this.#death.abort();
  }

  /** The `calls`-th call from now, 1 being the next one. */
  decide(calls: number, fate: Fate): void {
    this.#fates.set(this.calls + calls, fate);
  }

  /** What was decided and has not happened will not happen. */
  pardon(): void {
    this.#fates.clear();
  }

  /** `port` as this process has it. `calls` names what may be refused, and what its refusal is; the rest passes. */
  over<T extends object>(port: T, calls: Readonly<Record<string, Refusal>>): T {
    return new Proxy(port, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        if (name === 'watch') return this.#watch(value.bind(target));
        const refusal = calls[String(name)];
        if (refusal === undefined) return value.bind(target);
        return (...given: unknown[]) =>
          this.#call(String(name), given, refusal, () => Reflect.apply(value, target, given));
      },
    });
  }

  async #call(
    name: string,
    given: readonly unknown[],
    refusal: Refusal,
    act: () => unknown,
  ): Promise<unknown> {
    if (this.isDead) return never();
    const fate = this.#fates.get(++this.calls);
    this.#fates.delete(this.calls);
    if (this.slownessMs > 0) await this.#pause();
    if (fate === 'died before') this.die();
    if (this.isDead) return never();
    if (fate === 'refused' || (this.refusals > 0 && this.#random.next() < this.refusals))
      return refusal(name, given);
    const answer = await act();
    if (fate === 'died after') this.die();
    return this.isDead ? never() : answer;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#time.after(this.#random.next() * this.slownessMs, resolve, this));
  }

  /** No wake reaches a dead process; one that is stopped hears of them when it goes on. */
  #watch(watch: (...given: unknown[]) => unknown) {
    return (...given: unknown[]) => {
      const at = given.findIndex((argument) => argument instanceof AbortSignal);
      const [wake, until] = given.slice(at - 1) as [() => void, AbortSignal];
      const over = new AbortController();
      until.addEventListener('abort', () => over.abort(), { once: true });
      this.#death.signal.addEventListener('abort', () => over.abort(), { once: true });
      const hear = () => {
        if (this.isDead) return;
        if (this.isStopped) this.#time.after(0, wake, this);
        else wake();
      };
      return watch(...given.slice(0, at - 1), hear, over.signal, ...given.slice(at + 1));
    };
  }
}

function never(): Promise<never> {
  return new Promise(() => {});
}

/** Throws, or answers as the port tells of a refusal. */
type Refusal = (name: string, given: readonly unknown[]) => unknown;

const unread: Refusal = (name) => {
  throw new ObserveError(`Cannot read ${name}: the dump was interrupted`);
};
const unwritten: Refusal = (name) => {
  throw new SystemError(`Cannot ${name}: EBUSY`, 'EBUSY');
};

export const NETLINK_CALLS = {
  links: unread,
  addresses: unread,
  routes: unread,
  routeTo: unread,
  request: (name, given) =>
    (given[0] as readonly unknown[]).map(() => new SystemError(`Cannot ${name}: EBUSY`, 'EBUSY')),
} satisfies Readonly<Record<string, Refusal>>;

export const SYSCTL_CALLS = { read: unread, write: unwritten };

export const FIREWALL_CALLS = {
  masquerade: unread,
  forward: unread,
  bridgeFirewall: unread,
  replaceMasquerade: unwritten,
  deleteMasquerade: unwritten,
  replaceForward: unwritten,
  deleteForward: unwritten,
};

export const FILE_CALLS = { read: unwritten, write: unwritten, remove: unwritten };

export const DATA_PLANE_CALLS = { configure: unwritten, shutDown: unwritten, updatePeers: unwritten };
