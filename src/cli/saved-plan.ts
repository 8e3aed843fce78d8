/** The plan that `diff --out` saved: read it, and hold it against the world. */
import { equalJson } from '../model/equal-json.js';
import { movedSince, type PlanDocument } from '../model/plan-document.js';
import { CommandError, EXIT } from './exit-codes.js';
import type { CommandContext } from './session.js';

/** Throws CommandError when there is none at `path`, or when it was made with other settings than are given now. */
export async function savedPlan(context: CommandContext, path: string): Promise<PlanDocument> {
  const text = await context.readText(path);
  if (text === undefined) throw new CommandError(`Cannot read ${path}: there is no such file`, EXIT.usage);
  const reading = await context.readPlan(text);
  if ('plan' in reading) {
    requireSameSettings(path, reading.plan.set ?? [], context.settings());
    return reading.plan;
  }
  throw new CommandError(
    `Cannot apply ${path}: it is no plan that \`diff --out\` saved: ${reading.error}`,
    EXIT.usage,
  );
}

/** They are not taken from the plan: what is done is never its to say. */
function requireSameSettings(path: string, planned: readonly string[], given: readonly string[]): void {
  if (equalJson(planned, given)) return;
  const made =
    planned.length === 0
      ? 'without --set: leave that out'
      : `with ${planned.map((setting) => `--set ${setting}`).join(' ')}: give that again, and no other`;
  throw new CommandError(`Cannot apply ${path}: it was made ${made}`, EXIT.usage);
}

/** Throws CommandError saying what has moved since `saved` was made. */
export function requireUpToDate(saved: PlanDocument, now: PlanDocument): void {
  const moved = [
    ...(saved.instance === now.instance
      ? []
      : [`instance: planned was ${saved.instance}; now ${now.instance}`]),
    ...movedSince(saved, now),
  ];
  if (moved.length === 0) return;
  throw new CommandError(
    [
      'Nothing was changed: the plan is out of date. What has moved:',
      ...moved.map((line) => `  ${line}`),
      'Make a new one with `flannelette diff --out`',
    ].join('\n'),
    EXIT.stale,
  );
}
