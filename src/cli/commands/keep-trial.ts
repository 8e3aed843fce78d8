/**
 * The process behind `try`: it has left the terminal and the command that started it, and takes the change back whatever
 * becomes of those. Not for people: `try` starts it.
 */
import { Trial } from '../../runtime/rollback/trial.js';
import { recordedSubject, trialRecordPath } from '../../runtime/rollback/trial-record.js';
import { isDaemonAt } from '../ask-daemon.js';
import { readingArgument, socketPath, trialSocketPath } from '../config-argument.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import type { CommandContext } from '../session.js';
import { daemonSubject, hostSubject, type TrialQuestion } from '../trial-subjects.js';

export async function keepTrial(
  context: CommandContext,
  path: string,
  question: TrialQuestion,
): Promise<ExitCode> {
  const { control, clock, signal } = context;
  const { candidate } = question;
  const applied = { ...(await readingArgument(context, candidate ?? path)), file: path };
  const { instance } = applied.config;
  // All that takes back is loaded before anything is changed.
  const host = await context.host();
  const isFollowed = await isDaemonAt(context, socketPath(instance));
  const plain =
    isFollowed && candidate !== undefined
      ? daemonSubject(context, host, applied, { ...question, candidate })
      : hostSubject(context, host, applied, question);
  const startedAt = new Date(clock.now()).toISOString();
  const record = () => {
    const { file, pid, revertsAt } = trial.report();
    return { file, by: whoever(context), pid, startedAt, revertsAt };
  };
  const subject = recordedSubject(plain, context.files, trialRecordPath(instance), record);
  const trial = new Trial(subject, question.timeoutMs, clock, context.pid);
  const served = new AbortController();
  try {
    await control.serve(trialSocketPath(instance), trial.answer, served.signal);
    await trial.run(signal);
    return trial.report().phase === 'failed' ? EXIT.failed : EXIT.done;
  } finally {
    served.abort();
  }
}

/** As the environment has it: sudo(8), login(1) and sshd(8) leave it there. */
function whoever({ environment }: CommandContext): string {
  const { SUDO_USER, LOGNAME, USER, SSH_CONNECTION } = environment;
  const name = SUDO_USER ?? LOGNAME ?? USER ?? 'somebody';
  const [from] = SSH_CONNECTION?.split(' ') ?? [];
  return from === undefined ? name : `${name} from ${from}`;
}
