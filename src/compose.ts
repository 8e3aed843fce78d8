/**
 * Puts the real parts together for the commands. What takes long to load is imported when a command needs it, so
 * that `version`, `docker-opts` and `validate` are quick: the schema here, everything of the host in compose-host.ts, and
 * what the daemon forwards with in compose-forwarding.ts.
 */

import { configErrorsText } from './cli/config-errors.js';
import { EXIT } from './cli/exit-codes.js';
import type { CommandContext } from './cli/session.js';
import type { LogFormat } from './model/log-line.js';
import { asError } from './ports.js';
import type { ConfigReading } from './runtime/inputs/config-source.js';
import { openOutput } from './sys/byte-output.js';
import { systemClock } from './sys/clock.js';
import { screenPainter } from './sys/colour.js';
import { configFiles } from './sys/config-files.js';
import { controlSocket } from './sys/control-socket.js';
import { systemDirectories } from './sys/directories.js';
import { systemFiles } from './sys/files.js';
import {
  absolutePath,
  endWithOutput,
  isTerminal,
  packagedPath,
  packageVersion,
  processEnvironment,
  processId,
  startDetached,
  stderrText,
  stdoutText,
  terminationSignal,
} from './sys/process.js';
import { showProgress } from './sys/progress.js';

export { endProcess } from './sys/process.js';

export function commandContext(): CommandContext {
  endWithOutput(EXIT.failed);
  const signal = terminationSignal();
  let settings: readonly string[] = [];
  let logFormat: LogFormat = 'auto';
  const readConfig = (path: string) => readConfigAt(path, settings);
  return {
    version: packageVersion(),
    out: stdoutText,
    paint: screenPainter(),
    err: stderrText,
    showProgress: (what) => showProgress(what),
    signal,
    clock: systemClock,
    control: controlSocket,
    pid: processId,
    isTerminal: isTerminal(),
    files: systemFiles,
    directories: systemDirectories,
    startDetached,
    environment: processEnvironment,
    absolutePath,
    readConfig,
    set: (given) => {
      settings = given;
    },
    settings: () => settings,
    schemaPath: packagedPath('docs/config.schema.json'),
    configReference: async () => (await import('./config/reference.js')).configReference(),
    readPlan: async (text) => (await import('./config/plan-schema.js')).readPlan(text),
    readText: async (path) => (await systemFiles.read(path))?.content,
    openOutput,
    writeText: (path, content) => systemFiles.write(path, content, 0o644),
    logAs: (format) => {
      logFormat = format;
    },
    forwarding: async () => (await import('./compose-forwarding.js')).earlyForwarding(logFormat, signal),
    host: async () => (await import('./compose-host.js')).hostAccess(readConfig, logFormat, signal),
    tools: async () => (await import('./compose-tools.js')).hostTools(signal),
  };
}

async function readConfigAt(path: string, settings: readonly string[]): Promise<ConfigReading> {
  let files: Awaited<ReturnType<typeof configFiles>>;
  try {
    files = await configFiles(path);
  } catch (error) {
    return { error: asError(error).message };
  }
  const [{ readConfigParts }, { settingsPart }] = await Promise.all([
    import('./config/read-config.js'),
    import('./config/settings.js'),
  ]);
  const parts = [...files, ...settingsPart(settings)];
  const reading = readConfigParts(parts, processEnvironment);
  if ('config' in reading) return reading;
  const textOf = (name: string) => parts.find(({ file }) => file === name)?.text ?? '';
  return { error: configErrorsText(reading.errors, textOf).trimEnd() };
}
