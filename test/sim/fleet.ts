/** All hosts, etcd and their timeline; shows invariants.ts the world after every step and writes down what happened. */
import { createHash } from 'node:crypto';
import type { Random } from '../../src/ports.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { EtcdServer } from './etcd-server.js';
import { expectedLines, heldSubnets } from './expected-host.js';
import { Holdings } from './holdings.js';
import * as invariants from './invariants.js';
import { isRecord, type Settings, SUBNET_ENV } from './settings.js';
import { SimHost } from './sim-host.js';
import { VirtualTime } from './virtual-time.js';

const CHECK_MS = 1_000;
/** Two rounds of every loop, and etcd's answers. */
const AFTER_LEAP_MS = 5_000;
const MINUTE_MS = 60_000;

/** What a host was seen to do, for the invariants that are about a while. */
interface Watched {
  informedSinceMs: number | undefined;
  readonly logged: Map<string, number[]>;
  storeCalls: number;
  calls: number;
  /** Peer rows by subnet, and when each was taken up. */
  rows: Map<string, { publicIp: string; sinceMs: number }>;
  dataPlaneLog: number;
  fileWrites: number;
}

export class Fleet {
  readonly random: Random;
  readonly time: VirtualTime;
  readonly server: EtcdServer;
  readonly hosts: readonly SimHost[];
  readonly trace: string[] = [];
  readonly breaches: string[] = [];
  /** What etcd was like at times, for a restore. */
  readonly backups: ReturnType<EtcdServer['backup']>[] = [];
  /** Milliseconds of all hosts together: with every timer, and leapt over. */
  readonly passedMs = { stepped: 0, leapt: 0 };
  readonly #hash = createHash('sha256');
  readonly #watched = new Map<SimHost, Watched>();
  readonly #holdings = new Holdings();
  #storeWrites = 0;
  #hasChanged = false;
  #checkedMs = 0;
  #minuteMs = 0;
  #addressesGiven = 0;

  constructor(seed: number, hosts: number, settings: Settings) {
    this.random = seededRandom(seed);
    this.time = new VirtualTime(this.random);
    this.server = new EtcdServer(this.time);
    this.server.onChange = (events) => this.#onStoreChange(events.length === 0);
    const witness = {
      tell: (line: string) => this.tell(line),
      onStoreWrite: (host: SimHost, what: string, before: string | undefined) => {
        this.#storeWrites++;
        this.tell(`${host.name} store: ${what}`);
        this.breach(invariants.keyWasFreeOrOwn(host.name, host.addresses, what, before));
      },
      onLog: (host: SimHost, loop: string) => this.#onLog(host, loop),
      onStoreAsk: (host: SimHost) => {
        this.#watchedOf(host).storeCalls++;
      },
    };
    const { server, time, random } = this;
    this.hosts = Array.from({ length: hosts }, (_, index) => {
      const address = this.freshAddress();
      return new SimHost({ name: `host${index + 1}`, address, settings, server, time, random, witness });
    });
  }

  get hash(): string {
    return this.#hash.copy().digest('hex').slice(0, 16);
  }

  tell = (line: string): void => {
    const dated = `${(this.time.nowMs / 1000).toFixed(3)} ${line}`;
    this.trace.push(dated);
    this.#hash.update(`${dated}\n`);
  };

  backUp(): void {
    this.backups.push(this.server.backup());
  }

  /** An address of the hosts' network that nobody had before. */
  freshAddress(): string {
    const given = ++this.#addressesGiven;
    return `10.8.${1 + (given >> 7)}.${1 + (given & 127)}/16`;
  }

  async advance(ms: number): Promise<void> {
    await this.time.advance(ms, () => this.#afterStep());
    this.passedMs.stepped += ms * this.hosts.length;
  }

  /** For a world at rest: see VirtualTime. */
  async leap(ms: number): Promise<void> {
    for (let left = ms; left > 0 && this.breaches.length === 0; ) {
      const renewals = this.#usedLeases().map((lease) => this.server.renewalOf(lease) - this.time.nowMs);
      this.breach(invariants.refreshedInTime(renewals));
      const leapt = this.time.leap(Math.min(left, ...renewals));
      this.passedMs.leapt += leapt * this.hosts.length;
      // Whoever was due meanwhile acts now, and what follows from that comes to its end.
      await this.advance(AFTER_LEAP_MS);
      left -= leapt + AFTER_LEAP_MS;
    }
  }

  /** How much of it all is not as it should be; empty at the fixpoint. */
  unlikeness(): readonly string[] {
    const held = heldSubnets(this.server.snapshot().entries);
    return this.hosts.flatMap((host) => {
      const own = held.filter(({ publicIp }) => publicIp === host.addresses.at(-1));
      const others = held.filter(({ publicIp }) => publicIp !== host.addresses.at(-1));
      return invariants.atFixpoint({
        name: host.name,
        ready: host.daemon?.isReady ?? false,
        lines: host
          .shares()
          .ours.filter((line) => !line.includes(' proto kernel') && !isRecord(line.split(' ')[1] ?? '')),
        expectedLines: expectedLines(own[0]?.subnet ?? '', host.settings),
        peers: rowsOf(host),
        expectedPeers: new Map(others.map(({ subnet, publicIp }) => [subnet, publicIp])),
        subnet: host.dataPlane?.forwarder()?.subnet,
        held: own,
      });
    });
  }

  /** How often anything was written anywhere. */
  get writes(): number {
    return this.#storeWrites + this.hosts.reduce((sum, host) => sum + host.writes, 0);
  }

  /** Somebody else has just changed something on `host`, or done something to its process: from now on that is how it is. */
  acceptChanges(host: SimHost): void {
    host.rememberForeign();
    this.#noteRows(host, this.#watchedOf(host));
  }

  /** Moments at which etcd will take back leases of addresses that no host has any more, the last one last. */
  orphansEndMs(): readonly number[] {
    const used = this.#usedLeases();
    return this.server
      .leases()
      .filter((lease) => !used.includes(lease))
      .map((lease) => this.server.expiryOf(lease) ?? 0)
      .sort((left, right) => left - right);
  }

  #usedLeases(): readonly string[] {
    const addresses = this.hosts.map((host) => host.addresses.at(-1));
    return heldSubnets(this.server.snapshot().entries)
      .filter(({ publicIp }) => addresses.some((address) => address === publicIp))
      .map(({ lease }) => lease);
  }

  breach(sentences: readonly string[]): void {
    for (const sentence of sentences) {
      this.tell(`BREACH ${sentence}`);
      this.breaches.push(sentence);
    }
  }

  #watchedOf(host: SimHost): Watched {
    let watched = this.#watched.get(host);
    if (watched === undefined) {
      const nothing = { storeCalls: 0, calls: 0, dataPlaneLog: 0, fileWrites: 0 };
      watched = { ...nothing, informedSinceMs: undefined, logged: new Map(), rows: new Map() };
      this.#watched.set(host, watched);
    }
    return watched;
  }

  // ---- after every step ----------------------------------------------------------------------------------

  #afterStep(): void {
    for (const host of this.hosts) this.#look(host);
    const { nowMs } = this.time;
    if (!this.#hasChanged && nowMs - this.#checkedMs < CHECK_MS) return;
    this.#hasChanged = false;
    this.#checkedMs = nowMs;
    const hosts = this.hosts.map((host) => this.#forwarding(host));
    const { owners } = this.#holdings;
    this.breach(invariants.deliveredToOwnersOnly(hosts, owners, nowMs));
    this.breach(invariants.oneForwarderPerSubnet(hosts, owners, nowMs));
    this.breach(invariants.forwardsForItsOwn(hosts, owners, nowMs));
    if (nowMs - this.#minuteMs >= MINUTE_MS) this.#endMinute(nowMs);
  }

  #look(host: SimHost): void {
    this.breach(invariants.neverEndsUnasked(host.name, host.unaskedEnd));
    if (host.process?.isDead || host.hasEnded) this.#replace(host);
    if (!host.tellWrites()) return;
    this.#hasChanged = true;
    this.breach(invariants.foreignKept(host.name, host.foreign, host.shares().foreign));
    const watched = this.#watchedOf(host);
    if (host.files.countedWrites !== watched.fileWrites) {
      watched.fileWrites = host.files.countedWrites;
      this.breach(invariants.filesWhole(host.name, host.contentByDaemon(SUBNET_ENV)));
    }
    this.#lookAtRows(host, watched);
  }

  /** The service manager starts it again. */
  #replace(host: SimHost): void {
    this.tell(`${host.name} ended`);
    this.#hasChanged = true;
    host.bury();
    const watched = this.#watchedOf(host);
    watched.rows = new Map();
    watched.dataPlaneLog = 0;
    watched.calls = 0;
    this.time.after(100 + this.random.next() * 10_000, () => host.start());
  }

  #lookAtRows(host: SimHost, watched: Watched): void {
    const log = host.dataPlane?.log ?? [];
    const news = log.slice(watched.dataPlaneLog);
    watched.dataPlaneLog = log.length;
    if (news.length === 0) return;
    const rows = rowsOf(host);
    const isShutDown = news.some((line) => line === 'shut down');
    const gone = new Map(
      [...watched.rows]
        .filter(([subnet, { publicIp }]) => !isShutDown && rows.get(subnet) !== publicIp)
        .map(([subnet, { publicIp }]) => [subnet, publicIp]),
    );
    const { nowMs } = this.time;
    const historyOf = (subnet: string, publicIp: string) =>
      this.#holdings.history(subnet, publicIp, watched.rows.get(subnet)?.sinceMs ?? 0, nowMs);
    this.breach(invariants.removedOnlyWhenGone(host.name, gone, historyOf));
    this.breach(invariants.keptThroughNewHistory(host.name, gone, historyOf, nowMs));
    this.#noteRows(host, watched);
  }

  #noteRows(host: SimHost, watched: Watched): void {
    const before = watched.rows;
    watched.rows = new Map(
      [...rowsOf(host)].map(([subnet, publicIp]) => {
        const known = before.get(subnet);
        return [subnet, known?.publicIp === publicIp ? known : { publicIp, sinceMs: this.time.nowMs }];
      }),
    );
  }

  #forwarding(host: SimHost): invariants.ForwardingHost {
    const { nowMs } = this.time;
    const watched = this.#watchedOf(host);
    const canKnow = host.isRunning && !host.process?.isStopped && host.way.isGood;
    if (!canKnow) watched.informedSinceMs = undefined;
    else watched.informedSinceMs ??= nowMs;
    return {
      name: host.name,
      addresses: host.addresses.slice(-1),
      everyAddress: host.addresses,
      subnet: host.dataPlane?.forwarder()?.subnet,
      peers: rowsOf(host),
      informedSinceMs: watched.informedSinceMs,
    };
  }

  #onStoreChange(isNewHistory: boolean): void {
    this.#hasChanged = true;
    this.#holdings.update(heldSubnets(this.server.snapshot().entries), isNewHistory, this.time.nowMs);
  }

  #onLog(host: SimHost, loop: string): void {
    const { logged } = this.#watchedOf(host);
    const { nowMs } = this.time;
    const times = [...(logged.get(loop) ?? []), nowMs].filter((ms) => nowMs - ms < MINUTE_MS);
    logged.set(loop, times);
    this.breach(invariants.logBounded(host.name, loop, times.length));
  }

  #endMinute(nowMs: number): void {
    const minutes = (nowMs - this.#minuteMs) / MINUTE_MS;
    this.#minuteMs = nowMs;
    for (const host of this.hosts) {
      const watched = this.#watchedOf(host);
      const calls = ((host.process?.calls ?? 0) - watched.calls) / minutes;
      this.breach(invariants.workBounded(host.name, { calls, storeCalls: watched.storeCalls / minutes }));
      watched.calls = host.process?.calls ?? 0;
      watched.storeCalls = 0;
    }
  }
}

function rowsOf(host: SimHost): ReadonlyMap<string, string> {
  return new Map((host.dataPlane?.peers() ?? []).map(({ subnet, publicIp }) => [subnet, publicIp]));
}
