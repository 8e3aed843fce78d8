/** `validate`: checks files offline. */
import { CommandError, EXIT, type ExitCode } from '../exit-codes.js';
import type { CommandContext } from '../session.js';

export async function validate(context: CommandContext, paths: readonly string[]): Promise<ExitCode> {
  const errors: string[] = [];
  for (const path of paths) {
    const reading = await context.readConfig(path);
    if ('error' in reading) errors.push(reading.error);
    else context.out(`${path}: valid\n`);
  }
  if (errors.length > 0) throw new CommandError(errors.join('\n'), EXIT.invalidConfig);
  return EXIT.done;
}
