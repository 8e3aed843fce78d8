/** `run`: the daemon, until it is told to stop. */
import { configArgument } from '../config-argument.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import type { CommandContext } from '../session.js';

export async function run(context: CommandContext, path: string): Promise<ExitCode> {
  const config = await configArgument(context, path);
  const host = await context.host();
  await host.requirePrivileges(config);
  const lock = host.lock(config.instance.name);
  try {
    await host.runDaemon(path, config);
    return EXIT.done;
  } finally {
    lock.release();
  }
}
