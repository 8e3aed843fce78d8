/** A host of the simulation: a kernel, a firewall and a disk that last, and one process after another with the real daemon in it. */
import { setMaxListeners } from 'node:events';
import { reconcilersOf } from '../../src/assembly.js';
import { type Address, parseInterfaceAddress, parsePrefix } from '../../src/model/address.js';
import type { Config } from '../../src/model/config.js';
import type { Clock, Files, Log, Random } from '../../src/ports.js';
import { Daemon } from '../../src/runtime/daemon/daemon.js';
import { confirmationPath, isConfirmed } from '../../src/runtime/forwarding/confirmation.js';
import { RememberedDataPlane } from '../../src/runtime/forwarding/remembered-data-plane.js';
import type { ConfigSource } from '../../src/runtime/inputs/config-source.js';
import { Inputs } from '../../src/runtime/inputs/inputs.js';
import { RememberedStore, rememberedStorePath } from '../../src/runtime/store/remembered-store.js';
import { StoreFollower } from '../../src/runtime/store/store-follower.js';
import { StoreMirror } from '../../src/runtime/store/store-mirror.js';
import { FakeCommands } from '../fakes/fake-commands.js';
import { FakeDataPlane } from '../fakes/fake-data-plane.js';
import { FakeFirewall } from '../fakes/fake-firewall.js';
import { FakeKernel } from '../fakes/fake-kernel.js';
import { FakeMeters } from '../fakes/fake-meters.js';
import { isOnDevice, shares } from '../worlds/marks.js';
import { CountedFiles } from './counted-files.js';
import type { EtcdServer } from './etcd-server.js';
import {
  DATA_PLANE_CALLS,
  FILE_CALLS,
  FIREWALL_CALLS,
  NETLINK_CALLS,
  Process,
  SYSCTL_CALLS,
} from './process-ports.js';
import { CONFIG_PATH, configText, isRecord, MARKS, readingOf, type Settings } from './settings.js';
import { StoreLine, Way } from './store-line.js';
import type { VirtualTime } from './virtual-time.js';

const GATEWAY = '10.8.0.1';

/** What of a host is written down as it happens. */
export interface Witness {
  /** One line of the trace. */
  readonly tell: (line: string) => void;
  /** A write to the store was carried out; `before` is the value that stood there. */
  readonly onStoreWrite: (host: SimHost, what: string, before: string | undefined) => void;
  readonly onLog: (host: SimHost, loop: string) => void;
  readonly onStoreAsk: (host: SimHost) => void;
}

export interface SimHostDependencies {
  readonly name: string;
  readonly address: string;
  readonly settings: Settings;
  readonly server: EtcdServer;
  readonly time: VirtualTime;
  readonly random: Random;
  readonly witness: Witness;
}

/** A process and the parts of the daemon in it that the simulation looks at. */
interface Incarnation {
  readonly process: Process;
  readonly daemon: Daemon;
  readonly inputs: Inputs;
  readonly dataPlane: FakeDataPlane;
  readonly remembered: RememberedDataPlane;
  readonly files: Files;
  readonly clock: Clock;
  readonly lines: StoreLine[];
  readonly stop: AbortController;
  /** What `run` came to, once it has. */
  end: { readonly error?: unknown } | undefined;
}

export class SimHost {
  readonly name: string;
  readonly kernel = new FakeKernel();
  readonly firewall = new FakeFirewall();
  readonly files = new CountedFiles(isRecord);
  readonly way = new Way();
  /** Every address that was this host's: leases with them are its own. */
  readonly addresses: Address[] = [];
  settings: Settings;
  /** Added to the wall clock. */
  wallOffsetMs = 1_700_000_000_000;
  /** What is somebody else's on this host, as lines; see `rememberForeign`. */
  foreign: readonly string[] = [];
  #deps: SimHostDependencies;
  readonly #changedByHand = new Map<string, string>();
  #now: Incarnation | undefined;
  #told = { kernel: 0, dataPlane: 0, firewall: 0, files: 0 };

  constructor(dependencies: SimHostDependencies) {
    this.#deps = dependencies;
    this.name = dependencies.name;
    this.settings = dependencies.settings;
    this.kernel.addLink({ name: 'eth0' });
    this.kernel.addLink({ name: 'eth1' });
    this.kernel.foreign(
      { op: 'set-link', name: 'lo', up: true },
      { op: 'set-link', name: 'eth0', up: true },
      { op: 'set-link', name: 'eth1', up: true },
    );
    this.takeAddress(dependencies.address);
    this.writeConfig(dependencies.settings);
    this.rememberForeign();
  }

  get process(): Process | undefined {
    return this.#now?.process;
  }

  get isRunning(): boolean {
    return this.#now !== undefined && !this.#now.process.isDead;
  }

  get daemon(): Daemon | undefined {
    return this.#now?.daemon;
  }

  get inputs(): Inputs | undefined {
    return this.#now?.inputs;
  }

  get dataPlane(): FakeDataPlane | undefined {
    return this.#now?.dataPlane;
  }

  /** What `run` came to although nobody asked it to stop. */
  get unaskedEnd(): { readonly error?: unknown } | undefined {
    const now = this.#now;
    return now === undefined || now.process.isDead || now.stop.signal.aborted ? undefined : now.end;
  }

  /** As DHCP gives one: on eth0, with the default route. */
  takeAddress(address: string): void {
    const given = parseInterfaceAddress(address);
    this.kernel.foreign({ op: 'add-address', link: 'eth0', ...given });
    this.addDefaultRoute();
    if (!this.addresses.includes(given.address)) this.addresses.push(given.address);
  }

  addDefaultRoute(): void {
    this.kernel.addRoute({ destination: parsePrefix('0.0.0.0/0'), via: GATEWAY as Address, link: 'eth0' });
  }

  writeConfig(settings: Settings): void {
    this.settings = settings;
    this.files.edit(CONFIG_PATH, configText(settings));
  }

  changeByHand(path: string, content: string): void {
    this.files.edit(path, content);
    this.#changedByHand.set(path, content);
  }

  /** What the daemon wrote there last; undefined when nothing, or somebody else's is there now. */
  contentByDaemon(path: string): string | undefined {
    const content = this.files.contentOf(path);
    return content === this.#changedByHand.get(path) ? undefined : content;
  }

  /** Cuts the watches that run now. */
  cutWatches(): void {
    for (const line of this.#now?.lines ?? []) line.cut({ why: 'ended' });
  }

  start(): void {
    const reading = readingOf(configText(this.settings));
    if (!('config' in reading)) throw new Error(`The simulation's own file is wrong: ${reading.error}`);
    const now = this.#incarnation(reading.config);
    this.#now = now;
    this.#told.dataPlane = 0;
    this.#deps.witness.tell(`${this.name} started`);
    void this.#run(now, reading.config);
  }

  async #run(now: Incarnation, config: Config): Promise<void> {
    try {
      if (await isConfirmed(confirmationPath(config), now.files, now.clock))
        await now.remembered.resume(config, now.stop.signal);
      await now.daemon.run(now.stop.signal);
      now.end = {};
    } catch (error) {
      now.end = { error };
    }
  }

  /** SIGKILL, or a death that `Process.decide` brought: the packet loop goes with the process. */
  bury(): void {
    this.#now?.process.die();
    this.#now?.dataPlane.die();
    this.#now = undefined;
  }

  /** SIGTERM. */
  terminate(): void {
    this.#now?.stop.abort();
  }

  get hasEnded(): boolean {
    return this.#now?.end !== undefined;
  }

  // ---- what is to be seen of it --------------------------------------------------------------------------

  /** Everything on the host but the store, as sorted lines: whose they are, marks.ts tells. */
  shares(): { readonly ours: readonly string[]; readonly foreign: readonly string[] } {
    const lines = [...this.kernel.lines(), ...this.firewall.lines(), ...this.files.lines()].sort();
    const { ours, foreign } = shares(lines, MARKS);
    // What others put on a device of ours goes with it.
    const kept = foreign.filter((line) => !isOnDevice(line, MARKS));
    // Whether a program holds a TUN is nothing that is changed on the TUN.
    return { ours, foreign: kept.map((line) => line.replace(' no-carrier', '')) };
  }

  /** Somebody else has just changed something: from now on it is to stay like this. */
  rememberForeign(): void {
    this.foreign = this.shares().foreign;
  }

  /** How often anything outside the process was written, by whomever. */
  get writes(): number {
    const { kernel, firewall, files } = this;
    return kernel.log.length + firewall.writes + files.countedWrites + (this.dataPlane?.log.length ?? 0);
  }

  /** Puts what was written since the last call into the trace; returns whether there was anything. */
  tellWrites(): boolean {
    const { kernel, firewall, files } = this;
    const { tell } = this.#deps.witness;
    const told = this.#told;
    const dataPlaneLog = this.dataPlane?.log ?? [];
    const now = {
      kernel: kernel.log.length,
      dataPlane: dataPlaneLog.length,
      firewall: firewall.writes,
      files: files.countedWrites,
    };
    for (const what of kernel.log.slice(told.kernel)) tell(`${this.name} kernel: ${what}`);
    for (const what of dataPlaneLog.slice(told.dataPlane)) tell(`${this.name} packet loop: ${what}`);
    if (now.firewall !== told.firewall) tell(`${this.name} firewall written`);
    if (now.files !== told.files) tell(`${this.name} files written`);
    const hasWritten = Object.entries(now).some(([what, count]) => count !== told[what as keyof typeof told]);
    this.#told = now;
    return hasWritten;
  }

  // ---- putting a daemon together, as compose-host.ts does --------------------------------------------------

  #incarnation(config: Config): Incarnation {
    const { server, time, random, witness } = this.#deps;
    const process = new Process(time, random);
    const stop = new AbortController();
    setMaxListeners(0, stop.signal);
    const clock = this.#clockOf(process);
    const log = this.#logOf(process);
    const { kernel } = this;
    const files = process.over(this.files, FILE_CALLS);
    const ports = {
      netlink: process.over(kernel.netlink, NETLINK_CALLS),
      tuns: kernel.tuns,
      sysctls: process.over(kernel.sysctls, SYSCTL_CALLS),
      firewall: process.over(this.firewall, FIREWALL_CALLS),
      files,
    };
    const fakeLoop = new FakeDataPlane(kernel);
    const dataPlane = new RememberedDataPlane(process.over(fakeLoop, DATA_PLANE_CALLS), files, log);
    const lines: StoreLine[] = [];
    const store = new StoreFollower({
      section: config.store,
      clock,
      openMirror: () => {
        const line = new StoreLine({
          server,
          way: this.way,
          time,
          random,
          owner: process,
          onAsk: () => witness.onStoreAsk(this),
          onWrite: (what, before) => witness.onStoreWrite(this, what, before),
        });
        lines.push(line);
        return new StoreMirror({
          store: line,
          clock,
          random,
          log,
          declared: () => inputs.config.network.declared,
        });
      },
      onChange: () => inputs.changed(),
      memory: (section, mirror) =>
        new RememberedStore({
          path: rememberedStorePath(config),
          confirmationPath: confirmationPath(config),
          origin: { bootId: this.name, networkNamespace: this.name },
          files,
          clock,
          log,
          section,
          mirror,
        }),
    });
    const inputs: Inputs = new Inputs({
      ...ports,
      config,
      storeView: () => store.view(),
      clock,
      random,
      log,
      forwards: true,
    });
    dataPlane.follow(() => inputs.config, stop.signal);
    const source: ConfigSource = {
      path: CONFIG_PATH,
      read: async () => readingOf((await files.read(CONFIG_PATH))?.content),
      watch: (wake, signal) => files.watch([CONFIG_PATH], wake, signal),
    };
    const host = { ...ports, commands: new FakeCommands(), clock };
    const reconcilers = reconcilersOf(host, inputs, store, dataPlane);
    const daemon = new Daemon({
      source,
      inputs,
      store,
      reconcilers,
      dataPlane,
      meters: new FakeMeters(),
      clock,
      random,
      log,
    });
    return {
      process,
      daemon,
      inputs,
      dataPlane: fakeLoop,
      remembered: dataPlane,
      files,
      clock,
      lines,
      stop,
      end: undefined,
    };
  }

  #clockOf(process: Process): Clock {
    const { time } = this.#deps;
    return {
      now: () => this.wallOffsetMs + time.nowMs,
      boottimeMs: () => time.nowMs,
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          if (signal.aborted) return reject(signal.reason);
          const onAbort = () => {
            cancel();
            reject(signal.reason);
          };
          const wake = () => {
            signal.removeEventListener('abort', onAbort);
            resolve();
          };
          const cancel = time.after(ms, wake, process);
          signal.addEventListener('abort', onAbort, { once: true });
        }),
    };
  }

  #logOf(process: Process): Log {
    const { witness } = this.#deps;
    const say = (fields: object, message: string) => {
      if (process.isDead) return;
      const { kind = '', key = '', error = '' } = fields as { kind?: string; key?: string; error?: unknown };
      witness.onLog(this, `${kind} ${message}`);
      witness.tell(`${this.name} says: ${message} ${kind} ${key} ${String(error)}`);
    };
    return { debug: () => {}, info: say, warn: say, error: say };
  }
}
