/** The file named by -f: read it or say exactly what is wrong with it. */
import type { Config, InstanceSection } from '../model/config.js';
import type { ConfigReading } from '../runtime/inputs/config-source.js';
import { CommandError, EXIT } from './exit-codes.js';
import type { CommandContext } from './session.js';

type GoodReading = Extract<ConfigReading, { readonly config: Config }>;

/** Throws CommandError with every mistake, ready to print. */
export async function readingArgument(context: CommandContext, path: string): Promise<GoodReading> {
  const reading = await context.readConfig(path);
  if ('error' in reading) throw new CommandError(reading.error, EXIT.invalidConfig);
  return reading;
}

/** The same for who asks for its values alone. */
export async function configArgument(context: CommandContext, path: string): Promise<Config> {
  return (await readingArgument(context, path)).config;
}

/** Where the keeper of a trial listens, beside the daemon. */
export function trialSocketPath(instance: Pick<InstanceSection, 'name' | 'runtimeDirectory'>): string {
  return socketPath(instance).replace(/sock$/, 'trial.sock');
}

/** Where the daemon of this instance listens. */
export function socketPath({
  name,
  runtimeDirectory,
}: Pick<InstanceSection, 'name' | 'runtimeDirectory'>): string {
  return `${runtimeDirectory}/${name}.sock`;
}
