/**
 * A whole host from the fakes: the program's own assembly over a kernel, a firewall, a disk and a store in memory,
 * so that planning, applying and whole commands run on it as they do on a real one.
 */
import type { Session } from '../../src/cli/session.js';
import type { Config } from '../../src/model/config.js';
import type { Store } from '../../src/ports.js';
import type { ConfigReading } from '../../src/runtime/inputs/config-source.js';
import type { Reconcilers } from '../../src/runtime/rounds/reconcilers.js';
import { createStaticStore } from '../../src/sys/static-store.js';
import { type CommandResult, configReading, hastyClock, runFlannelette } from '../worlds/command-line.js';
import { openSession } from '../worlds/session.js';
import { FakeCommands } from './fake-commands.js';
import { FakeFiles } from './fake-files.js';
import { FakeFirewall } from './fake-firewall.js';
import { type FakeKernel, fakeHost } from './fake-kernel.js';
import { FakeStore } from './fake-store.js';

export const CONFIG_PATH = '/etc/flannelette.yaml';
const NEVER = new AbortController().signal;

export class FakeHost {
  readonly kernel: FakeKernel;
  readonly firewall = new FakeFirewall();
  readonly files = new FakeFiles();
  /** etcd; a configuration with a static store does not ask it. */
  readonly store = new FakeStore();
  readonly commands = new FakeCommands();
  readonly clock = hastyClock();
  readonly desk = new Map<string, string>();
  /** Stands between the commands and what they do: a test makes actions fail in it. */
  disturbed: (reconcilers: Reconcilers) => Reconcilers = (reconcilers) => reconcilers;
  #read: { readonly text: string; readonly reading: ConfigReading } | undefined;

  /** By default a host with `eth0` and a default route. */
  constructor(kernel = fakeHost({ address: '10.8.65.66/16', gateway: '10.8.0.1' })) {
    this.kernel = kernel;
  }

  /** As compose.ts opens it. Closing leaves the store as a server that runs on. */
  session(config: Config): Session {
    const { kernel, firewall, files, commands, clock } = this;
    const store: Store = config.store.type === 'etcd' ? this.store : createStaticStore(config.store);
    const session = openSession(config, { ...kernel, firewall, files, commands, clock }, store);
    return { ...session, reconcilers: this.disturbed(session.reconcilers) };
  }

  /** Runs the command line to its end; configurations are read from this host's files. */
  flannelette(...argv: readonly string[]): Promise<CommandResult> {
    const host = {
      clock: this.clock,
      desk: this.desk,
      files: this.files,
      readText: (path: string) => this.#readText(path),
      readConfig: (path: string) => this.#readConfig(path),
      openSession: (config: Config) => this.session(config),
    };
    return runFlannelette(host, argv);
  }

  async #readText(path: string): Promise<string> {
    return (await this.files.read(path))?.content ?? '';
  }

  /** Once for each text: the worlds of a test come by the thousand. */
  async #readConfig(path: string): Promise<ConfigReading> {
    const text = await this.#readText(path);
    if (this.#read?.text !== text) this.#read = { text, reading: configReading(text, path) };
    return this.#read.reading;
  }

  /** Everything there is, but the local routing table, as sorted lines. */
  async lines(): Promise<readonly string[]> {
    const { entries } = await this.store.snapshot(NEVER);
    const stored = entries.map(
      ({ key, value, lease }) => `store ${key} ${value}${lease === '0' ? '' : ' on a lease'}`,
    );
    return [...this.kernel.lines(), ...this.firewall.lines(), ...this.files.lines(), ...stored].sort();
  }

  /** How often anything was written through a port, or tried to be. */
  get writes(): number {
    const { kernel, firewall, files, store } = this;
    const { write, grantLease } = store.asked;
    return kernel.log.length + firewall.writes + files.writes + write + grantLease;
  }
}
