/** The verbs of whoever looks for what is wrong. */
import { InvalidArgumentError, Option } from 'commander';
import { CAPTURE_LAYERS } from '../runtime/capture/capture-file.js';
import { LOG_LEVELS } from '../runtime/log/log-book.js';
import { type CaptureOptions, capture } from './commands/capture.js';
import { doctor } from './commands/doctor.js';
import { logLevel } from './commands/log-level.js';
import { ping } from './commands/ping.js';
import { top } from './commands/top.js';
import { durationMs } from './duration.js';
import { FORMATS, type Format } from './output.js';
import type { VerbMaker } from './verb-maker.js';

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
  verb('top', 'show what each peer sends and gets, live')
    .addOption(file())
    .addOption(new Option('--every <duration>', 'how often').argParser(durationMs).default(1_000, '1s'))
    .addOption(new Option('-n, --count <number>', 'end after that many times').argParser(countOf))
    .action(async (options: { file: string; every: number; count?: number }) => {
      const { every: everyMs, count } = options;
      done(await top(context, path(options), { everyMs, ...(count !== undefined && { count }) }));
    });
  verb('capture', 'write the packets with what became of them as pcapng, for Wireshark and tcpdump')
    .addOption(file())
    .addOption(new Option('-w, --write <path>', 'where to; - is standard output').default('-'))
    .addOption(
      new Option(
        '--layer <layer>',
        'the packets of the containers, the datagrams around them, or both (for Wireshark)',
      )
        .choices(CAPTURE_LAYERS)
        .default('inner'),
    )
    .addOption(new Option('--direction <direction>', 'one way alone').choices(['in', 'out']))
    .option('--peer <peer>', 'to and from one host alone: its address, its subnet, or one of its containers')
    .option('--verdict <verdict>', 'forwarded, dropped, or a reason of dropping, such as no_route')
    .addOption(
      new Option('--snap <bytes>', 'keep that much of each packet').argParser(countOf).default(65_535),
    )
    .addOption(new Option('-n, --count <number>', 'end after that many packets').argParser(countOf))
    .addOption(new Option('--duration <duration>', 'end after that time').argParser(durationMs))
    .action(async (options: CaptureOptions & { file: string }) =>
      done(await capture(context, path(options), options)),
    );
  verb('log-level', 'show or change how much the loops of the running daemon log')
    .argument('[loop]', 'all, or a name as it stands in the log')
    .argument('[level]', `${LOG_LEVELS.join(', ')}; until the daemon ends`)
    .addOption(file())
    .action(async (loop: string | undefined, level: string | undefined, options: { file: string }) =>
      done(await logLevel(context, path(options), loop === undefined ? undefined : { loop, level })),
    );
}

function countOf(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('Want a number from 1 on');
  return Number(text);
}
