/** Runs a program of the host to its end and keeps what it printed. What its exit code means is the caller's affair. */
import { type ChildProcess, spawn } from 'node:child_process';
import { SystemError } from '../ports.js';

export interface Command {
  /** Looked up in PATH and in the system directories. */
  readonly program: string;
  readonly args: readonly string[];
  /** Written to the standard input, which is then closed; without it the standard input is empty. */
  readonly input?: string;
  /** Beside this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Then the program is killed with all that it has started, and the call rejects with ETIMEDOUT. */
  readonly deadlineMs: number;
}

export interface ProgramOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export type RunProgram = (command: Command, signal: AbortSignal) => Promise<ProgramOutput>;

// A user's PATH often lacks these, and firewall programs live in them.
const SYSTEM_DIRECTORIES = '/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin';

/** UTF-16 units of each output, give or take one read; what comes after is dropped. A ruleset of thousands of rules takes less. */
const MOST_OUTPUT = 32 * 1024 * 1024;

/** What was printed before the end is in the pipe by then; something that goes on in the background may hold the pipe for ever. */
const REST_OF_OUTPUT_MS = 200;

/**
 * Done when the program itself has ended, whatever it leaves running in the background. Resolves with any exit code. Rejects with SystemError when the program cannot be started (ENOENT: it is not
 * installed), is killed by somebody (EINTR) or misses its deadline (ETIMEDOUT), and with the reason of
 * `signal` on abort; the program is killed then, with its process group.
 */
export const runProgram: RunProgram = (command, signal) => {
  const { program, args, input, env, deadlineMs } = command;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      // A process group of its own, to be killed as one.
      detached: true,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      // Messages are told apart by their English text.
      env: { ...process.env, PATH: `${process.env.PATH ?? ''}:${SYSTEM_DIRECTORIES}`, LC_ALL: 'C', ...env },
    });
    const kill = (reason: unknown) => {
      killGroup(child);
      settle(() => reject(reason));
    };
    const onAbort = () => kill(signal.reason);
    const timer = setTimeout(() => {
      kill(new SystemError(`Cannot wait for "${program}": not done after ${deadlineMs} ms`, 'ETIMEDOUT'));
    }, deadlineMs);
    signal.addEventListener('abort', onAbort, { once: true });
    let rest: NodeJS.Timeout | undefined;
    const settle = (outcome: () => void) => {
      clearTimeout(timer);
      clearTimeout(rest);
      for (const pipe of child.stdio) pipe?.destroy();
      signal.removeEventListener('abort', onAbort);
      outcome();
    };

    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length < MOST_OUTPUT) stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < MOST_OUTPUT) stderr += text;
    });
    // A program that does not read its input closes the pipe: its exit code tells more than EPIPE.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);

    child.once('error', (cause) => settle(() => reject(startError(program, cause))));
    const end = (code: number | null, killedBy: NodeJS.Signals | null) => {
      if (code !== null) settle(() => resolve({ code, stdout, stderr }));
      else settle(() => reject(new SystemError(`Cannot run "${program}": ended by ${killedBy}`, 'EINTR')));
    };
    child.once('exit', (code, killedBy) => {
      // After one more look at the pipes: this process may have had no time for them all the while.
      rest = setTimeout(() => setImmediate(end, code, killedBy), REST_OF_OUTPUT_MS);
    });
    child.once('close', end);
  });
};

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // ESRCH: all of it has ended.
  }
}

function startError(program: string, cause: NodeJS.ErrnoException): SystemError {
  const code = cause.code ?? 'EIO';
  const why = code === 'ENOENT' ? 'it is not installed' : cause.message;
  return new SystemError(`Cannot run "${program}": ${why} (${code})`, code, { cause });
}
