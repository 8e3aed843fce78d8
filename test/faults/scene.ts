/**
 * Where the scoreboard is played: three hosts in one network, kept from row to row, and a probe between the
 * containers of the first two. The first suffers; to the third nothing of the probe may ever come.
 *
 *    A ◄── probe ──► C            E
 *    │               │            │
 *  host1 ══ etcd ══ host2 ══════ host3
 */
import assert from 'node:assert/strict';
import { type Cluster, ETCD_URL, onCluster } from '../lab/cluster.js';
import { startEtcdOn } from '../lab/etcd-host.js';
import { eventually } from '../lab/eventually.js';
import { worldDifference, worldOf } from '../lab/host-world.js';
import type { LongProcess } from '../lab/process.js';
import { reachEachOther } from '../lab/sites.js';
import { storeOf } from '../lab/store-content.js';
import { Probe } from './probe.js';
import { Station } from './station.js';

export const CONFIG = `network: { cidr: 4.0.0.0/16, ipMasq: true }
store: { etcd: { endpoints: ["${ETCD_URL}"] } }
`;
/** Connections to etcd come and go. */
const SPARE_DESCRIPTORS = 4;
const RESTORED_MS = 20_000;

export interface Snapshot {
  readonly worlds: readonly string[];
  readonly descriptors: readonly number[];
  readonly keys: readonly string[];
  readonly leases: number;
}

export class Scene {
  etcdProcess: LongProcess;

  private constructor(
    readonly cluster: Cluster,
    readonly stations: readonly Station[],
    readonly probe: Probe,
  ) {
    this.etcdProcess = cluster.etcdProcess;
  }

  /** A scene for the length of `body`. */
  static play<T>(body: (scene: Scene) => Promise<T>): Promise<T> {
    return onCluster({ hosts: 3, config: CONFIG }, async (cluster) => {
      const stations = await Promise.all(cluster.members.map((member) => Station.start(member)));
      const containers = stations.map(({ container }) => container);
      await reachEachOther(containers);
      const probe = await Probe.start(containers);
      try {
        return await body(new Scene(cluster, stations, probe));
      } finally {
        await probe.close();
        await Promise.all(stations.map((station) => station.close()));
      }
    });
  }

  /** The one that suffers. */
  get first(): Station {
    return this.#station(0);
  }

  get second(): Station {
    return this.#station(1);
  }

  get third(): Station {
    return this.#station(2);
  }

  /** By SIGKILL; its data stay. */
  async endEtcd(): Promise<void> {
    this.etcdProcess.signal('SIGKILL');
    await this.etcdProcess.exited;
  }

  /** Resolves once it serves. */
  async startEtcd(): Promise<void> {
    this.etcdProcess = await startEtcdOn(this.cluster.etcd, ETCD_URL);
  }

  async snapshot(): Promise<Snapshot> {
    const { keys, leases } = await storeOf(this.cluster);
    return {
      worlds: await Promise.all(this.stations.map(({ host }) => worldOf(host))),
      descriptors: this.stations.map((station) => station.descriptors()),
      keys: keys.map(({ key, value }) => `${key} = ${value}`).sort(),
      leases: leases.trim().split('\n').length - 1,
    };
  }

  /** What differs from `before` also after a while; empty when all was restored. */
  async leaksSince(before: Snapshot): Promise<readonly string[]> {
    let leaks: readonly string[] = [];
    await eventually('all is as it was', RESTORED_MS, async () => {
      leaks = differences(before, await this.snapshot());
      assert.deepEqual(leaks, []);
    }).catch(() => {});
    return leaks;
  }

  #station(index: number): Station {
    const station = this.stations[index];
    if (station === undefined) throw new Error(`Cannot take station ${index + 1} of ${this.stations.length}`);
    return station;
  }
}

function differences(before: Snapshot, now: Snapshot): readonly string[] {
  const leaks = before.worlds.flatMap((world, index) =>
    worldDifference(world, now.worlds[index] ?? '').map((line) => `host${index + 1} ${line}`),
  );
  leaks.push(...worldDifference(before.keys.join('\n'), now.keys.join('\n')).map((line) => `etcd ${line}`));
  if (now.leases !== before.leases) leaks.push(`etcd: ${now.leases} leases, were ${before.leases}`);
  for (const [index, count] of now.descriptors.entries()) {
    const most = (before.descriptors[index] ?? 0) + SPARE_DESCRIPTORS;
    if (count > most) leaks.push(`host${index + 1}: ${count} descriptors, were at most ${most}`);
  }
  return leaks;
}
