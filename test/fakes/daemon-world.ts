/** A daemon on a host of fakes, with the program's own assembly and a clock that stands still until told. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { reconcilersOf } from '../../src/assembly.js';
import { readConfig } from '../../src/config/read-config.js';
import type { Config } from '../../src/model/config.js';
import type { StatusReport } from '../../src/model/status.js';
import { Daemon, type DaemonDependencies } from '../../src/runtime/daemon/daemon.js';
import type { MonitorSources } from '../../src/runtime/daemon/monitor-api.js';
import { statusReport } from '../../src/runtime/daemon/status-report.js';
import { Inputs } from '../../src/runtime/inputs/inputs.js';
import { EventLog } from '../../src/runtime/log/event-log.js';
import { daemonExplanations } from '../../src/runtime/looking/daemon-explanation.js';
import { meteredStore } from '../../src/runtime/store/metered-store.js';
import { StoreFollower } from '../../src/runtime/store/store-follower.js';
import { StoreMirror } from '../../src/runtime/store/store-mirror.js';
import { FakeClock } from './fake-clock.js';
import { FakeCommands } from './fake-commands.js';
import { FakeDataPlane } from './fake-data-plane.js';
import { FakeFiles } from './fake-files.js';
import { FakeFirewall } from './fake-firewall.js';
import { fakeHost } from './fake-kernel.js';
import { FakeMeters } from './fake-meters.js';
import { FakeStore } from './fake-store.js';

export const DAEMON_CONFIG = `
network: { cidr: 4.0.0.0/16, subnetLength: 24 }
host: { subnet: 4.0.100.0/24 }
store: { etcd: { endpoints: ["http://10.8.64.10:2379"] } }
`;
const PATH = '/etc/flannelette.yaml';
/** Long enough for everything to be made, too short for a look out of mere routine. */
const START_MS = 2_000;

export class DaemonWorld {
  readonly clock = new FakeClock();
  readonly kernel = fakeHost({ address: '10.8.65.66/16', gateway: '10.8.0.1' });
  readonly firewall = new FakeFirewall();
  readonly files = new FakeFiles();
  readonly dataPlane = new FakeDataPlane(this.kernel);
  /** The store of each section that was followed, the last one last. */
  readonly stores: FakeStore[] = [];
  /** What was logged: the message, and the error where there is one. */
  readonly said: string[] = [];
  readonly meters = new FakeMeters();
  /** Loops that turn no more. */
  stuck: readonly string[] = [];
  readonly dependencies: DaemonDependencies;
  readonly daemon: Daemon;
  readonly events: EventLog;
  readonly explain: ReturnType<typeof daemonExplanations>;
  readonly inputs: Inputs;
  readonly follower: StoreFollower;
  /** Holds back what was read from the file. */
  afterReading: () => Promise<void> = async () => {};

  constructor(text: string) {
    this.writeConfig(text);
    const { clock, kernel, firewall, files, dataPlane } = this;
    const say = (fields: object, message: string) => {
      this.said.push('error' in fields ? `${message}: ${fields.error}` : message);
    };
    const log = new EventLog({ debug: () => {}, info: say, warn: say, error: say }, clock);
    this.events = log;
    const common = { clock, random: { next: () => 0.5 }, log };
    const config = parsed(text);
    this.follower = new StoreFollower({
      section: config.store,
      openMirror: () => {
        const store = new FakeStore();
        this.stores.push(store);
        return new StoreMirror({
          ...common,
          store: meteredStore(store, this.meters, clock),
          declared: () => this.inputs.config.network.declared,
        });
      },
      onChange: () => this.inputs.changed(),
      clock,
    });
    this.inputs = new Inputs({
      ...common,
      config,
      storeView: () => this.follower.view(),
      netlink: kernel.netlink,
      sysctls: kernel.sysctls,
      files,
      forwards: true,
    });
    const source = {
      path: PATH,
      read: async () => {
        const reading = readConfig((await files.read(PATH))?.content ?? '', PATH);
        await this.afterReading();
        return 'config' in reading ? reading : { error: reading.errors.map(({ message }) => message).join() };
      },
      watch: (wake: () => void, signal: AbortSignal) => files.watch([PATH], wake, signal),
    };
    const reconcilers = reconcilersOf(
      { ...kernel, firewall, files, commands: new FakeCommands(), clock },
      this.inputs,
      this.follower,
      dataPlane,
    );
    this.dependencies = {
      ...common,
      source,
      inputs: this.inputs,
      store: this.follower,
      reconcilers,
      dataPlane,
      meters: this.meters,
    };
    this.daemon = new Daemon(this.dependencies);
    const { daemon, inputs, follower: store } = this;
    this.explain = daemonExplanations({ daemon, inputs, store, reconcilers });
  }

  get store(): FakeStore {
    const store = this.stores.at(-1);
    assert.ok(store);
    return store;
  }

  /** As an editor does. */
  writeConfig(text: string): void {
    this.files.edit(PATH, text);
  }

  status(): StatusReport {
    const { daemon, inputs, follower: store, dataPlane } = this;
    return statusReport({ version: '1.2.3', pid: 42, daemon, inputs, store, dataPlane });
  }

  get monitor(): MonitorSources {
    const { daemon, meters: exposition, stuck } = this;
    return {
      exposition,
      stuck: () => stuck,
      readiness: () => ({ isReady: daemon.isReady, text: daemon.isReady ? 'ready' : 'not ready' }),
    };
  }

  /** How often anything was written outside this process. */
  get writes(): number {
    const { write, grantLease } = this.store.asked;
    const { kernel, firewall, files, dataPlane } = this;
    return kernel.log.length + firewall.writes + files.writes + dataPlane.log.length + write + grantLease;
  }
}

/** A daemon that has had the time to start, for the length of `body`; afterwards nobody waits any more. */
export async function withDaemon(
  body: (world: DaemonWorld) => Promise<void>,
  {
    text = DAEMON_CONFIG,
    prepare = () => {},
  }: {
    readonly text?: string;
    readonly prepare?: (world: DaemonWorld) => Promise<void> | void;
  } = {},
): Promise<void> {
  const world = new DaemonWorld(text);
  await prepare(world);
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const running = world.daemon.run(stop.signal);
  await world.clock.advance(START_MS);
  try {
    await body(world);
  } finally {
    stop.abort();
    await running;
    assert.equal(world.clock.sleeping, 0);
  }
}

function parsed(text: string): Config {
  const reading = readConfig(text, PATH);
  if ('errors' in reading) throw new Error(reading.errors.map(({ message }) => message).join());
  return reading.config;
}
