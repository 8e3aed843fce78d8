/** The verbs about a change on trial. */
import { Option } from 'commander';
import { keepTrial } from './commands/keep-trial.js';
import { confirm, rollback, tryChange } from './commands/try.js';
import { durationMs } from './duration.js';
import { settleTrial } from './settle-trial.js';
import type { TrialQuestion } from './trial-subjects.js';
import type { VerbMaker } from './verb-maker.js';

const DEFAULT_TRIAL_MS = 120_000;

export function addTrialVerbs({ verb, file, adopt, context, done }: VerbMaker): void {
  const path = (options: { file: string }) => context.absolutePath(options.file);
  const trial = () =>
    new Option('--timeout <duration>', 'when to take it back, such as 30s or 2m')
      .argParser(durationMs)
      .default(DEFAULT_TRIAL_MS, '120s');
  const tried = (
    candidate: string | undefined,
    { timeout: timeoutMs, ...flags }: TryFlags,
  ): TrialQuestion => ({
    timeoutMs,
    adopt: flags.adopt ?? false,
    allowRenumber: flags.allowRenumber ?? false,
    ...(candidate !== undefined && { candidate: context.absolutePath(candidate) }),
  });
  verb('try', 'apply, and take it back unless it is confirmed in time')
    .argument('[candidate]', 'a file whose text takes the place of the configuration')
    .addOption(file())
    .addOption(trial())
    .addOption(adopt())
    .option('--allow-renumber', 'take another subnet in place of the one in use, where one is wanted')
    .action(async (candidate: string | undefined, options: TryFlags) =>
      done(await tryChange(context, path(options), tried(candidate, options))),
    );
  verb('settle-trial', 'what the unit runs before `run`, as root', { hidden: true })
    .addOption(file())
    .action(async (options: { file: string }) => settleTrial(context, path(options)));
  verb('keep-trial', 'what try starts', { hidden: true })
    .argument('[candidate]')
    .addOption(file())
    .addOption(trial())
    .addOption(adopt())
    .option('--allow-renumber')
    .action(async (candidate: string | undefined, options: TryFlags) =>
      done(await keepTrial(context, path(options), tried(candidate, options))),
    );
  verb('confirm', 'keep what is on trial')
    .addOption(file())
    .action(async (options: { file: string }) => done(await confirm(context, path(options))));
  verb('rollback', 'take back what is on trial, at once')
    .addOption(file())
    .action(async (options: { file: string }) => done(await rollback(context, path(options))));
}

interface TryFlags {
  readonly file: string;
  readonly timeout: number;
  readonly adopt?: boolean;
  readonly allowRenumber?: boolean;
}
