/** `convert`: flanneld's options as our file, on standard output or in a file. Reads no etcd and changes nothing else. */

import type { Command } from 'commander';
import { convert } from '../../convert/convert.js';
import type { NamedText } from '../../convert/environment-file.js';
import { InputError } from '../../convert/part.js';
import { asError } from '../../ports.js';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.js';
import type { CommandContext } from '../session.js';

interface Flags {
  readonly envFile?: readonly string[];
  readonly netConf?: string;
  readonly output?: string;
  readonly force?: boolean;
}

export function addConvertOptions(command: Command): Command {
  return command
    .usage('[options] -- [flanneld options...]')
    .argument('[options...]', "flanneld's command line")
    .option(
      '--env-file <path>',
      "a file of flanneld's variables, as a unit's EnvironmentFile=; may be given again",
      (path: string, paths: readonly string[] = []) => [...paths, path],
    )
    .option('--net-conf <path>', "the network's JSON, the value of <etcd-prefix>/config")
    .option('-o, --output <path>', 'write the file instead of printing it')
    .option('--force', 'write it over one that is there');
}

/** The exit code is `drift` when something has no counterpart: what is not converted is named on standard error. */
export async function convertOptions(
  context: CommandContext,
  argv: readonly string[],
  { envFile = [], netConf, output, force = false }: Flags,
): Promise<ExitCode> {
  if (argv.length === 0 && envFile.length === 0 && netConf === undefined) {
    const message = "Nothing to convert: give flanneld's options behind --, an --env-file or a --net-conf";
    throw new CommandError(message, EXIT.usage);
  }
  if (output !== undefined && !force && (await context.readText(output)) !== undefined) {
    throw new CommandError(`Cannot write ${output}: it is there already, --force writes over it`, EXIT.usage);
  }
  const { yaml, notConverted } = await conversion(context, argv, envFile, netConf);
  for (const note of notConverted) context.err(`Not converted: ${note}\n`);
  if (output === undefined) context.out(yaml);
  else await context.writeText(output, yaml);
  return notConverted.length === 0 ? EXIT.done : EXIT.drift;
}

async function conversion(
  context: CommandContext,
  argv: readonly string[],
  envFiles: readonly string[],
  netConf: string | undefined,
): Promise<ReturnType<typeof convert>> {
  const environmentFiles: NamedText[] = [];
  for (const path of envFiles) environmentFiles.push(await inputFile(context, path));
  try {
    return convert({
      argv,
      environmentFiles,
      netConf: netConf === undefined ? undefined : await inputFile(context, netConf),
    });
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new CommandError(error.message, EXIT.invalidConfig, { cause: error });
  }
}

async function inputFile(context: CommandContext, path: string): Promise<NamedText> {
  let text: string | undefined;
  try {
    text = await context.readText(path);
  } catch (error) {
    const message = asError(error).message;
    throw new CommandError(message, EXIT.invalidConfig, { cause: error });
  }
  if (text === undefined)
    throw new CommandError(`Cannot read ${path}: there is no such file`, EXIT.invalidConfig);
  return { name: path, text };
}
