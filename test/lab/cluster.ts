/**
 * Hosts that run flannelette on one underlay with one etcd:
 *
 *      etcd           host1          host2          host3 ...
 *   10.8.64.10      10.8.65.1      10.8.65.2      10.8.65.3
 *       └───────────────┴──────┬───────┴──────────────┘
 *                      underlay 10.8.0.0/16
 */
import { DockerBridge, parseDockerOptions } from './docker-bridge.js';
import { startEtcdOn } from './etcd-host.js';
import type { Host } from './host.js';
import type { LongProcess, ProcessResult, RunOptions } from './process.js';
import { flannelette } from './repository.js';
import { onUnderlay, type Underlay } from './underlay.js';

export const ETCD_URL = 'http://10.8.64.10:2379';
const READY_MS = 90_000;

/** The article's file. */
export const ARTICLE_CONFIG = `network:
  cidr: 4.0.0.0/16
  subnetLength: 24
  backend: { type: udp, port: 8285 }
store:
  etcd: { endpoints: ["${ETCD_URL}"] }
`;

/** One host with the program and its file on it. */
export class Member {
  constructor(
    readonly host: Host,
    readonly address: string,
    /** On the host's own /run: another host has another. */
    readonly configPath = '/run/flannelette.yaml',
  ) {}

  /** The same host with another file. */
  another(configPath: string): Member {
    return new Member(this.host, this.address, configPath);
  }

  /** `flannelette VERB -f the host's file ...`, run to its end. */
  command(verb: string, ...args: readonly string[]): Promise<ProcessResult> {
    return this.host.run(flannelette(verb, '-f', this.configPath, ...args), { timeoutMs: 60_000 });
  }

  /** Starts the daemon; resolves once it says that it is ready. */
  async run(options?: RunOptions): Promise<LongProcess> {
    const daemon = this.start(options);
    await daemon.waitForLine(/"msg":"ready"/, READY_MS);
    return daemon;
  }

  /** Starts the daemon without waiting for it. */
  start(options?: RunOptions): LongProcess {
    return this.host.spawn(flannelette('run', '-f', this.configPath), options);
  }

  /** docker0 as dockerd would make it from the options file that is there. */
  async docker(): Promise<DockerBridge> {
    return DockerBridge.start(this.host, parseDockerOptions(await this.host.readFile('/run/flannel/docker')));
  }
}

export interface Cluster {
  readonly underlay: Underlay;
  readonly etcd: Host;
  readonly etcdProcess: LongProcess;
  readonly members: readonly Member[];
  /** What `etcdctl` prints. */
  etcdctl(...args: readonly string[]): Promise<string>;
}

export interface ClusterOptions {
  readonly hosts: number;
  /** Default: the article's file on every host. */
  readonly config?: string;
}

/** A cluster for the length of `body`: etcd runs, the files are there, no daemon runs yet. */
export function onCluster<T>(
  { hosts, config = ARTICLE_CONFIG }: ClusterOptions,
  body: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  return onUnderlay(async (underlay) => {
    const etcd = await underlay.addHost('etcd', '10.8.64.10');
    const etcdProcess = await startEtcdOn(etcd, ETCD_URL);
    const members: Member[] = [];
    for (let number = 1; number <= hosts; number++) {
      const address = `10.8.65.${number}`;
      const member = new Member(await underlay.addHost(`host${number}`, address), address);
      await member.host.writeFile(member.configPath, config);
      members.push(member);
    }
    const etcdctl = (...args: readonly string[]) =>
      etcd.output(['etcdctl', '--endpoints', ETCD_URL, ...args]);
    return body({ underlay, etcd, etcdProcess, members, etcdctl });
  });
}

/** The one at `index`; rejects a cluster that is too small. */
export function memberAt({ members }: Cluster, index: number): Member {
  const member = members[index];
  if (member === undefined) throw new Error(`Cannot take host ${index + 1} of ${members.length}`);
  return member;
}
