/** The operator's commands that carry packets (backend extension): run once for each thing, and undone when it is gone. */
import {
  commandRecordText,
  MOST_RECORD_BYTES,
  PRE_STARTUP,
  parseCommandRecord,
} from '../model/command-record.js';
import { diff, type Kind } from '../model/diff.js';
import { equalJson } from '../model/equal-json.js';
import { commandKey } from '../model/keys.js';
import type { CommandLine, CommandState } from '../model/objects.js';
import type { Action, ActionResult, ResourceKey } from '../model/plan.js';
import { type Clock, type Commands, type Files, SystemError } from '../ports.js';
import { carryOut } from './carry-out.js';
import { keptFiles } from './kept-files.js';
import { type Reconciler, together } from './reconciler.js';

const kind: Kind<CommandState> = {
  missing: ({ run }) => (run === undefined ? 'nothing to run, but something to undo' : 'not run yet'),
  differences: (want, have) => [
    ...(equalJson(want.run, have.run) ? [] : ['was run otherwise']),
    ...(equalJson(want.undo, have.undo) ? [] : ['is undone otherwise']),
  ],
};

const MOST_OUTPUT = 4_000;

/** Within the deadline of a round (15 s), which would throw away the account of what was done. */
const MOST_ROUND_MS = 14_000;

/**
 * `recordPath` holds what was run; `onRun` is awaited after each step that ran something, since others are computed
 * from what it printed. A command that fails is run again later, as everything that fails, and keeps no other from its
 * turn: one that could outlast the round is `waiting` for the next, and what has failed comes last there.
 */
export function commandReconciler(
  commands: Commands,
  files: Files,
  clock: Clock,
  recordPath: string,
  onRun: () => Promise<void>,
): Reconciler<CommandState> {
  /** The one that was tried first comes first. It says in which order to try, never what is in place. */
  const failed = new Set<ResourceKey>();

  async function record() {
    return new Map(parseCommandRecord((await files.read(recordPath, MOST_RECORD_BYTES))?.content));
  }

  async function output({ argv, env, input, timeoutMs }: CommandLine, signal: AbortSignal): Promise<string> {
    const { code, stdout, stderr } = await commands.run(argv, timeoutMs, signal, { env, input });
    const printed = `${stdout}${stderr}`.trim().slice(0, MOST_OUTPUT);
    if (code === 0) return printed;
    throw new SystemError(`Cannot run "${argv.join(' ')}": exit code ${code}: ${printed}`, 'EIO');
  }

  async function step({ before, after }: Action<CommandState>, signal: AbortSignal): Promise<void> {
    const states = await record();
    if (after === undefined) {
      if (before?.undo !== undefined) await output(before.undo, signal);
      states.delete(before?.purpose ?? '');
    } else {
      const isToRun = after.run !== undefined && !equalJson(after.run, before?.run);
      const printed = isToRun && after.run ? await output(after.run, signal) : before?.output;
      const isUsed = after.purpose === PRE_STARTUP && printed !== undefined;
      states.set(after.purpose, { ...after, ...(isUsed && { output: printed }) });
    }
    if (states.size === 0) await files.remove(recordPath);
    else await files.write(recordPath, commandRecordText(states.values()), 0o600);
    await onRun();
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
    async apply(actions, signal) {
      const endMs = clock.boottimeMs() + MOST_ROUND_MS;
      const results: ActionResult[] = [];
      for (const action of inTurn(actions, failed)) {
        const { key } = action;
        if (results.length > 0 && clock.boottimeMs() + mostMs(action) > endMs) {
          results.push({ key, outcome: 'waiting' });
          continue;
        }
        // One by one: a host that is gone is removed though another could not be added.
        const tried = await carryOut([action], signal, (one) => step(one, signal));
        results.push(...tried);
        failed.delete(key);
        if (tried.some(({ outcome }) => outcome === 'failed')) failed.add(key);
      }
      return results;
    },
    // By the record is told what to undo and to run again: it comes last.
    keep: async (_actions, states, noted) => together(states, await keptFiles(files, [recordPath], noted)),
    watch: (wake, signal) => files.watch([recordPath], wake, signal),
  };
}

/** As planned, but after everything else what is in `failed`, in its order. */
function inTurn<State>(
  actions: readonly Action<State>[],
  failed: ReadonlySet<ResourceKey>,
): readonly Action<State>[] {
  const byKey = new Map(actions.map((action) => [action.key, action]));
  return [
    ...actions.filter(({ key }) => !failed.has(key)),
    ...[...failed].flatMap((key) => byKey.get(key) ?? []),
  ];
}

function mostMs({ before, after }: Action<CommandState>): number {
  return (after === undefined ? before?.undo : after.run)?.timeoutMs ?? 0;
}
