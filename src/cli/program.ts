/** The command line: verbs and options, and what an error becomes. */
import { Argument, Command, CommanderError, Option } from 'commander';
import { LOG_FORMATS, type LogFormat } from '../model/log-line.js';
import { KINDS, type KindName } from '../model/objects.js';
import { printableLines } from '../model/printable.js';
import type { StatusReport } from '../model/status.js';
import { asError, PrivilegeError, StoreUnavailableError, SystemError } from '../ports.js';
import { commandOutline } from './command-outline.js';
import { apply } from './commands/apply.js';
import { addConvertOptions, convertOptions } from './commands/convert.js';
import { destroy } from './commands/destroy.js';
import { diff, type PlanFormat } from './commands/diff.js';
import { addDockerOptsOptions, writeDockerOpts } from './commands/docker-opts.js';
import { events } from './commands/events.js';
import { explain } from './commands/explain.js';
import { explainObjectNamed, isObjectName } from './commands/explain-object.js';
import { init } from './commands/init.js';
import { leases, releaseLease } from './commands/leases.js';
import { run } from './commands/run.js';
import { schema } from './commands/schema.js';
import { status } from './commands/status.js';
import { validate } from './commands/validate.js';
import { completionScript, SHELLS, type Shell } from './completion.js';
import { durationMs } from './duration.js';
import { ENVIRONMENT_MEANINGS, environmentText } from './environment.js';
import { CommandError, EXIT, EXIT_MEANINGS, type ExitCode, terraformExitCode } from './exit-codes.js';
import { kindList } from './kinds.js';
import { manPage } from './man-page.js';
import { FORMATS, type Format } from './output.js';
import { briefText, peersText, statusText } from './render-status.js';
import type { CommandContext } from './session.js';
import { addToolVerbs } from './tool-verbs.js';
import { addTrialVerbs } from './trial-verbs.js';
import { exampleText, VERB_EXAMPLES } from './verb-examples.js';

const DEFAULT_FILE = 'flannelette.yaml';
/** A file, or a directory of files that are taken together. */
const CONFIGURATION = 'the configuration, a file or a directory';
const DEFAULT_TIMEOUT_MS = 30_000;

/** Never rejects: every error becomes a line on standard error and an exit code. */
export async function runCommandLine(given: CommandContext, argv: readonly string[]): Promise<ExitCode> {
  // Errors quote servers and commands.
  const context = { ...given, err: (text: string) => given.err(printableLines(text)) };
  let exitCode: ExitCode = EXIT.done;
  const program = commandLine(context, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    return exitCodeOf(error, context);
  }
}

function commandLine(context: CommandContext, done: (code: ExitCode) => void): Command {
  const program = new Command('flannelette')
    .description('Makes this host part of a container network, as one YAML file says')
    .version(context.version, '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({ writeOut: context.out, writeErr: context.err })
    .addHelpText('after', environmentText())
    .showHelpAfterError('(try `flannelette --help`)');
  const verb = (name: string, description: string, options: { hidden?: boolean } = {}) =>
    program
      .command(name, options)
      .description(description)
      .addHelpText('after', exampleText(name))
      .showHelpAfterError(`(try \`flannelette ${name} --help\`)`)
      .exitOverride()
      .configureOutput({ writeOut: context.out, writeErr: context.err });
  const file = () => new Option('-f, --file <path>', CONFIGURATION).default(DEFAULT_FILE);
  const path = (options: { file: string }) => context.absolutePath(options.file);
  const output = () =>
    new Option('-o, --output <format>', 'how to print the result').choices(FORMATS).default('table');
  const adopt = () => new Option('--adopt', 'take over what a stopped flanneld left on this host');
  const only = () =>
    new Option('--only <kinds>', 'these kinds of objects alone, such as routes,files')
      .choices(KINDS)
      // Several of them, and in the plural.
      .argParser(kindList);
  const timeout = () =>
    new Option('--timeout <duration>', 'how long to try, such as 30s or 2m')
      .argParser(durationMs)
      .default(DEFAULT_TIMEOUT_MS, '30s');

  verb('init', 'write a file to begin with')
    .addOption(new Option('-f, --file <path>', 'where to').default(DEFAULT_FILE))
    .action(async (options: { file: string }) => done(await init(context, path(options))));
  verb('validate', 'check configurations offline; every mistake with file:line:column')
    .argument('[paths...]', `the configurations, default ${DEFAULT_FILE}`)
    .addOption(new Option('-f, --file <path>', CONFIGURATION))
    .action(async (paths: string[], options: { file?: string }) => {
      const named = [...paths, ...(options.file === undefined ? [] : [options.file])];
      done(await validate(context, named.length === 0 ? [DEFAULT_FILE] : named));
    });
  verb('diff', 'show what would be changed; writes nothing')
    .addOption(file())
    .addOption(
      new Option('-o, --output <format>', 'how to print the plan')
        .choices([...FORMATS, 'wide'])
        .default('table'),
    )
    .addOption(adopt())
    .addOption(only())
    .option('--out <path>', 'save the plan for apply --plan')
    .option('--detailed-exitcode', 'end with 2 for drift and with 1 for any failure, as Terraform does')
    .action(async (options: DiffFlags) => {
      const differing = diff(context, path(options), {
        format: options.output,
        adopt: options.adopt ?? false,
        ...(options.only && { only: options.only }),
        ...(options.out !== undefined && { out: context.absolutePath(options.out) }),
      });
      if (options.detailedExitcode !== true) return done(await differing);
      done(terraformExitCode(await differing.catch((error: unknown) => exitCodeOf(error, context))));
    });
  verb('apply', 'change what has to be changed, once, and verify')
    .addOption(file())
    .addOption(output())
    .addOption(timeout())
    .addOption(adopt())
    .addOption(only())
    .addOption(
      new Option('--plan <path>', 'do exactly what a saved plan says').conflicts(['file', 'adopt', 'only']),
    )
    .option('--allow-renumber', 'take another subnet in place of the one in use, where one is wanted')
    .action(async (options: ApplyFlags) =>
      done(
        await apply(context, path(options), {
          format: options.output,
          timeoutMs: options.timeout,
          adopt: options.adopt ?? false,
          allowRenumber: options.allowRenumber ?? false,
          ...(options.only && { only: options.only }),
          ...(options.plan !== undefined && { plan: context.absolutePath(options.plan) }),
        }),
      ),
    );
  addTrialVerbs({ verb, file, adopt, context, done });
  verb('run', 'keep it so, and carry the packets')
    .addOption(file())
    .addOption(
      new Option('--log-format <format>', 'the log as JSON or for people; auto: for people on a terminal')
        .choices(LOG_FORMATS)
        .default('auto'),
    )
    .action(async (options: { file: string; logFormat: LogFormat }) =>
      done(await run(context, path(options), options.logFormat)),
    );
  verb('status', 'show what the running daemon sees')
    .addOption(file())
    .addOption(output())
    .option('--watch', 'print it again every second')
    .option('--brief', 'one line')
    .action(async (options: { file: string; output: Format; watch?: boolean; brief?: boolean }) => {
      const { output: format, watch = false, brief = false } = options;
      const [part, text] = [(report: StatusReport) => report, brief ? briefText : statusText];
      done(await status(context, path(options), { format, watch, part, text }));
    });
  verb('peers', 'show the other hosts as the running daemon sees them')
    .addOption(file())
    .addOption(output())
    .option('--watch', 'print them again every second')
    .action(async (options: { file: string; output: Format; watch?: boolean }) => {
      const { output: format, watch = false } = options;
      const part = ({ peers }: StatusReport) => ({ peers });
      done(await status(context, path(options), { format, watch, part, text: peersText }));
    });
  addToolVerbs({ verb, file, adopt, context, done });
  verb('events', 'tell what has happened in the running daemon')
    // Its -f is that of tail(1).
    .addOption(new Option('--file <path>', 'the configuration').default(DEFAULT_FILE))
    .addOption(
      new Option('-o, --output <format>', 'a line of text or of JSON for each')
        .choices(['table', 'json'])
        .default('table'),
    )
    .option('-f, --follow', 'go on with what happens')
    .action(async (options: { file: string; output: 'table' | 'json'; follow?: boolean }) =>
      done(await events(context, path(options), { format: options.output, follow: options.follow ?? false })),
    );
  verb('destroy', 'remove everything of ours from this host')
    .addOption(file())
    .addOption(timeout())
    .option('--lease', 'give the subnet back too')
    .action(async (options: { file: string; timeout: number; lease?: boolean }) =>
      done(
        await destroy(context, path(options), { lease: options.lease ?? false, timeoutMs: options.timeout }),
      ),
    );
  const leasesVerb = verb('leases', 'list who holds which subnet')
    .addOption(file())
    .addOption(output())
    .action(async (options: { file: string; output: Format }) =>
      done(await leases(context, path(options), options.output)),
    );
  leasesVerb
    .command('release <subnet>')
    .description('give back the subnet of a host that is gone')
    .addHelpText('after', exampleText('leases release'))
    .exitOverride()
    .configureOutput({ writeOut: context.out, writeErr: context.err })
    .action(async (subnet: string, _options: object, command: Command) =>
      done(await releaseLease(context, path(command.optsWithGlobals()), subnet)),
    );
  addDockerOptsOptions(
    verb('docker-opts', "write Docker's options from subnet.env, as mk-docker-opts.sh does"),
  ).action(async (flags: Parameters<typeof writeDockerOpts>[1]) =>
    done(await writeDockerOpts(context, flags)),
  );
  addConvertOptions(verb('convert', "write flanneld's options as a configuration")).action(
    async (argv: string[], options: Parameters<typeof convertOptions>[2]) =>
      done(await convertOptions(context, argv, options)),
  );
  verb('explain', 'tell what a key of the file means, or why an object is there')
    .argument('[name]', 'such as network.mtu or route:4.0.0.0/16; without one the sections are listed')
    .addOption(file())
    .addOption(output())
    .action(async (name: string | undefined, options: { file: string; output: Format }) =>
      done(
        name !== undefined && isObjectName(name)
          ? await explainObjectNamed(context, path(options), name, options.output)
          : await explain(context, name),
      ),
    );
  verb('schema', "print the file's JSON Schema").action(async () => done(await schema(context)));
  verb('completion', 'print a completion script')
    .addArgument(new Argument('<shell>', 'which shell is to complete').choices(SHELLS))
    .action((shell: Shell) => context.out(completionScript(shell, commandOutline(program))));
  verb('man', 'print the manual page').action(() =>
    context.out(
      manPage(commandOutline(program), {
        version: context.version,
        examples: VERB_EXAMPLES,
        exitCodes: EXIT_MEANINGS,
        environment: ENVIRONMENT_MEANINGS,
      }),
    ),
  );
  verb('version', 'print the version').action(() => context.out(`${context.version}\n`));
  addSettings(program, context);
  return program;
}

/** Whoever reads a configuration takes values over it. */
function addSettings(program: Command, context: CommandContext): void {
  const collected = (setting: string, before: readonly string[] = []) => [...before, setting];
  const reads = ({ options }: Command) => options.some(({ description }) => description === CONFIGURATION);
  for (const verb of program.commands.filter(reads)) {
    const option = new Option('--set <key=value>', 'a value over that of the file; may be given again');
    verb.addOption(option.argParser(collected));
  }
  program.hook('preAction', (_, verb) => {
    const { set } = verb.optsWithGlobals() as { set?: readonly string[] };
    if (set !== undefined) context.set(set);
  });
}

function exitCodeOf(error: unknown, { err, signal }: CommandContext): ExitCode {
  // Commander has printed its own message already; help and version end with code 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  const isDecided = error instanceof CommandError;
  // What else goes wrong then goes wrong by that; a decided one tells what an interrupted command has left behind.
  if (signal.aborted && !isDecided) {
    err('Interrupted\n');
    return EXIT.interrupted;
  }
  const message = asError(error).message.trimEnd();
  if (error instanceof StoreUnavailableError) {
    err(`${message}; \`flannelette doctor\` looks closer\n`);
    return EXIT.storeUnreachable;
  }
  err(`${message}\n`);
  if (isDecided) return error.exitCode;
  if (error instanceof PrivilegeError) return EXIT.privilege;
  if (error instanceof SystemError && error.code === 'EADDRINUSE') return EXIT.held;
  return EXIT.failed;
}

interface ApplyFlags {
  readonly file: string;
  readonly output: Format;
  readonly timeout: number;
  readonly adopt?: boolean;
  readonly allowRenumber?: boolean;
  readonly only?: readonly KindName[];
  readonly plan?: string;
}

interface DiffFlags {
  readonly file: string;
  readonly output: PlanFormat;
  readonly only?: readonly KindName[];
  readonly out?: string;
  readonly adopt?: boolean;
  readonly detailedExitcode?: boolean;
}
