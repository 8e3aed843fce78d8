/** The verbs of whoever looks for what is wrong. */
import { type Command, Option } from 'commander';
import { doctor } from './commands/doctor.js';
import { ping } from './commands/ping.js';
import type { ExitCode } from './exit-codes.js';
import { FORMATS, type Format } from './output.js';
import type { CommandContext } from './session.js';

export interface VerbMaker {
  /** A verb with its description, its example and where it prints. */
  readonly verb: (name: string, description: string) => Command;
  /** `-f, --file`. */
  readonly file: () => Option;
  readonly context: CommandContext;
  readonly done: (code: ExitCode) => void;
}

export function addToolVerbs({ verb, file, context, done }: VerbMaker): void {
  const path = (options: { file: string }) => context.absolutePath(options.file);
  const output = () =>
    new Option('-o, --output <format>', 'how to print the result').choices(FORMATS).default('table');
  verb('doctor', 'say what is wrong, what it does, and what mends it')
    .addOption(file())
    .addOption(output())
    .option('--fix', 'carry out the remedies that change nothing but a setting that has to be so')
    .action(async (options: { file: string; output: Format; fix?: boolean }) => {
      const { output: format, fix = false } = options;
      done(await doctor(context, path(options), { format, fix }));
    });
  verb('ping', 'go through the layers to another host, and name the first that fails')
    .argument('<host>', 'its address or name, its subnet, or the address of a container there')
    .addOption(file())
    .addOption(output())
    .action(async (host: string, options: { file: string; output: Format }) =>
      done(await ping(context, path(options), { host, format: options.output })),
    );
}
