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
import { SideNetwork } from './side-network.js';
import { HEALED_MS, Station } from './station.js';

export const CONFIG = `network: { cidr: 4.0.0.0/16, ipMasq: true }
store: { etcd: { endpoints: ["${ETCD_URL}"] } }
`;
const NETWORK_KEY = '/coreos.com/network/config';
/** The network is as etcd has it. */
const FOLLOWER = `store: { etcd: { endpoints: ["${ETCD_URL}"] } }\n`;
/** Connections to etcd come and go. */
const SPARE_DESCRIPTORS = 4;
const RESTORED_MS = 20_000;

/**
 * Where a row is played that is not played on the three hosts alone: beside them the network of side-network.ts, or the
 * network with another backend.
 */
export type Stage = 'side' | 'vxlan' | 'host-gw';

export interface Snapshot {
  readonly worlds: readonly string[];
  readonly descriptors: readonly number[];
  readonly keys: readonly string[];
  readonly leases: number;
}

export class Scene {
  etcdProcess: LongProcess;
  #baseline: Snapshot | undefined;
  #stage: Stage | undefined;
  #leaveStage: () => Promise<void> = async () => {};
  /** Of the three hosts alone. */
  #bareBaseline: Snapshot | undefined;
  #side: SideNetwork | undefined;

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
      const scene = new Scene(cluster, stations, probe);
      try {
        return await body(scene);
      } finally {
        await scene.setStage(undefined);
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

  /** Of a row with that stage. */
  get side(): SideNetwork {
    if (this.#side === undefined) throw new Error('Cannot take the side network: the row has another stage');
    return this.#side;
  }

  /** Rows with the same stage one after the other share it. */
  async setStage(stage: Stage | undefined): Promise<void> {
    if (stage === this.#stage) return;
    if (this.#stage !== undefined) {
      await this.#leaveStage();
      // What it has left behind shows in the next row.
      this.#baseline = this.#bareBaseline;
    }
    this.#stage = stage;
    if (stage === undefined) return;
    this.#bareBaseline = await this.baseline();
    if (stage === 'side') {
      const side = await SideNetwork.open(this.cluster);
      this.#side = side;
      this.#leaveStage = async () => {
        this.#side = undefined;
        await side.close();
      };
    } else this.#leaveStage = await this.#takeBackend(stage);
    this.#baseline = undefined;
  }

  /** An operator changes the network in etcd, and the hosts follow. Resolves with how to go back. */
  async #takeBackend(backend: string): Promise<() => Promise<void>> {
    const { cluster } = this;
    const before = (await cluster.etcdctl('get', '--print-value-only', NETWORK_KEY)).trimEnd();
    const { Network, SubnetLen } = JSON.parse(before) as Record<string, unknown>;
    await this.#configure(FOLLOWER);
    await cluster.etcdctl(
      'put',
      NETWORK_KEY,
      JSON.stringify({ Network, SubnetLen, Backend: { Type: backend } }),
    );
    await this.#carriedBy(backend);
    return async () => {
      await cluster.etcdctl('put', NETWORK_KEY, before);
      await this.#carriedBy('udp');
      await this.#configure(CONFIG);
      for (const station of this.stations) await station.settle();
    };
  }

  async #configure(text: string): Promise<void> {
    for (const { host, member } of this.stations) await host.writeFile(member.configPath, text);
  }

  async #carriedBy(backend: string): Promise<void> {
    for (const station of this.stations) {
      await eventually(`${backend} carries the packets`, HEALED_MS, async () => {
        const { ready, reason, network } = await station.status();
        assert.deepEqual([ready, reason, network?.backend], [true, '', backend]);
      });
    }
    await this.probe.since(this.probe.mark(), HEALED_MS);
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

  /** How everything is to be after every row: as it was before the first, or before the one after which something was left. */
  async baseline(): Promise<Snapshot> {
    if (this.#baseline === undefined) {
      for (const station of this.stations) await station.settle();
      this.#baseline = await this.#snapshot();
    }
    return this.#baseline;
  }

  async #snapshot(): Promise<Snapshot> {
    const [worlds, { keys, leases }] = await Promise.all([
      Promise.all(this.stations.map(({ host }) => worldOf(host))),
      storeOf(this.cluster),
    ]);
    return {
      worlds,
      descriptors: this.stations.map((station) => station.descriptors()),
      keys: keys.map(({ key, value }) => `${key} = ${value}`).sort(),
      leases: leases.trim().split('\n').length - 1,
    };
  }

  /** What differs from `before` also after a while; empty when all was restored. */
  async leaksSince(before: Snapshot): Promise<readonly string[]> {
    let leaks: readonly string[] = [];
    await eventually('all is as it was', RESTORED_MS, async () => {
      leaks = differences(before, await this.#snapshot());
      assert.deepEqual(leaks, []);
    }).catch(() => {
      this.#baseline = undefined;
    });
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
