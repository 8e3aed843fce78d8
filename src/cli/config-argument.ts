/** The file named by -f: read it or say exactly what is wrong with it. */
import type { Config, InstanceSection } from '../model/config.js';
import { CommandError, EXIT } from './exit-codes.js';
import type { CommandContext } from './session.js';

/** Throws CommandError with every mistake, ready to print. */
export async function configArgument(context: CommandContext, path: string): Promise<Config> {
  const reading = await context.readConfig(path);
  if ('error' in reading) throw new CommandError(reading.error, EXIT.invalidConfig);
  return reading.config;
}

/** Where the daemon of this instance listens. */
export function socketPath({
  name,
  runtimeDirectory,
}: Pick<InstanceSection, 'name' | 'runtimeDirectory'>): string {
  return `${runtimeDirectory}/${name}.sock`;
}
