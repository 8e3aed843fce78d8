/**
 * What must hold in every world, stated of the commands' own output: apply does what diff announced, leaves nothing to
 * do, touches nothing foreign, and destroy leaves nothing of ours.
 */
import assert from 'node:assert/strict';
import type { ApplyDocument } from '../../src/cli/render-apply.js';
import { planSchema } from '../../src/config/plan-schema.js';
import { KINDS } from '../../src/model/objects.js';
import type { PlanDocument } from '../../src/model/plan-document.js';
import type { CommandResult } from './command-line.js';
import { isOnDevice, type Marks, shares, writtenFiles } from './marks.js';

export interface Bench {
  flannelette(verb: string, ...options: readonly string[]): Promise<CommandResult>;
  /** Where diff saves its plan, and apply takes it from. Absent: apply makes its own. */
  readonly savedPlan?: string;
  /** The world, in the words that marks.ts reads. */
  lines(): Promise<readonly string[]>;
  /** Runs `body` and tells what was written meanwhile, by whomever. */
  writesDuring(body: () => Promise<void>): Promise<readonly string[]>;
  /** Runs an apply, and objects when the world saw other changes than `announced`. */
  watchApply(announced: readonly PlannedAction[], body: () => Promise<void>): Promise<void>;
}

export type PlannedAction = PlanDocument['actions'][number];

/** What became of one world, for counting. */
export interface Course {
  readonly verdict: 'undecided' | 'in sync' | 'converged' | 'conflict';
  readonly announced: readonly PlannedAction[];
  readonly foreign: PlanDocument['foreign'];
}

/** `ideal` are the lines of a host that is as wanted: where nothing is in the way, apply must lead there. */
export async function checkWorld(bench: Bench, marks: Marks, ideal?: readonly string[]): Promise<Course> {
  const before = await bench.lines();
  const plan = await diff(bench);
  if (plan === undefined) {
    await assertSilent(bench, 'an apply of nothing', async () => {
      assert.equal((await apply(bench, false)).outcome, 'undecided');
    });
    assert.deepEqual(await bench.lines(), before);
    return { verdict: 'undecided', announced: [], foreign: [] };
  }

  const announced = attainable(plan);
  await bench.watchApply(announced, async () => {
    const { outcome, actions } = await apply(bench);
    assert.equal(outcome, inTheWay(plan).length > 0 ? 'conflict' : 'converged');
    assertAsAnnounced(actions, announced);
  });
  const after = await bench.lines();
  assertForeignKept(before, after, marks, announced);
  if (ideal !== undefined && inTheWay(plan).length === 0) assertIdeal(after, ideal, marks);

  const again = await diff(bench);
  const waiting = plan.actions.filter((action) => !announced.includes(action));
  assert.deepEqual(
    again?.actions.map(name),
    waiting.map(name),
    'after apply diff shows more than what waits',
  );
  assert.deepEqual(inTheWay(again), inTheWay(plan), 'after apply other foreign objects are in the way');
  await assertSilent(bench, 'a second apply', async () => {
    assert.deepEqual((await apply(bench)).actions, []);
  });

  await destroyed(bench, marks, after);
  const verdict =
    inTheWay(plan).length > 0 ? 'conflict' : plan.actions.length === 0 ? 'in sync' : 'converged';
  return { verdict, announced, foreign: plan.foreign };
}

/** The plan, from a diff that must not write anything. Undefined when nothing can be wanted. */
async function diff(bench: Bench): Promise<PlanDocument | undefined> {
  let result: CommandResult | undefined;
  await assertSilent(bench, 'diff', async () => {
    const out = bench.savedPlan === undefined ? [] : ['--out', bench.savedPlan];
    result = await bench.flannelette('diff', '-o', 'json', ...out);
  });
  if (result?.exitCode === 2 && result.stderr.startsWith('Cannot plan:')) return undefined;
  assert.ok(result?.stdout, `diff printed no plan: ${result?.stderr}`);
  const plan = JSON.parse(result.stdout) as PlanDocument;
  planSchema.parse(plan);
  const drift = plan.actions.length > 0 ? 1 : 0;
  assert.equal(result.exitCode, inTheWay(plan).length > 0 ? 7 : drift, 'the exit code of diff');
  return plan;
}

/** By the plan that the last diff saved, where the bench saves any; there is none of what cannot be wanted. */
async function apply(bench: Bench, hasPlan = true): Promise<ApplyDocument> {
  const isSaved = hasPlan && bench.savedPlan !== undefined;
  const how = isSaved ? ['--plan', bench.savedPlan] : ['--allow-renumber'];
  const { stdout, stderr } = await bench.flannelette('apply', '-o', 'json', ...how);
  assert.ok(stdout, `apply printed no result: ${stderr}`);
  return JSON.parse(stdout) as ApplyDocument;
}

async function assertSilent(bench: Bench, what: string, body: () => Promise<void>): Promise<void> {
  assert.deepEqual(await bench.writesDuring(body), [], `${what} wrote something`);
}

/** Without remarks on what is beside what is wanted: an apply may well be what they ask for. */
function inTheWay(plan: PlanDocument | undefined): PlanDocument['foreign'] {
  return (plan?.foreign ?? []).filter(({ blocks }) => blocks);
}

/** What can be done of a plan: all but what needs something that is in foreign hands, itself or through others. */
function attainable(plan: PlanDocument): readonly PlannedAction[] {
  const missing = new Set(inTheWay(plan).map(({ key }) => key));
  // Kinds are planned in the order in which they need each other, so one pass finds all.
  return plan.actions.filter(({ verb, key, requires }) => {
    const isAttainable = !requires.some((needed) => missing.has(needed));
    if (!isAttainable && verb === 'create') missing.add(key);
    return isAttainable;
  });
}

/** The same actions in every field; what is added comes in the plan's order, what is deleted backwards and after it. */
function assertAsAnnounced(done: ApplyDocument['actions'], announced: readonly PlannedAction[]): void {
  const outcomes = done.map(({ outcome, error }) => (error === undefined ? outcome : `${outcome}: ${error}`));
  assert.deepEqual(
    outcomes,
    done.map(() => 'done'),
  );
  const carriedOut: readonly PlannedAction[] = done.map(({ outcome: _, ...action }) => action);
  const isDelete = ({ verb }: PlannedAction) => verb === 'delete';
  const deletes = KINDS.toReversed().flatMap((kind) =>
    announced.filter((action) => action.kind === kind && isDelete(action)),
  );
  const phases = [...announced.filter((action) => !isDelete(action)), ...deletes];
  assert.deepEqual(carriedOut, phases, 'apply did something else than diff had announced');
  assert.equal(JSON.stringify(carriedOut), JSON.stringify(phases), 'the same in another order of its fields');
}

function assertForeignKept(
  before: readonly string[],
  after: readonly string[],
  marks: Marks,
  announced: readonly PlannedAction[],
): void {
  // What others put onto a device of ours goes with it; and the network in the store is everybody's.
  const isRemade = announced.some(
    ({ kind, interrupts, before: state }) =>
      kind === 'link' && interrupts && (state as { name: string }).name === marks.name,
  );
  const isPublished = announced.some(({ kind }) => kind === 'network-config');
  const kept = (lines: readonly string[]) =>
    shares(lines, marks)
      .foreign.filter((line) => !isRemade || !isOnDevice(line, marks))
      .filter((line) => !isPublished || !line.startsWith('store config '));
  assert.deepEqual(kept(after), kept(before), 'apply changed something foreign');
}

/** Told by what stands there alone: a comparison that overlooks something overlooks it in every diff. */
function assertIdeal(after: readonly string[], ideal: readonly string[], marks: Marks): void {
  // What others made serves as well when it says the same: a route, or flanneld's chain.
  const inWhoeversHand = (line: string) => line.replace(/^(chain .*) by .*$|^(route .*) proto \S+/, '$1$2');
  const there = new Set(after.map(inWhoeversHand));
  // A new device's setting is not printed while it is as the default has it.
  const ofDefault = (line: string) => line.replace(/ipv4\.conf\.[^.]+\./, 'ipv4.conf.default.');
  assert.deepEqual(
    ideal.filter((line) => !there.has(inWhoeversHand(line)) && !there.has(ofDefault(line))),
    [],
    'after apply something is not as wanted',
  );
  const wanted = new Set(ideal);
  // Not the store, whose leases are not the host's alone, nor what the kernel adds to an operator's address.
  const isHosts = (line: string) =>
    /^(link|address|route|table|chain) /.test(line) && !line.includes(' proto kernel');
  assert.deepEqual(
    shares(after, marks).ours.filter((line) => isHosts(line) && !wanted.has(line)),
    [],
    'after apply something of ours is there that is not wanted',
  );
}

async function destroyed(bench: Bench, marks: Marks, before: readonly string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await bench.flannelette('destroy', '--lease');
  assert.equal(exitCode, 0, `${stdout}${stderr}`);
  const after = await bench.lines();
  const offDevice = (lines: readonly string[]) => lines.filter((line) => !isOnDevice(line, marks));
  assert.deepEqual(
    offDevice(shares(after, marks).foreign),
    offDevice(shares(before, marks).foreign),
    'destroy changed something foreign',
  );
  // Settings are never set back: somebody else may count on them by now. What this host published is remembered. And
  // a file that somebody else wrote is theirs, even where ours would say the same.
  const written = new Set(writtenFiles(before, marks));
  const isOthers = (line: string) =>
    /\/(subnet\.env|docker) /.test(line) && before.includes(line) && !written.has(line);
  const left = shares(after, marks).ours.filter(
    (line) => !/^sysctl |^file \S+\/published\.json /.test(line) && !isOthers(line),
  );
  assert.deepEqual(left, [], 'destroy left something of ours');
  const kept = before.filter((line) => line.startsWith('file ') && isOthers(line));
  assert.deepEqual(
    kept.filter((line) => !after.includes(line)),
    [],
    "destroy removed somebody else's file",
  );
}

function name({ kind, verb, key }: PlannedAction): string {
  return `${kind}: ${verb} ${key}`;
}
