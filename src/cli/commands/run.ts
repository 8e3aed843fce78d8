/** `run`: the daemon, until it is told to stop. */
import { configArgument } from '../config-argument.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import type { CommandContext } from '../session.js';

export async function run(context: CommandContext, path: string): Promise<ExitCode> {
  const config = await configArgument(context, path);
  context.requirePrivileges();
  const lock = context.lock(config.instance.name);
  try {
    await context.runDaemon(path, config);
    return EXIT.done;
  } finally {
    lock.release();
  }
}
