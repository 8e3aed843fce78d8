/** A change on trial: in force until it is confirmed, taken back when nobody confirms it in time. */

/**
 * `applying` and `reverting` are under way. `on-trial`: in force, and waiting for a word. `confirmed`, `reverted` and
 * `failed` are the end; `failed`: it never came into force, or could not be taken back in full.
 */
export type TrialPhase = 'applying' | 'on-trial' | 'confirmed' | 'reverting' | 'reverted' | 'failed';

/** What the keeper of a trial says of it. */
export interface TrialReport {
  readonly phase: TrialPhase;
  /** The configuration on trial, as an absolute path. */
  readonly file: string;
  /** The keeper's process. */
  readonly pid: number;
  /** When it is taken back, RFC 3339 in UTC. */
  readonly revertsAt: string;
  /** Why it ended as it did; may be empty. */
  readonly message: string;
  /** What is not as it was before; empty unless something could not be taken back. */
  readonly problems: readonly string[];
}

export function isOver({ phase }: TrialReport): boolean {
  return phase === 'confirmed' || phase === 'reverted' || phase === 'failed';
}

/** What the keeper of a trial leaves for others to read, for as long as it keeps it. */
export interface TrialRecord extends Pick<TrialReport, 'file' | 'pid' | 'revertsAt'> {
  /** Who has begun it, in words. */
  readonly by: string;
  /** RFC 3339 in UTC. */
  readonly startedAt: string;
}

/** A trial as others see it: `abandoned` when it should long be over, so that nobody keeps it any more. */
export interface TrialStanding extends TrialRecord {
  readonly state: 'on-trial' | 'abandoned';
}

/** So long its keeper may take to put everything back. */
const REVERTING_MS = 35_000;

export function trialStanding(record: TrialRecord, nowMs: number): TrialStanding {
  const isOverdue = nowMs > Date.parse(record.revertsAt) + REVERTING_MS;
  return { ...record, state: isOverdue ? 'abandoned' : 'on-trial' };
}

/** What it is, until when, and what ends it. */
export function trialText({ state, file, by, pid, startedAt, revertsAt }: TrialStanding): string {
  const begun = `begun by ${by} at ${startedAt}`;
  const ends = '`flannelette confirm` keeps it, `flannelette rollback` takes it back';
  if (state === 'on-trial') return `${file} is on trial until ${revertsAt}, ${begun}: ${ends} at once`;
  return `${file} was on trial until ${revertsAt}, ${begun}, and process ${pid} has not taken it back: ${ends}`;
}
