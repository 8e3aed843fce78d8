/** `status` and `peers`: what the running daemon sees. */
import { DEFAULT_INSTANCE, type InstanceSection } from '../../model/config.js';
import type { Painter } from '../../model/paint.js';
import type { StatusReport } from '../../model/status.js';
import { trialStanding, trialText } from '../../model/trial.js';
import { readTrial, trialRecordPath } from '../../runtime/rollback/trial-record.js';
import { noDaemon, statusAt } from '../ask-daemon.js';
import { socketPath } from '../config-argument.js';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.js';
import { type Format, FROM_THE_TOP, formatted } from '../output.js';
import type { CommandContext } from '../session.js';

export interface StatusOptions<T extends object> {
  readonly format: Format;
  /** Again every second, until the signal aborts. */
  readonly watch: boolean;
  /** What of it is printed. */
  readonly part: (report: StatusReport) => T;
  readonly text: (part: T, paint: Painter) => string;
}

type Instance = Pick<InstanceSection, 'name' | 'runtimeDirectory'>;

const WATCH_EVERY_MS = 1_000;

export async function status<T extends object>(
  context: CommandContext,
  path: string,
  { format, watch, part, text }: StatusOptions<T>,
): Promise<ExitCode> {
  const instance = await instanceOf(context, path);
  for (;;) {
    const report = await ask(context, instance);
    // Over what stands there; into a pipe, one after the other.
    if (watch && format === 'table' && context.isTerminal) context.out(FROM_THE_TOP);
    context.out(formatted(format, part(report), (shown) => text(shown, context.paint)));
    if (!watch) return report.ready ? EXIT.done : EXIT.notReady;
    await context.clock.sleep(WATCH_EVERY_MS, context.signal);
  }
}

/** The daemon goes on with the last good file: that the file is wrong now must not hide what it does. */
async function instanceOf(context: CommandContext, path: string): Promise<Instance> {
  const reading = await context.readConfig(path);
  if ('config' in reading) return reading.config.instance;
  // Only a good file could name another instance.
  const socket = socketPath(DEFAULT_INSTANCE);
  const report = await statusAt(context, socket);
  if (report?.config.path !== path) throw new CommandError(reading.error, EXIT.invalidConfig);
  return DEFAULT_INSTANCE;
}

/** Without a daemon something may be on trial all the same. */
async function ask(context: CommandContext, instance: Instance): Promise<StatusReport> {
  const socket = socketPath(instance);
  const report = await statusAt(context, socket);
  if (report !== undefined) return report;
  const trial = await readTrial(trialRecordPath(instance), context.files);
  if (trial !== undefined)
    context.out(`${context.paint('yellow', trialText(trialStanding(trial, context.clock.now())))}\n`);
  throw noDaemon(socket);
}
