/** The operator's commands that carry packets (backend extension): run once for each thing, and undone when it is gone. */
import { commandRecordText, parseCommandRecord } from '../model/command-record.js';
import { diff, type Kind } from '../model/diff.js';
import { equalJson } from '../model/equal-json.js';
import { commandKey } from '../model/keys.js';
import type { CommandLine, CommandState } from '../model/objects.js';
import { type Commands, type Files, SystemError } from '../ports.js';
import { carryOut } from './carry-out.js';
import type { Reconciler } from './reconciler.js';

const kind: Kind<CommandState> = {
  missing: ({ run }) => (run === undefined ? 'nothing to run, but something to undo' : 'not run yet'),
  differences: (want, have) => [
    ...(equalJson(want.run, have.run) ? [] : ['was run otherwise']),
    ...(equalJson(want.undo, have.undo) ? [] : ['is undone otherwise']),
  ],
};

const MOST_OUTPUT = 4_000;

/**
 * `recordPath` holds what was run; `onRun` is awaited after each step that ran something, since others are computed
 * from what it printed. A command that fails is run again later, as everything that fails.
 */
export function commandReconciler(
  commands: Commands,
  files: Files,
  recordPath: string,
  onRun: () => Promise<void>,
): Reconciler<CommandState> {
  async function record() {
    return new Map(parseCommandRecord((await files.read(recordPath))?.content));
  }

  async function output({ argv, env, input, timeoutMs }: CommandLine, signal: AbortSignal): Promise<string> {
    const { code, stdout, stderr } = await commands.run(argv, timeoutMs, signal, { env, input });
    const printed = `${stdout}${stderr}`.trim().slice(0, MOST_OUTPUT);
    if (code === 0) return printed;
    throw new SystemError(`Cannot run "${argv.join(' ')}": exit code ${code}: ${printed}`, 'EIO');
  }

  return {
    name: 'command',
    async observe() {
      return [...(await record()).values()].map((state) => ({
        key: commandKey(state.purpose),
        state,
        ours: true,
      }));
    },
    diff: (desired, observed) => diff(kind, desired, observed),
    apply: (actions, signal) =>
      carryOut(actions, signal, async ({ before, after }) => {
        const states = await record();
        if (after === undefined) {
          if (before?.undo !== undefined) await output(before.undo, signal);
          states.delete(before?.purpose ?? '');
        } else {
          const isToRun = after.run !== undefined && !equalJson(after.run, before?.run);
          const printed = isToRun && after.run ? await output(after.run, signal) : before?.output;
          states.set(after.purpose, { ...after, ...(printed !== undefined && { output: printed }) });
        }
        await files.write(recordPath, commandRecordText(states.values()), 0o600);
        await onRun();
      }),
    watch: (wake, signal) => files.watch([recordPath], wake, signal),
  };
}
