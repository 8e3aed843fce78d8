/** A world from its seed: hosts start, things go wrong, things calm down, all is well; again and again. */
import type { Random } from '../../src/ports.js';
import { FAULTS, type Fault, FOLLOWED_AT_ONCE, isNothingToBreak } from './faults.js';
import { Fleet } from './fleet.js';
import { FOLLOWED_MS, silent } from './invariants.js';
import type { SimHost } from './sim-host.js';

const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 3_600_000;

/** Longer than the longest of all back-offs and routines: the store's mirror lists anew every 6 min 15 s at most. */
const CALM_MS = 10 * MINUTE;
/** Every loop looks at least twice, the file and the interfaces are read. */
const SILENCE_MS = 2.5 * MINUTE;
/** Time that a start takes at most, etcd being there. */
const START_MS = 30 * SECOND;

export interface World {
  readonly seed: number;
  /** SHA-256 of the trace, in part. */
  readonly hash: string;
  readonly trace: readonly string[];
  readonly breaches: readonly string[];
  /** Milliseconds of all hosts together: with every timer, and leapt over in silence. */
  readonly passedMs: { readonly stepped: number; readonly leapt: number };
  /** Kind of fault → how often. */
  readonly faults: ReadonlyMap<string, number>;
}

export interface WorldOptions {
  /** How often things go wrong and calm down again. */
  readonly storms: number;
  /** Longest time of each. */
  readonly stormMinutes: number;
  /** Longest time of the quiet after each, in times that a lease lives. */
  readonly quietTtls: number;
}

/** It ends at its first breach. */
export async function simulate(
  seed: number,
  { storms, stormMinutes, quietTtls }: WorldOptions,
): Promise<World> {
  const shape = new Storm(seed);
  const { fleet } = shape;
  for (const host of fleet.hosts) fleet.time.after(fleet.random.next() * 5 * SECOND, () => host.start());
  await fleet.advance(START_MS);
  for (let count = 0; count < storms && fleet.breaches.length === 0; count++) {
    await shape.rage(stormMinutes * MINUTE * (0.2 + 0.8 * fleet.random.next()));
    await shape.calmDown();
    await shape.outliveOrphans();
    await shape.nudge();
    if (fleet.breaches.length === 0) await shape.rest(fleet.random.next() * quietTtls * shape.ttlMs);
  }
  const { hash, trace, breaches, passedMs } = fleet;
  return { seed, hash, trace, breaches, passedMs, faults: shape.injected };
}

class Storm {
  readonly fleet: Fleet;
  readonly ttlMs: number;
  readonly injected = new Map<string, number>();
  /** How to end what goes on. */
  readonly #ends = new Set<() => void>();

  constructor(seed: number) {
    const shape = seed % 1_000_003;
    const isShort = shape % 3 === 0;
    this.ttlMs = (isShort ? 1 : 24) * HOUR;
    this.fleet = new Fleet(seed, 2 + (shape % 4), {
      leaseTtl: isShort ? '1h' : '24h',
      ipMasq: shape % 2 === 0,
      mtu: 'auto',
    });
  }

  /** A fault every few seconds. */
  async rage(ms: number): Promise<void> {
    const { fleet } = this;
    const { random, time } = fleet;
    fleet.backUp();
    const untilMs = time.nowMs + ms;
    const meanGapMs = (2 + 28 * random.next()) * SECOND;
    while (time.nowMs < untilMs && fleet.breaches.length === 0) {
      await fleet.advance(Math.ceil(2 * meanGapMs * random.next()));
      this.#inject();
    }
    // What takes longer is waited for, so that it is seen to the end.
    while (this.#ends.size > 0 && fleet.breaches.length === 0) await fleet.advance(30 * SECOND);
  }

  #inject(): void {
    const { fleet } = this;
    const { random } = fleet;
    const what = anyFault(random);
    const host = this.#anyHost();
    fleet.tell(`FAULT ${what.name} (${host.name})`);
    this.injected.set(what.name, (this.injected.get(what.name) ?? 0) + 1);
    const end = this.#tryTo(host, () => what.inject(fleet, host, random));
    if (end === undefined) return;
    const finish = () => {
      if (!this.#ends.delete(finish)) return;
      fleet.tell(`END ${what.name} (${host.name})`);
      this.#tryTo(host, () => end());
    };
    this.#ends.add(finish);
    fleet.time.after(Math.ceil(what.mostMs * random.next() ** 2), finish);
  }

  #tryTo<T>(host: SimHost, act: () => T): T | undefined {
    const { fleet } = this;
    try {
      return act();
    } catch (error) {
      if (!isNothingToBreak(error)) throw error;
      return undefined;
    } finally {
      fleet.acceptChanges(host);
    }
  }

  async calmDown(): Promise<void> {
    const { fleet } = this;
    fleet.tell('CALM');
    for (const { process } of fleet.hosts) process?.pardon();
    const untilMs = fleet.time.nowMs + CALM_MS;
    while (fleet.breaches.length === 0 && fleet.unlikeness().length > 0) {
      if (fleet.time.nowMs >= untilMs) return fleet.breach(fleet.unlikeness());
      await fleet.advance(10 * SECOND);
    }
  }

  /** What no host has any more goes with its time; only then nothing is left to be done. */
  async outliveOrphans(): Promise<void> {
    const { fleet } = this;
    const lastMs = fleet.orphansEndMs().at(-1);
    if (lastMs !== undefined) await fleet.leap(lastMs - fleet.time.nowMs);
    await fleet.advance(30 * SECOND);
    const left = fleet.orphansEndMs().length;
    if (left > 0) fleet.breach([`L8: ${left} etcd leases are left that nobody uses`]);
  }

  /** One thing at a time: it is followed in seconds, since somebody tells of it, and not when a timer comes round. */
  async nudge(): Promise<void> {
    const { fleet } = this;
    // What was repaired often is repaired at leisure for a while.
    await fleet.advance(SILENCE_MS);
    for (const { name, inject } of FOLLOWED_AT_ONCE) {
      if (fleet.breaches.length > 0) return;
      const host = this.#anyHost();
      fleet.tell(`NUDGE ${name} (${host.name})`);
      const end = this.#tryTo(host, () => inject(fleet, host, fleet.random));
      await this.#isFollowed();
      if (end === undefined) continue;
      this.#tryTo(host, end);
      await this.#isFollowed();
    }
  }

  async #isFollowed(): Promise<void> {
    const { fleet } = this;
    await fleet.advance(FOLLOWED_MS);
    fleet.breach(fleet.unlikeness());
  }

  #anyHost(): SimHost {
    const { hosts, random } = this.fleet;
    return hosts[Math.floor(random.next() * hosts.length)] as SimHost;
  }

  /** Zero writes from here on. */
  async rest(ms: number): Promise<void> {
    const { fleet } = this;
    fleet.tell('AT REST');
    const { writes, trace } = { writes: fleet.writes, trace: fleet.trace.length };
    await fleet.advance(SILENCE_MS);
    await fleet.leap(ms);
    await fleet.advance(SILENCE_MS);
    if (fleet.writes !== writes) fleet.breach(silent('a host', fleet.trace.slice(trace)));
    fleet.breach(fleet.unlikeness());
  }
}

const TOTAL_WEIGHT = FAULTS.reduce((sum, { weight }) => sum + weight, 0);

function anyFault(random: Random): Fault {
  let left = random.next() * TOTAL_WEIGHT;
  for (const fault of FAULTS) {
    left -= fault.weight;
    if (left < 0) return fault;
  }
  throw new RangeError('Cannot choose a fault: the weights do not add up');
}
