/** The verbs of whoever looks for what is wrong. */
import { type Command, Option } from 'commander';
import { LOG_LEVELS } from '../runtime/log-book.js';
import { doctor } from './commands/doctor.js';
import { logLevel } from './commands/log-level.js';
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
  verb('log-level', 'show or change how much the loops of the running daemon log')
    .argument('[loop]', 'all, or a name as it stands in the log')
    .argument('[level]', `${LOG_LEVELS.join(', ')}; until the daemon ends`)
    .addOption(file())
    .action(async (loop: string | undefined, level: string | undefined, options: { file: string }) =>
      done(await logLevel(context, path(options), loop === undefined ? undefined : { loop, level })),
    );
}
