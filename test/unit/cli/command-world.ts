/** The command line on a host of fakes, where every part that can refuse is told by the test to do so. */

import { configErrorsText } from '../../../src/cli/config-errors.js';
import { runCommandLine } from '../../../src/cli/program.js';
import type { CommandContext, EarlyForwarding } from '../../../src/cli/session.js';
import { readPlan } from '../../../src/config/plan-schema.js';
import { readConfigParts } from '../../../src/config/read-config.js';
import { configReference } from '../../../src/config/reference.js';
import { settingsPart } from '../../../src/config/settings.js';
import { isConfigFileName } from '../../../src/model/config-file-name.js';
import { type Painter, plain } from '../../../src/model/paint.js';
import type { ControlAnswer, ControlReply, ControlRequest, Log, UdpKnock } from '../../../src/ports.js';
import { RememberedDataPlane } from '../../../src/runtime/forwarding/remembered-data-plane.js';
import { doctorFacts } from '../../../src/runtime/looking/doctor-facts.js';
import { HostPrograms } from '../../../src/runtime/looking/host-programs.js';
import { pingHost } from '../../../src/runtime/looking/ping-host.js';
import { FakeClock, settle } from '../../fakes/fake-clock.js';
import { FakeDataPlane } from '../../fakes/fake-data-plane.js';
import { FakeHost } from '../../fakes/fake-host.js';

export const CONFIG_PATH = '/etc/flannelette.yaml';
export const CONFIG = `
network: { cidr: 4.0.0.0/16, subnetLength: 24 }
host: { subnet: 4.0.100.0/24 }
store: { etcd: { endpoints: ["http://10.8.64.10:2379"] } }
`;

const SILENCE: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class CommandWorld {
  readonly host = new FakeHost();
  readonly clock = new FakeClock();
  readonly stop = new AbortController();
  /** By the path of its socket. */
  readonly #served = new Map<string, ControlAnswer>();
  /** What was taken and given back, in order: `lock flannel0`, `open`, `close`, `release`. */
  readonly log: string[] = [];
  /** What the daemon is asked, where one answers. */
  readonly asked: ControlRequest[] = [];
  /** The daemon's answer; none by default. */
  answer: (request: ControlRequest) => Promise<ControlReply | undefined> = async () => undefined;
  /** The answer of a keeper that is none of ours; nobody listens by default. */
  keeper: () => Promise<ControlReply | undefined> = async () => undefined;
  requirePrivileges: () => Promise<void> = async () => {};
  beforeLock: () => void = () => {};
  runDaemon: () => Promise<void> = async () => {};
  environment: Record<string, string> = {};
  isTerminal = false;
  paint: Painter = plain;
  /** What was said to be going on, from when to when. */
  readonly progress: string[] = [];
  /** Bytes that went to a path, `-` for standard output. */
  readonly written = new Map<string, Uint8Array>();
  /** Has to be over before any of them are. */
  beforeWriting: () => Promise<void> = async () => {};
  /** The addresses of names. */
  names: Record<string, string> = {};
  /** What comes back from a UDP port of another host. */
  knock: UdpKnock = async () => 'silent';

  constructor(config = CONFIG) {
    this.host.files.edit(CONFIG_PATH, config);
  }

  /** Runs one command to its end, however long that takes on the virtual clock. */
  async run(...argv: readonly string[]): Promise<Outcome> {
    const outcome = { stdout: '', stderr: '' };
    let exitCode: number | undefined;
    void runCommandLine(this.#context(outcome), argv).then((code) => {
      exitCode = code;
    });
    await settle();
    while (exitCode === undefined) await this.clock.advance(50);
    return { exitCode, ...outcome };
  }

  #forwarding(): EarlyForwarding {
    const { host, log } = this;
    let isHeld = false;
    return {
      dataPlane: new RememberedDataPlane(new FakeDataPlane(host.kernel), host.files, SILENCE),
      requirePrivileges: () => this.requirePrivileges(),
      begin: async ({ instance }) => {
        this.beforeLock();
        isHeld = true;
        log.push(`lock ${instance.name}`);
      },
      end: async () => {
        if (isHeld) log.push('release');
      },
    };
  }

  #context(outcome: { stdout: string; stderr: string }): CommandContext {
    const { host, log } = this;
    let settings: readonly string[] = [];
    return {
      version: '1.2.3',
      out: (text) => {
        outcome.stdout += text;
      },
      paint: this.paint,
      err: (text) => {
        outcome.stderr += text;
      },
      showProgress: (what) => {
        this.progress.push(`began: ${what()}`);
        return () => void this.progress.push(`ended: ${what()}`);
      },
      signal: this.stop.signal,
      clock: this.clock,
      pid: 4711,
      isTerminal: this.isTerminal,
      files: host.files,
      directories: host.files,
      startDetached: (argv) => {
        this.log.push(`start ${argv.join(' ')}`);
        void runCommandLine(this.#context({ stdout: '', stderr: '' }), argv).then((code) =>
          this.log.push(`ended ${code}`),
        );
      },
      environment: this.environment,
      control: {
        serve: async (path, answer, signal) => {
          this.#served.set(path, answer);
          signal.addEventListener('abort', () => this.#served.delete(path), { once: true });
        },
        ask: async (path, request, signal) => {
          signal.throwIfAborted();
          const served = this.#served.get(path);
          if (served !== undefined) return served(request, signal);
          if (path.endsWith('.trial.sock')) return this.keeper();
          this.asked.push(request);
          return this.answer(request);
        },
      },
      absolutePath: (path) => (path.startsWith('/') ? path : `/etc/${path}`),
      readConfig: async (path) => {
        const names = (await host.files.list(path))?.filter(isConfigFileName);
        const paths = names?.map((name) => `${path}/${name}`) ?? [path];
        const texts = paths.map((file) => ({ file, text: host.files.contentOf(file) }));
        const missing = texts.find(({ text }) => text === undefined);
        if (missing !== undefined) return { error: `Cannot read ${missing.file}: there is no such file` };
        const parts = [...texts.map(({ file, text = '' }) => ({ file, text })), ...settingsPart(settings)];
        const reading = readConfigParts(parts, this.environment);
        if ('config' in reading) return reading;
        const textOf = (name: string) => parts.find(({ file }) => file === name)?.text ?? '';
        return { error: configErrorsText(reading.errors, textOf).trimEnd() };
      },
      set: (given) => {
        settings = given;
      },
      settings: () => settings,
      schemaPath: '/usr/share/doc/flannelette/docs/config.schema.json',
      configReference: async () => configReference(),
      readPlan: async (text) => readPlan(text),
      readText: async (path) => (await host.files.read(path))?.content,
      openOutput: async (path) => ({
        write: async (pieces) => {
          await this.beforeWriting();
          this.written.set(path, Buffer.concat([this.written.get(path) ?? new Uint8Array(), ...pieces]));
        },
        close: async () => {},
      }),
      writeText: (path, content) => host.files.write(path, content, 0o644),
      logAs: () => {},
      forwarding: async () => this.#forwarding(),
      host: async () => ({
        routes: async () => [],
        openSession: (config) => {
          log.push('open');
          return { ...host.session(config), close: () => log.push('close') };
        },
        requirePrivileges: () => this.requirePrivileges(),
        lock: ({ instance }) => {
          this.beforeLock();
          log.push(`lock ${instance.name}`);
          return { release: () => log.push('release') };
        },
        forget: async () => {},
        runDaemon: (path) => {
          log.push(`run ${path}`);
          return this.runDaemon();
        },
      }),
      tools: async () => ({
        doctorFacts: (configPath, config, daemon) =>
          doctorFacts(
            {
              ...{ configPath, config, daemon, clock: this.clock, session: host.session(config) },
              ...{ ...host.kernel, files: host.files, commands: host.commands },
              requirePrivileges: () => this.requirePrivileges(),
              serverTime: async () => undefined,
            },
            this.stop.signal,
          ),
        ping: (config, asked) => {
          const session = host.session(config);
          const programs = new HostPrograms(host.commands);
          const deps = { ...session, netlink: host.kernel.netlink, programs, knock: this.knock };
          return pingHost(asked, { ...deps, addressOf: async (name) => this.names[name] }, this.stop.signal);
        },
        shell: (line) => host.commands.run(['sh', '-c', line], 0, this.stop.signal),
      }),
    };
  }
}
