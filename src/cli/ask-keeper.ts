/** The keeper of a trial, asked over its socket. */
import type { InstanceSection } from '../model/config.js';
import type { TrialReport } from '../model/trial.js';
import { type ControlReply, PrivilegeError } from '../ports.js';
import { answerAt, NoAnswerError } from './ask-daemon.js';
import { trialSocketPath } from './config-argument.js';
import type { CommandContext } from './session.js';

/** Undefined when nothing is kept. */
export async function trialReport(
  context: CommandContext,
  instance: InstanceSection,
): Promise<TrialReport | undefined> {
  const reply = await answerAt(context, trialSocketPath(instance), { method: 'GET', path: '/trial' });
  return reply && (JSON.parse(reply.body) as TrialReport);
}

/** Status 202 when the word counts, 409 when it comes too late; undefined when nothing is kept. */
export function sayToKeeper(
  context: CommandContext,
  instance: InstanceSection,
  path: '/confirm' | '/rollback',
): Promise<ControlReply | undefined> {
  return answerAt(context, trialSocketPath(instance), { method: 'POST', path });
}

/** A keeper that is stopped is there all the same, and so is one that answers root alone. */
export async function isTrialKept(context: CommandContext, instance: InstanceSection): Promise<boolean> {
  try {
    return (await trialReport(context, instance)) !== undefined;
  } catch (error) {
    if (error instanceof NoAnswerError || error instanceof PrivilegeError) return true;
    throw error;
  }
}
