/** `try`: applies, and takes it back unless `confirm` comes in time. `rollback` takes it back at once. */
import type { InstanceSection } from '../../model/config.js';
import { isOver, type TrialReport } from '../../model/trial.js';
import type { ControlReply } from '../../ports.js';
import { trialRecordPath } from '../../runtime/rollback/trial-record.js';
import { isDaemonAt } from '../ask-daemon.js';
import { sayToKeeper, trialReport } from '../ask-keeper.js';
import { readingArgument, socketPath } from '../config-argument.js';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.js';
import { whileShown } from '../progress.js';
import type { CommandContext } from '../session.js';
import { TrialFile } from '../trial-file.js';
import type { TrialQuestion } from '../trial-subjects.js';
import { apply } from './apply.js';

const LOOK_EVERY_MS = 50;
/** Until the keeper answers: it loads everything first. */
const STARTS_WITHIN_MS = 20_000;

export async function tryChange(
  context: CommandContext,
  path: string,
  question: TrialQuestion,
): Promise<ExitCode> {
  const { candidate, timeoutMs, adopt, allowRenumber } = question;
  const { config } = await readingArgument(context, candidate ?? path);
  await (await context.host()).requirePrivileges(config);
  await requireNoTrial(context, config.instance, path);
  await requireTriable(context, config.instance, path, question);
  context.startDetached([
    ...['keep-trial', '-f', path, '--timeout', `${timeoutMs}ms`],
    ...(candidate === undefined ? [] : [candidate]),
    ...(adopt ? ['--adopt'] : []),
    ...(allowRenumber ? ['--allow-renumber'] : []),
    ...context.settings().flatMap((setting) => ['--set', setting]),
  ]);
  const isApplied = ({ phase }: TrialReport) => phase !== 'applying';
  const report = await whileShown(context, 'Applying', () => reportWhen(context, config.instance, isApplied));
  if (report.phase !== 'on-trial') return told(context, report);
  context.out(
    `${context.paint('yellow', `On trial until ${report.revertsAt}`)}: \`flannelette confirm\` keeps it, \`flannelette rollback\` takes it back at once, and so does process ${report.pid} when nobody says anything\n`,
  );
  return EXIT.done;
}

/** Waits for the keeper of the last trial to be gone, once it has told how that ended. */
async function requireNoTrial(
  context: CommandContext,
  instance: InstanceSection,
  path: string,
): Promise<void> {
  let report = await trialReport(context, instance);
  while (report !== undefined && isOver(report)) {
    await context.clock.sleep(LOOK_EVERY_MS, context.signal);
    report = await trialReport(context, instance);
  }
  if (report === undefined && !(await new TrialFile(context, path).isOnTrial())) return;
  const what =
    report === undefined
      ? `what was on trial in ${path} was never settled, and its keeper is gone`
      : `${report.file} is on trial until ${report.revertsAt}`;
  throw new CommandError(`Cannot try: ${what}; confirm it, or roll it back`, EXIT.held);
}

/** A daemon has done by itself whatever its file says: what is to be tried must come from another one. */
async function requireTriable(
  context: CommandContext,
  instance: InstanceSection,
  path: string,
  { candidate, adopt }: TrialQuestion,
): Promise<void> {
  if (!(await isDaemonAt(context, socketPath(instance)))) return;
  const beyondDaemon = (adopt && 'adopt') || (context.settings().length > 0 && 'try with --set');
  if (beyondDaemon) {
    const message = `Cannot ${beyondDaemon} while the daemon runs: stop it, and try again`;
    throw new CommandError(message, EXIT.held);
  }
  if (candidate !== undefined) return;
  const message = `Cannot try ${path}: the daemon follows it already. Put it back as it was, the change into another file, and \`flannelette try\` that`;
  throw new CommandError(message, EXIT.usage);
}

export async function confirm(context: CommandContext, path: string): Promise<ExitCode> {
  const { config } = await readingArgument(context, path);
  const reply = await sayToKeeper(context, config.instance, '/confirm');
  if (reply !== undefined) {
    requireInTime(reply, 'confirm');
    const report = await reportWhen(context, config.instance, isOver);
    return told(context, report);
  }
  const file = new TrialFile(context, path);
  if (!(await file.isOnTrial())) throw nothingOnTrial('confirm', path);
  await file.keep();
  await context.files.remove(trialRecordPath(config.instance));
  context.out(`Kept ${path}: whoever was to take it back is gone\n`);
  return EXIT.done;
}

export async function rollback(context: CommandContext, path: string): Promise<ExitCode> {
  const { config } = await readingArgument(context, path);
  const reply = await sayToKeeper(context, config.instance, '/rollback');
  if (reply !== undefined) {
    requireInTime(reply, 'roll back');
    const report = await whileShown(context, 'Taking back', () =>
      reportWhen(context, config.instance, isOver),
    );
    return told(context, report);
  }
  if (!(await new TrialFile(context, path).putBack())) throw nothingOnTrial('roll back', path);
  await context.files.remove(trialRecordPath(config.instance));
  context.err(`Put back ${path}: whoever was to do it is gone\n`);
  return apply(context, path, { format: 'table', timeoutMs: 30_000, adopt: false, allowRenumber: true });
}

function nothingOnTrial(what: string, path: string): CommandError {
  const remedy = '`flannelette try` puts something on trial';
  return new CommandError(`Cannot ${what}: nothing is on trial for ${path}; ${remedy}`, EXIT.failed);
}

function requireInTime(reply: ControlReply, what: string): void {
  if (reply.status === 202) return;
  const { phase, message } = JSON.parse(reply.body) as TrialReport;
  throw new CommandError(
    `Cannot ${what}: the trial is ${phase} already${message && ` (${message})`}`,
    EXIT.failed,
  );
}

function told({ out, err }: CommandContext, { phase, file, message, problems }: TrialReport): ExitCode {
  if (phase === 'confirmed') {
    out(`Confirmed: ${file} stays in force\n`);
    return EXIT.done;
  }
  if (problems.length > 0) {
    err(
      [message, 'Not everything could be put back:', ...problems.map((problem) => `  ${problem}`), ''].join(
        '\n',
      ),
    );
    return EXIT.rollbackFailed;
  }
  if (phase === 'reverted') {
    out(`Reverted: everything is as it was before (${message})\n`);
    return EXIT.done;
  }
  err(`${message}\nEverything is as it was before\n`);
  return EXIT.rolledBack;
}

async function reportWhen(
  context: CommandContext,
  instance: InstanceSection,
  isEnough: (report: TrialReport) => boolean,
): Promise<TrialReport> {
  const { clock, signal } = context;
  const startsUntilMs = clock.boottimeMs() + STARTS_WITHIN_MS;
  let isStarted = false;
  for (;;) {
    const report = await trialReport(context, instance);
    if (report !== undefined && isEnough(report)) return report;
    isStarted ||= report !== undefined;
    if (report === undefined && (isStarted || clock.boottimeMs() > startsUntilMs)) {
      const what = isStarted ? 'is gone' : 'does not start';
      throw new CommandError(`The process that keeps the trial ${what}`, EXIT.failed);
    }
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}
