/** `run`: the daemon, until it is told to stop. */
import type { LogFormat } from '../../model/log-line.js';
import { configArgument } from '../config-argument.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import type { CommandContext } from '../session.js';
import { settleTrial } from '../settle-trial.js';

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
