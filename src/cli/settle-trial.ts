/** What a trial has left whose keeper is gone. */
import { trialRecordPath } from '../runtime/rollback/trial-record.js';
import { isTrialKept } from './ask-keeper.js';
import { trialSocketPath } from './config-argument.js';
import type { CommandContext } from './session.js';
import { TrialFile } from './trial-file.js';

/** A file that nobody has confirmed, and whose keeper went with a reboot, is not what this host is to be: puts the former one back. */
export async function settleTrial(context: CommandContext, path: string): Promise<void> {
  const file = new TrialFile(context, path);
  if (!(await file.isOnTrial())) return;
  const reading = await context.readConfig(path);
  const instance = 'config' in reading ? reading.config.instance : undefined;
  // Nobody keeps one that cannot be read: it would never have been in force.
  if (instance !== undefined && (await isTrialKept(context, instance))) return;
  if (!(await file.putBack())) return;
  if (instance !== undefined) {
    await context.files.remove(trialRecordPath(instance));
    await context.files.remove(trialSocketPath(instance));
  }
  context.err(`Put back ${path}: what was on trial there was never confirmed\n`);
}
