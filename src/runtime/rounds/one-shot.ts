/** Planning everything once, and applying until nothing is left: what `diff`, `apply` and `destroy` do. */
import { isDecided, type Undecided } from '../../model/desired.js';
import {
  type DesiredObjects,
  KINDS,
  type KindName,
  type PlannedAction,
  type Plans,
  type StateOf,
} from '../../model/objects.js';
import type { Action, ActionResult, ForeignConflict, Plan } from '../../model/plan.js';
import { presentKeys } from '../../model/status.js';
import type { Clock } from '../../ports.js';
import { Presence } from './presence.js';
import type { Reconcilers } from './reconcilers.js';
import { planRound, runRound } from './round.js';

/** The plan of each of `kinds`, from one look at the world. Writes nothing. */
export async function planAll(
  reconcilers: Reconcilers,
  objects: DesiredObjects,
  signal: AbortSignal,
  kinds: readonly KindName[] = KINDS,
): Promise<Plans> {
  const plans: { [K in KindName]?: Plan<StateOf[K]> } = {};
  const remade = new Set<string>();
  const plan = async <K extends KindName>(kind: K) => {
    const reconciler = reconcilers[kind];
    if (reconciler !== undefined)
      plans[kind] = (await planRound(reconciler, objects[kind], signal, remade)) as (typeof plans)[K];
  };
  for (const kind of kinds) {
    await plan(kind);
    if (kind === 'link') for (const name of remadeDevices(plans.link)) remade.add(name);
  }
  return plans;
}

/** A device whose change interrupts cannot be changed in place: it is made anew, and what was on it is gone. */
function remadeDevices(plan: Plans['link']): readonly string[] {
  const remakes = (plan?.actions ?? []).filter(({ verb, interrupts }) => verb === 'update' && interrupts);
  return remakes.flatMap(({ after }) => after?.name ?? []);
}

export type Convergence =
  | { readonly outcome: 'converged' }
  | { readonly outcome: 'undecided'; readonly undecided: Undecided }
  /** Another subnet is wanted, and nobody has said yes to it. */
  | { readonly outcome: 'refused'; readonly undecided: Undecided }
  | { readonly outcome: 'conflict'; readonly conflicts: readonly ForeignConflict[] }
  | { readonly outcome: 'failed'; readonly failures: readonly ActionResult[] }
  | { readonly outcome: 'timed out' };

/** What is in the way, for people. */
export function obstaclesText(
  outcome: 'refused' | 'conflict' | 'failed',
  obstacles: readonly { readonly key: string; readonly reason: string }[],
): string {
  if (outcome === 'refused')
    return `Nothing was changed: ${obstacles.map(({ reason }) => reason).join('; ')}`;
  const each = obstacles.map(({ key, reason }) => `${key}: ${reason}`).join('; ');
  return outcome === 'conflict'
    ? `Something else is in the way: ${each}. \`flannelette doctor\` says how to make room`
    : `Not everything could be done: ${each}`;
}

export interface ConvergeOptions {
  readonly reconcilers: Reconcilers;
  /** Asked before every round: what one kind did can change what the others want. */
  readonly desired: () => { readonly objects: DesiredObjects } | Undecided;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** The kinds that may be changed; of the others is only seen what is there. Default: all. */
  readonly kinds?: readonly KindName[];
  /** What may be done: a wish beyond it is a failure. Default: whatever is wanted. */
  readonly isPlanned?: (action: PlannedAction) => boolean;
  /** Called for each action that was tried. */
  readonly onAction: (action: PlannedAction, result: ActionResult) => void;
}

export const RETRIES = 3; // A busy device is free by then; what is not will not go away by itself.
export const RETRY_AFTER_MS = 300;

/**
 * Runs passes over all kinds, additions in order and deletions backwards, until a pass leaves nothing to do.
 * Rejects only with what observing rejected with, or on abort.
 */
export async function converge(options: ConvergeOptions, signal: AbortSignal): Promise<Convergence> {
  const { clock, timeoutMs, desired } = options;
  const deadline = clock.boottimeMs() + timeoutMs;
  // A pass deletes backwards, and only after every addition: whatever a deletion has to wait for was before it.
  const presence = new Presence(() => true);
  for (let fruitless = 0; ; ) {
    const state = desired();
    if (!isDecided(state)) return { outcome: state.needsConsent ? 'refused' : 'undecided', undecided: state };
    const pass = await runPass(options, presence, signal);
    if (pass.left === 0 && pass.conflicts.length === 0) return { outcome: 'converged' };
    if (pass.done > 0) fruitless = 0;
    else if (pass.failures.length === 0 && pass.conflicts.length > 0)
      return { outcome: 'conflict', conflicts: pass.conflicts };
    else if (++fruitless > RETRIES) return { outcome: 'failed', failures: failuresOf(pass) };
    if (clock.boottimeMs() >= deadline) return { outcome: 'timed out' };
    await clock.sleep(RETRY_AFTER_MS, signal);
  }
}

interface Pass {
  done: number;
  left: number;
  readonly failures: ActionResult[];
  /** What nothing can come of while the rest stays as it is. */
  readonly stuck: ActionResult[];
  readonly conflicts: ForeignConflict[];
}

/** What failed; else what was never tried, with the reason. */
function failuresOf({ failures, stuck }: Pass): readonly ActionResult[] {
  return failures.length > 0 ? failures : stuck;
}

async function runPass(options: ConvergeOptions, presence: Presence, signal: AbortSignal): Promise<Pass> {
  const pass: Pass = { done: 0, left: 0, failures: [], stuck: [], conflicts: [] };
  for (const kind of KINDS) await runKind(kind, 'additions', options, presence, pass, signal);
  // Deletes only after every addition of every kind, and not at all when one of those failed.
  if (pass.failures.length > 0) {
    pass.left++; // Whether anything is to be deleted was not looked at.
    return pass;
  }
  for (const kind of KINDS.toReversed()) await runKind(kind, 'deletions', options, presence, pass, signal);
  return pass;
}

async function runKind<K extends KindName>(
  kind: K,
  only: 'additions' | 'deletions',
  { reconcilers, desired, onAction, kinds = KINDS, isPlanned = () => true }: ConvergeOptions,
  presence: Presence,
  pass: Pass,
  signal: AbortSignal,
): Promise<void> {
  const reconciler = reconcilers[kind];
  if (reconciler === undefined) return;
  const state = desired();
  if (!isDecided(state)) {
    // What was done has changed the question; the next pass tells.
    pass.left++;
    return;
  }
  const objects = state.objects[kind];
  const isChosen = kinds.includes(kind);
  const isHeld = (action: Action) => !isChosen || !isPlanned({ kind, ...action });
  const round = await runRound(
    reconciler,
    objects,
    { isPresent: (key) => presence.has(key, kind), only, isHeld },
    signal,
  );
  const { planned, results, remaining } = round;
  presence.update(
    kind,
    presentKeys(
      objects.map(({ key }) => key),
      remaining,
    ),
  );
  if (!isChosen) return;
  const actions = new Map(planned.actions.map((action) => [action.key, action]));
  for (const result of results) {
    const action = actions.get(result.key);
    if (action === undefined) continue;
    const reason = whyStuck(action, result);
    if (reason !== undefined) {
      pass.stuck.push({ ...result, error: new Error(reason) });
      continue;
    }
    onAction({ kind, ...action }, result);
    if (result.outcome === 'done') pass.done++;
    if (result.outcome === 'failed') pass.failures.push(result);
  }
  const isOfThisHalf = ({ verb }: Action) => (verb === 'delete') === (only === 'deletions');
  pass.left += remaining.actions.filter(isOfThisHalf).length;
  if (only === 'additions') pass.conflicts.push(...remaining.foreign.filter(({ blocks }) => blocks));
}

function whyStuck({ verb, reason, requires }: Action, { outcome }: ActionResult): string | undefined {
  if (outcome === 'waiting') return `${verb} needs ${requires.join(', ')}`;
  return outcome === 'held' ? `${verb} is not in the plan: ${reason}` : undefined;
}
