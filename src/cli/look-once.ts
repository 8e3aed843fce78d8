/** The first step of every one-shot command: one look at the store and at the host. */
import { type DesiredState, isDecided } from '../model/desired.js';
import { CommandError, EXIT } from './exit-codes.js';
import type { Session } from './session.js';

/** Reads store and host once; throws CommandError when nothing can be wanted yet. */
export async function lookOnce({ access, inputs }: Session, signal: AbortSignal): Promise<DesiredState> {
  await access.refresh(signal);
  await inputs.observeHost();
  const state = inputs.state();
  if (!isDecided(state)) throw new CommandError(`Cannot plan: ${state.reason}`, EXIT.failed);
  return state;
}
