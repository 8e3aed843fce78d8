/** `run`: the daemon, until it is told to stop. */
import type { LogFormat } from '../../model/log-line.js';
import { trialRecordPath } from '../../runtime/trial-record.js';
import { configArgument, trialSocketPath } from '../config-argument.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import type { CommandContext } from '../session.js';
import { TrialFile } from '../trial-file.js';

/**
 * Forwarding comes first: what it needs is loaded first, and it goes on before the rest is even loaded. That is loaded
 * while the programs run that tell what this process may do.
 */
export async function run(context: CommandContext, path: string, format: LogFormat): Promise<ExitCode> {
  context.logAs(format);
  const forwarding = await context.forwarding();
  try {
    await settleTrial(context, path);
    const config = await configArgument(context, path);
    await forwarding.begin(config);
    const mayRun = forwarding.requirePrivileges(config);
    const [host] = await Promise.all([context.host(), mayRun]);
    await host.runDaemon(path, config, forwarding.dataPlane);
    return EXIT.done;
  } finally {
    await forwarding.end();
  }
}

/** A file that nobody has confirmed, and whose keeper went with a reboot, is not what this host is to be. */
async function settleTrial(context: CommandContext, path: string): Promise<void> {
  const file = new TrialFile(context, path);
  if (!(await file.isOnTrial())) return;
  const reading = await context.readConfig(path);
  const keeper =
    'config' in reading &&
    (await context.control.ask(
      trialSocketPath(reading.config.instance),
      { method: 'GET', path: '/trial' },
      context.signal,
    ));
  if (!keeper && (await file.putBack())) {
    if ('config' in reading) await context.files.remove(trialRecordPath(reading.config.instance));
    context.err(`Put back ${path}: what was on trial there was never confirmed\n`);
  }
}
