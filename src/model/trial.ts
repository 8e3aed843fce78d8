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
