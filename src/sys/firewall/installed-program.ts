/** Programs of the firewall that a host may do without. */
import { SystemError } from '../../ports.js';
import type { Command, ProgramOutput, RunProgram } from '../run-program.js';

const DEADLINE_MS = 10_000;

/** Undefined when the program is not installed: then it has made no rule. Rejects as RunProgram does otherwise. */
export async function outputIfInstalled(
  run: RunProgram,
  command: Omit<Command, 'deadlineMs'>,
  signal: AbortSignal,
): Promise<ProgramOutput | undefined> {
  try {
    return await run({ ...command, deadlineMs: DEADLINE_MS }, signal);
  } catch (error) {
    if (error instanceof SystemError && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
