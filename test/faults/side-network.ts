/**
 * A second network on the hosts of the scene, with a store of its own that has all that etcd can ask for: three members,
 * certificates both ways, users with passwords. It has three subnets; two hosts are in it.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StatusReport } from '../../src/model/status.js';
import { CertificateAuthority, type Signed } from '../lab/certificates.js';
import { type Cluster, type Member, memberAt } from '../lab/cluster.js';
import { statusOf } from '../lab/daemon-status.js';
import { type EtcdMember, startMembersOn } from '../lab/etcd-host.js';
import type { LongProcess } from '../lab/process.js';

const INSTANCE = 'flannel1';
const CONFIG_PATH = '/run/side.yaml';
const ADDRESS = '10.8.64.10';
const MEMBERS = [0, 1, 2].map(
  (number): EtcdMember => ({
    name: `side${number}`,
    url: `https://${ADDRESS}:${2479 + 100 * number}`,
    peerUrl: `http://127.0.0.1:${2480 + 100 * number}`,
    metricsUrl: `http://127.0.0.1:${2481 + 100 * number}`,
  }),
);
export const METRICS_URLS: readonly string[] = MEMBERS.map(({ metricsUrl }) => `${metricsUrl}/metrics`);
const PREFIX = '/side/network';
export const SIDE_SUBNETS = `${PREFIX}/subnets/`;

/** One host's part in it. */
export interface SideHost {
  readonly member: Member;
  readonly signed: Signed;
  readonly daemon: LongProcess;
  status(): Promise<StatusReport>;
}

interface Parts {
  readonly cluster: Cluster;
  readonly authority: CertificateAuthority;
  readonly server: Signed;
  readonly admin: Signed;
  readonly directory: string;
}

export class SideNetwork {
  readonly hosts: SideHost[] = [];
  readonly #parts: Parts;
  readonly #servers: LongProcess[] = [];
  #hasUsers = false;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Resolves once the first two hosts are ready in it. */
  static async open(cluster: Cluster): Promise<SideNetwork> {
    const authority = await CertificateAuthority.create();
    const side = new SideNetwork({
      cluster,
      authority,
      server: await authority.sign('etcd', `IP:${ADDRESS}`),
      admin: await authority.sign('admin', `IP:${ADDRESS}`),
      directory: await mkdtemp(join(tmpdir(), 'flannelette-side-')),
    });
    try {
      await side.#startServers();
      await side.#addUsers();
      for (const index of [0, 1]) await side.join(index);
    } catch (error) {
      await side.close().catch(() => {});
      throw error;
    }
    return side;
  }

  /** Ends and removes all of it; what is left would show in the row before. */
  async close(): Promise<void> {
    const { cluster, authority, directory } = this.#parts;
    for (const index of this.hosts.keys()) await this.#leave(index);
    for (const server of this.#servers) await server.stop();
    await cluster.etcd.script('rm -rf /var/lib/side*');
    await authority.destroy();
    await rm(directory, { recursive: true, force: true });
  }

  get first(): SideHost {
    const [host] = this.hosts;
    if (host === undefined) throw new Error('Cannot take a host of the side network: none has joined');
    return host;
  }

  /** `wait: false`: the daemon is started and that is all. */
  async join(index: number, { wait = true } = {}): Promise<SideHost> {
    const { cluster, authority } = this.#parts;
    const { host } = memberAt(cluster, index);
    const member = memberAt(cluster, index).another(CONFIG_PATH);
    const signed = await authority.sign(`host${index}`, 'IP:127.0.0.1');
    await host.writeFile(CONFIG_PATH, this.#config(signed));
    const daemon = wait ? await member.run() : member.start();
    const side = { member, signed, daemon, status: () => statusOf(host, INSTANCE) };
    this.hosts[index] = side;
    return side;
  }

  /** Of the one that joined last. */
  async leaveLast(): Promise<void> {
    await this.#leave(this.hosts.length - 1);
    this.hosts.pop();
  }

  async #leave(index: number): Promise<void> {
    const { member, daemon } = this.hosts[index] as SideHost;
    await daemon.stop();
    await member.command('destroy', '--lease');
    await member.host.script(`rm -rf ${CONFIG_PATH} /var/lib/flannelette/${INSTANCE}`);
  }

  /** A new pair of certificate and key for the host, in the place of its old one. */
  async renewCertificate(index: number): Promise<void> {
    await this.#parts.authority.sign(`host${index}`, 'IP:127.0.0.1');
  }

  /** As etcd has it from now on; the hosts are told by `writePassword`. */
  async changePassword(password: string): Promise<void> {
    await this.ctl(['user', 'passwd', 'host', '--interactive=false'], `${password}\n`);
  }

  async writePassword(password: string): Promise<void> {
    await writeFile(this.#passwordFile, `${password}\n`, { mode: 0o600 });
  }

  /** What etcdctl prints, asked as root at all members that run. */
  async ctl(args: readonly string[], input = ''): Promise<string> {
    const { cluster, authority, admin } = this.#parts;
    const urls = MEMBERS.filter((_, index) => this.#servers[index]?.isRunning).map(({ url }) => url);
    return cluster.etcd.output(
      [
        'etcdctl',
        // Its own two seconds for logging in, and five for the rest, may be short of an election.
        '--dial-timeout=20s',
        '--command-timeout=20s',
        `--endpoints=${urls.join(',')}`,
        `--cacert=${authority.caFile}`,
        `--cert=${admin.certFile}`,
        `--key=${admin.keyFile}`,
        ...(this.#hasUsers ? ['--user=root:root'] : []),
        ...args,
      ],
      { input },
    );
  }

  async killServer(index: number): Promise<void> {
    this.#servers[index]?.signal('SIGKILL');
    await this.#servers[index]?.exited;
  }

  /** Resolves once all members serve. */
  async startServer(index: number): Promise<void> {
    await this.#startServers([index]);
  }

  get #passwordFile(): string {
    return join(this.#parts.directory, 'password');
  }

  async #startServers(indices = [...MEMBERS.keys()]): Promise<void> {
    const { cluster, server, authority } = this.#parts;
    const tls = { ...server, clientCaFile: authority.caFile };
    const started = await startMembersOn(cluster.etcd, MEMBERS, indices, tls);
    for (const [at, index] of indices.entries()) this.#servers[index] = started[at] as LongProcess;
  }

  async #addUsers(): Promise<void> {
    await this.writePassword('first');
    await this.ctl(['user', 'add', 'root:root']);
    await this.ctl(['user', 'grant-role', 'root', 'root']);
    await this.ctl(['role', 'add', 'network']);
    await this.ctl(['role', 'grant-permission', 'network', '--prefix=true', 'readwrite', `${PREFIX}/`]);
    await this.ctl(['user', 'add', 'host:first']);
    await this.ctl(['user', 'grant-role', 'host', 'network']);
    await this.ctl(['auth', 'enable']);
    this.#hasUsers = true;
  }

  #config({ certFile, keyFile }: Signed): string {
    const endpoints = MEMBERS.map(({ url }) => `"${url}"`).join(', ');
    const tls = `{ caFile: ${this.#parts.authority.caFile}, certFile: ${certFile}, keyFile: ${keyFile} }`;
    return `network:
  cidr: 5.0.0.0/16
  subnetMin: 5.0.1.0
  subnetMax: 5.0.3.0
  backend: { type: udp, port: 8290 }
store:
  etcd:
    endpoints: [${endpoints}]
    prefix: ${PREFIX}
    username: host
    passwordFile: ${this.#passwordFile}
    tls: ${tls}
instance: { name: ${INSTANCE}, routeProtocol: 78 }
files: { subnetEnv: /run/flannel/side.env }
docker: { mode: "off" }
`;
  }
}
