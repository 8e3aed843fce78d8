/**
 * A host on which everything is in place, to be made sick and mended again, with another one and etcd beside it. No daemon
 * runs. It is looked at from within the test's own process, in the host's network namespace; its files are in a directory
 * that the machine sees too.
 *
 *      etcd            host            other
 *   10.8.64.10       10.8.65.1       10.8.65.2
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostTools } from '../../src/compose-tools.js';
import { readConfig } from '../../src/config/read-config.js';
import { diagnose } from '../../src/model/doctor/diagnose.js';
import type { Unseen } from '../../src/model/doctor/facts.js';
import type { Finding } from '../../src/model/doctor/finding.js';
import { ETCD_URL } from './cluster.js';
import { startEtcdOn } from './etcd-host.js';
import type { Host } from './host.js';
import { inNamespaceOf } from './namespace.js';
import type { LongProcess, ProcessResult } from './process.js';
import { flannelette, repositoryRoot } from './repository.js';
import { Shell } from './shell.js';
import { onUnderlay, type Underlay } from './underlay.js';

const PREFIX = '/coreos.com/network';
const QUOTA_BYTES = 16 * 1024 * 1024;
const REMEDY_MS = 30_000;
const OTHER_LEASE = `${PREFIX}/subnets/4.0.50.0-24`;

export class SickHost {
  readonly #shells = new Map<Host, Shell>();
  #etcdProcess: LongProcess | undefined;

  constructor(
    readonly underlay: Underlay,
    readonly host: Host,
    readonly etcd: Host,
    /** Holds the configuration, the files for Docker, and the directories of the instance. */
    readonly directory: string,
  ) {}

  get configPath(): string {
    return join(this.directory, 'flannelette.yaml');
  }

  /** This host's subnet; `4.0.100.0/24`. */
  get subnet(): string {
    return '4.0.100.0/24';
  }

  /** Everything, from nothing. */
  async makeWell(): Promise<void> {
    await this.configure();
    await this.startEtcd();
    await this.inEtcd(`etcdctl put ${OTHER_LEASE} '{"PublicIP":"10.8.65.2"}'`);
    const { code, stderr } = await this.program(['apply', '-f', this.configPath]);
    assert.equal(code, 0, stderr);
    await this.makeDocker();
  }

  async startEtcd(): Promise<void> {
    this.#etcdProcess = await startEtcdOn(this.etcd, ETCD_URL, '--quota-backend-bytes', String(QUOTA_BYTES));
  }

  async stopEtcd(): Promise<void> {
    await this.#etcdProcess?.stop(0);
  }

  /** docker0 with something on it, as the options file says. */
  async makeDocker(): Promise<void> {
    const options = await readFile(join(this.directory, 'docker'), 'utf8');
    const [, mtu = ''] = /--mtu=(\d+)/.exec(options) ?? [];
    await this.run(`
ip link show docker0 >/dev/null 2>&1 || ip link add docker0 type bridge
ip link show veth2 >/dev/null 2>&1 || ip link add veth2 type veth peer name veth2c
ip link set veth2c up
ip link set veth2 master docker0 up
ip link set docker0 mtu ${mtu} up
ip address replace 4.0.100.1/24 dev docker0`);
  }

  /** The file anew; each section may be another than on the well host, and '' leaves it out. */
  async configure({
    network = NETWORK,
    host = '',
    etcd = '',
  }: Partial<Record<'network' | 'host' | 'etcd', string>> = {}) {
    const text = [
      ...(network === '' ? [] : [`network: ${network}`]),
      ...(host === '' ? ['host: { subnet: 4.0.100.0/24 }'] : [`host: ${host}`]),
      `store: { etcd: { endpoints: ["${ETCD_URL}"]${etcd} } }`,
      `files: { subnetEnv: ${this.directory}/subnet.env, dockerOptions: ${this.directory}/docker }`,
      `instance: { runtimeDirectory: ${this.directory}/run, stateDirectory: ${this.directory}/state }`,
      '',
    ];
    await writeFile(this.configPath, text.join('\n'));
  }

  /** What is wrong, as `doctor` has it, and what it could not see. */
  async look(): Promise<{ readonly findings: readonly Finding[]; readonly unseen: readonly Unseen[] }> {
    const reading = readConfig(await readFile(this.configPath, 'utf8'), this.configPath);
    assert.ok('config' in reading);
    const { config } = reading;
    return inNamespaceOf(this.host.pid, async () => {
      const tools = hostTools(new AbortController().signal);
      const facts = await tools.doctorFacts(this.configPath, config, undefined);
      return { findings: diagnose(facts), unseen: facts.unseen };
    });
  }

  /** The program itself, to its end. */
  program(args: readonly string[], before: readonly string[] = []): Promise<ProcessResult> {
    return this.host.run([...before, ...flannelette(...args)], { timeoutMs: REMEDY_MS });
  }

  /** On the host; `flannelette` is the program, and there is neither sudo nor systemd: what a service is told is in a file. */
  run(script: string): Promise<string> {
    return this.#shell(this.host).run(script);
  }

  inEtcd(script: string): Promise<string> {
    return this.#shell(this.etcd).run(`export ETCDCTL_API=3 ETCDCTL_ENDPOINTS=${ETCD_URL}\n${script}`);
  }

  /** What `systemctl` was told since the last time. */
  async told(): Promise<string> {
    const path = join(this.directory, 'told');
    const text = await readFile(path, 'utf8').catch(() => '');
    await rm(path, { force: true });
    return text;
  }

  /** All that is to be done, as printed. */
  async carryOut({ remedy }: Pick<Finding, 'remedy'>): Promise<void> {
    for (const step of remedy) {
      if (!('run' in step)) continue;
      const where = step.on === undefined ? this.host : this.etcd;
      // The doctor himself ends with 1 while anything is wrong.
      const ending = /flannelette doctor/.test(step.run) ? ' || [ $? = 1 ]' : '';
      await this.#shell(where).run(`PATH=${this.directory}/bin:$PATH\n${step.run}${ending}`);
    }
  }

  #shell(host: Host): Shell {
    const shell = this.#shells.get(host) ?? new Shell(host);
    this.#shells.set(host, shell);
    return shell;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#shells.values()].map((shell) => shell.close()));
    await rm(this.directory, { recursive: true, force: true });
  }
}

export const NETWORK =
  '{ cidr: 4.0.0.0/16, subnetLength: 24, ipMasq: true, backend: { type: udp, port: 8285 } }';

/** For the length of `body`; everything is in place at its beginning. */
export function onSickHost<T>(body: (sick: SickHost) => Promise<T>): Promise<T> {
  return onUnderlay(async (underlay) => {
    const etcd = await underlay.addHost('etcd', '10.8.64.10');
    const host = await underlay.addHost('host', '10.8.65.1');
    await underlay.addHost('other', '10.8.65.2');
    const directory = await mkdtemp(join(tmpdir(), 'flannelette-doctor-'));
    const sick = new SickHost(underlay, host, etcd, directory);
    try {
      await sick.run(`
mkdir -p ${directory}/bin ${directory}/run ${directory}/state
ln -s ${repositoryRoot()}/bin/flannelette ${directory}/bin/flannelette
printf '#!/bin/sh\\nexec "$@"\\n' >${directory}/bin/sudo
printf '#!/bin/sh\\necho "$*" >>${directory}/told\\n' >${directory}/bin/systemctl
chmod 755 ${directory}/bin/sudo ${directory}/bin/systemctl`);
      await sick.makeWell();
      return await body(sick);
    } finally {
      await sick.close();
    }
  });
}
