/** Real etcd on loopback, of one member or several, for the length of one test. */
import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LongProcess, outputOf } from './process.js';

export interface EtcdOptions {
  /** Where it listens; must be an address of this namespace. Default 127.0.0.1. */
  readonly address?: string;
  /** Above this it raises the alarm NOSPACE and takes no writes. */
  readonly quotaBytes?: number;
  readonly tls?: {
    readonly certFile: string;
    readonly keyFile: string;
    /** Clients must show a certificate that this authority signed. */
    readonly clientCaFile?: string;
  };
}

const START_MS = 20_000;

/** Starts etcd, waits until it serves, and ends it after `body` however that ends. */
export async function withEtcd<T>(
  body: (etcd: EtcdServer) => Promise<T>,
  options: EtcdOptions = {},
): Promise<T> {
  const etcd = await EtcdServer.create(options);
  try {
    await etcd.start();
    return await body(etcd);
  } finally {
    await etcd.destroy();
  }
}

/** A cluster of `count` members, all of them serving. */
export async function withEtcdCluster<T>(
  count: number,
  body: (members: readonly EtcdServer[]) => Promise<T>,
): Promise<T> {
  const members = await EtcdServer.createCluster(count);
  try {
    await Promise.all(members.map((member) => member.start()));
    return await body(members);
  } finally {
    await Promise.all(members.map((member) => member.destroy()));
  }
}

/** Created, not started: `start` and `kill` may take turns; ports and data stay. */
export class EtcdServer {
  readonly endpoint: string;
  readonly port: number;
  readonly #options: EtcdOptions;
  readonly #peerPort: number;
  readonly #dataDirectory: string;
  readonly #name: string;
  /** As every member must be told: `lab0=http://127.0.0.1:1,lab1=...`. */
  #cluster: string;
  #process: LongProcess | undefined;

  private constructor(
    options: EtcdOptions,
    name: string,
    dataDirectory: string,
    ports: readonly [number, number],
  ) {
    this.#options = options;
    this.#name = name;
    this.#dataDirectory = dataDirectory;
    [this.port, this.#peerPort] = ports;
    this.endpoint = this.#url(this.port, options.tls !== undefined);
    this.#cluster = `${name}=${this.#url(this.#peerPort, false)}`;
  }

  static async create(options: EtcdOptions = {}, name = 'lab'): Promise<EtcdServer> {
    const address = options.address ?? '127.0.0.1';
    const ports = [await freePort(address), await freePort(address)] as const;
    return new EtcdServer(options, name, await mkdtemp(join(tmpdir(), 'flannelette-etcd-')), ports);
  }

  /** They serve once most of them were started. */
  static async createCluster(count: number): Promise<readonly EtcdServer[]> {
    const members: EtcdServer[] = [];
    for (let index = 0; index < count; index++) members.push(await EtcdServer.create({}, `lab${index}`));
    const cluster = members.map((member) => member.#cluster).join(',');
    for (const member of members) member.#cluster = cluster;
    return members;
  }

  /** Resolves once etcd serves. Rejects with what it printed when it does not. */
  async start(): Promise<void> {
    const { tls, quotaBytes } = this.#options;
    const peerUrl = this.#url(this.#peerPort, false);
    const process = new LongProcess([
      'etcd',
      ...[
        '--name',
        this.#name,
        '--data-dir',
        this.#dataDirectory,
        '--logger',
        'zap',
        '--log-outputs',
        'stderr',
      ],
      ...['--listen-client-urls', this.endpoint, '--advertise-client-urls', this.endpoint],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
      ...['--initial-cluster', this.#cluster],
      ...(quotaBytes === undefined ? [] : ['--quota-backend-bytes', String(quotaBytes)]),
      ...(tls === undefined ? [] : ['--cert-file', tls.certFile, '--key-file', tls.keyFile]),
      ...(tls?.clientCaFile === undefined
        ? []
        : ['--client-cert-auth', '--trusted-ca-file', tls.clientCaFile]),
    ]);
    this.#process = process;
    try {
      await process.waitForLine(/ready to serve client requests|serving (insecure|client)/, START_MS);
    } catch (cause) {
      await process.stop(0).catch(() => {});
      throw new Error('Cannot start etcd: is it installed? scripts/install-debian-packages does it', {
        cause,
      });
    }
  }

  /** Stops answering, connections stay open: SIGSTOP. */
  pause(): void {
    this.#process?.signal('SIGSTOP');
  }

  resume(): void {
    this.#process?.signal('SIGCONT');
  }

  async kill(): Promise<void> {
    this.#process?.signal('SIGKILL');
    await this.#process?.exited;
    this.#process = undefined;
  }

  /** While it is down: the next start begins with an empty store of the same cluster. */
  async wipe(): Promise<void> {
    await rm(this.#dataDirectory, { recursive: true, force: true });
  }

  /** What etcdctl prints. */
  ctl(...args: readonly string[]): Promise<string> {
    return outputOf(['etcdctl', '--endpoints', this.endpoint, ...args]);
  }

  async destroy(): Promise<void> {
    await this.kill();
    await this.wipe();
  }

  #url(port: number, isTls: boolean): string {
    return `${isTls ? 'https' : 'http'}://${this.#options.address ?? '127.0.0.1'}:${port}`;
  }
}

/** Below those that whoever connects is given (ip_local_port_range): nobody takes one before it is listened on. */
const [FIRST_PORT, LAST_PORT] = [10_000, 30_000];

/** A port nobody listens on now. */
export async function freePort(address: string): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    if (await isFree(address, port)) return port;
  }
}

async function isFree(address: string, port: number): Promise<boolean> {
  const server = createServer();
  const isListening = await new Promise<boolean>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(port, address, () => resolve(true));
  });
  if (isListening) await new Promise((resolve) => server.close(resolve));
  return isListening;
}
