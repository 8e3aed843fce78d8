/** `docker-opts`: mk-docker-opts.sh's options and files around the pure function in ../docker-opts.ts. */
import type { Command } from 'commander';
import { DOCKER_OPTS_DEFAULTS, dockerOpts } from '../docker-opts.js';
import { CommandError, type ExitCode } from '../exit-codes.js';
import type { CommandContext } from '../session.js';

interface Flags {
  readonly f: string;
  readonly d: string;
  readonly i?: boolean;
  readonly c?: boolean;
  readonly k: string;
  readonly m?: boolean;
  readonly compat?: boolean;
}

/** The letters are the script's, so that a unit file calling it needs only another name. */
export function addDockerOptsOptions(command: Command): Command {
  return command
    .option('-f <path>', 'the subnet.env to read', DOCKER_OPTS_DEFAULTS.subnetEnvPath)
    .option('-d <path>', 'the file to write', DOCKER_OPTS_DEFAULTS.outputPath)
    .option('-i', 'write one variable for each option only')
    .option('-c', 'write the combined variable only')
    .option('-k <name>', 'name of the combined variable', DOCKER_OPTS_DEFAULTS.key)
    .option('-m', "leave Docker's masquerading unsaid")
    .option('--compat', 'write empty options when subnet.env is missing, as the script does');
}

export async function writeDockerOpts(context: CommandContext, flags: Flags): Promise<ExitCode> {
  const result = dockerOpts(
    {
      subnetEnvPath: flags.f,
      individual: flags.i ?? false,
      combined: flags.c ?? false,
      key: flags.k,
      ipMasq: !flags.m,
      compat: flags.compat ?? false,
    },
    await context.readText(flags.f),
    context.environment,
  );
  if ('message' in result) throw new CommandError(result.message, result.exit);
  await context.writeText(flags.d, result.output);
  return result.exit;
}
