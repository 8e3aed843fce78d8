/** `docker-opts`: mk-docker-opts.sh's options and files around the pure functions in ../docker-opts.ts. */
import { type Command, Option } from 'commander';
import { DOCKER_OPTS_DEFAULTS, dockerOpts, strayRoute } from '../docker-opts.js';
import { durationMs } from '../duration.js';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.js';
import type { CommandContext } from '../session.js';

interface Flags {
  readonly f: string;
  readonly d: string;
  readonly i?: boolean;
  readonly c?: boolean;
  readonly k: string;
  readonly m?: boolean;
  readonly compat?: boolean;
  /** Milliseconds. */
  readonly wait?: number;
}

const LOOK_EVERY_MS = 200;

/** The letters are the script's, so that a unit file calling it needs only another name. */
export function addDockerOptsOptions(command: Command): Command {
  return command
    .option('-f <path>', 'the subnet.env to read', DOCKER_OPTS_DEFAULTS.subnetEnvPath)
    .option('-d <path>', 'the file to write', DOCKER_OPTS_DEFAULTS.outputPath)
    .option('-i', 'write one variable for each option only')
    .option('-c', 'write the combined variable only')
    .option('-k <name>', 'name of the combined variable', DOCKER_OPTS_DEFAULTS.key)
    .option('-m', "leave Docker's masquerading unsaid")
    .option('--compat', 'do all that the script does: empty options without subnet.env, a look at the routes')
    .addOption(
      new Option('--wait <duration>', 'wait that long for subnet.env, such as 30s').argParser(durationMs),
    );
}

export async function writeDockerOpts(context: CommandContext, flags: Flags): Promise<ExitCode> {
  const { f, d, i, c, k, m, compat = false, wait } = flags;
  const text = await (wait === undefined ? context.readText(f) : textWithin(wait, context, f));
  const result = dockerOpts(
    { subnetEnvPath: f, individual: i ?? false, combined: c ?? false, key: k, ipMasq: !m, compat },
    text,
    context.environment,
  );
  if ('message' in result) throw new CommandError(result.message, result.exit);
  await context.writeText(d, result.output);
  const stray = compat ? strayRoute(text, await (await context.host()).routes()) : undefined;
  if (stray !== undefined) throw new CommandError(stray.message, stray.exit);
  return result.exit;
}

async function textWithin(waitMs: number, { readText, clock, signal }: CommandContext, path: string) {
  const deadline = clock.boottimeMs() + waitMs;
  for (;;) {
    const text = await readText(path);
    if (text !== undefined) return text;
    const leftMs = deadline - clock.boottimeMs();
    if (leftMs <= 0) {
      const message = `Cannot read ${path}: still no such file after ${waitMs / 1000} s; is the daemon running?`;
      throw new CommandError(message, EXIT.notReady);
    }
    await clock.sleep(Math.min(LOOK_EVERY_MS, leftMs), signal);
  }
}
