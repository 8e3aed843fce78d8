/** The program's command line over any host: what is real of it, and what is a fake, is the caller's choice. */
import { configErrorsText } from '../../src/cli/config-errors.js';
import { runCommandLine } from '../../src/cli/program.js';
import type { CommandContext, Session } from '../../src/cli/session.js';
import { readPlan } from '../../src/config/plan-schema.js';
import { readConfig as readConfigText } from '../../src/config/read-config.js';
import type { Config } from '../../src/model/config.js';
import { plain } from '../../src/model/paint.js';
import type { Clock, Files } from '../../src/ports.js';
import type { ConfigReading } from '../../src/runtime/inputs/config-source.js';
import { FakeFiles } from '../fakes/fake-files.js';

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandHost {
  readonly clock: Clock;
  readonly files: Files;
  /** What the operator saved and reads back, apart from the host's disk: path → text. */
  readonly desk: Map<string, string>;
  /** Empty when there is no such file. */
  readText(path: string): Promise<string>;
  readConfig(path: string): Promise<ConfigReading>;
  openSession(config: Config): Session;
}

/** Runs one command to its end, with every privilege and without a daemon. */
export async function runFlannelette(host: CommandHost, argv: readonly string[]): Promise<CommandResult> {
  const { clock, desk, readText, readConfig, openSession } = host;
  let [stdout, stderr] = ['', ''];
  const context: CommandContext = {
    version: '0.0.0',
    out: (text) => {
      stdout += text;
    },
    paint: plain,
    err: (text) => {
      stderr += text;
    },
    showProgress: () => () => {},
    signal: new AbortController().signal,
    clock,
    control: { serve: async () => {}, ask: async () => undefined },
    pid: 1,
    isTerminal: false,
    files: host.files,
    directories: new FakeFiles(),
    startDetached: () => {},
    environment: {},
    absolutePath: (path) => path,
    readConfig,
    set: () => {},
    settings: () => [],
    schemaPath: '/schema.json',
    configReference: () => Promise.reject(new Error('No command of these tests explains')),
    readPlan: async (text) => readPlan(text),
    readText: async (path) => desk.get(path) ?? readText(path),
    openOutput: () => Promise.reject(new Error('No command of these tests writes bytes')),
    writeText: async (path, content) => void desk.set(path, content),
    logAs: () => {},
    forwarding: () => Promise.reject(new Error('Cannot run a daemon here')),
    host: async () => ({
      routes: async () => [],
      openSession,
      requirePrivileges: async () => {},
      lock: () => ({ release: () => {} }),
      forget: async () => {},
      runDaemon: () => Promise.reject(new Error('Cannot run a daemon here')),
    }),
    tools: () => Promise.reject(new Error('No command of these tests looks for what is wrong')),
  };
  const exitCode = await runCommandLine(context, argv);
  return { exitCode, stdout, stderr };
}

/** As the program reads a file; `path` is only named. */
export function configReading(text: string, path: string): ConfigReading {
  const reading = readConfigText(text, path);
  return 'config' in reading ? reading : { error: configErrorsText(reading.errors, () => text).trimEnd() };
}

/** For hosts on which nobody waits: a sleep is over at once, and its time has passed. */
export function hastyClock(): Clock {
  let nowMs = 0;
  return {
    now: () => nowMs,
    boottimeMs: () => nowMs,
    async sleep(ms, signal) {
      signal.throwIfAborted();
      nowMs += ms;
    },
  };
}
