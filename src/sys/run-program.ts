/** Runs a program of the host to its end and keeps what it printed. What its exit code means is the caller's affair. */
import { spawn } from 'node:child_process';
import { SystemError } from '../ports.js';

export interface Command {
  /** Looked up in PATH and in the system directories. */
  readonly program: string;
  readonly args: readonly string[];
  /** Written to the standard input, which is then closed; without it the standard input is empty. */
  readonly input?: string;
  /** Beside this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Then the program is killed and the call rejects with ETIMEDOUT. */
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

/**
 * Resolves with any exit code. Rejects with SystemError when the program cannot be started (ENOENT: it is not
 * installed), is killed by somebody (EINTR) or misses its deadline (ETIMEDOUT), and with the reason of
 * `signal` on abort; the program is killed then.
 */
export const runProgram: RunProgram = (command, signal) => {
  const { program, args, input, env, deadlineMs } = command;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      // Messages are told apart by their English text.
      env: { ...process.env, PATH: `${process.env.PATH ?? ''}:${SYSTEM_DIRECTORIES}`, LC_ALL: 'C', ...env },
    });
    const kill = (reason: unknown) => {
      child.kill('SIGKILL');
      settle(() => reject(reason));
    };
    const onAbort = () => kill(signal.reason);
    const timer = setTimeout(() => {
      kill(new SystemError(`Cannot wait for "${program}": not done after ${deadlineMs} ms`, 'ETIMEDOUT'));
    }, deadlineMs);
    signal.addEventListener('abort', onAbort, { once: true });
    const settle = (outcome: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      outcome();
    };

    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    // A program that does not read its input closes the pipe: its exit code tells more than EPIPE.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);

    child.once('error', (cause) => settle(() => reject(startError(program, cause))));
    child.once('close', (code, killedBy) => {
      if (code !== null) settle(() => resolve({ code, stdout, stderr }));
      else settle(() => reject(new SystemError(`Cannot run "${program}": ended by ${killedBy}`, 'EINTR')));
    });
  });
};

function startError(program: string, cause: NodeJS.ErrnoException): SystemError {
  const code = cause.code ?? 'EIO';
  const why = code === 'ENOENT' ? 'it is not installed' : cause.message;
  return new SystemError(`Cannot run "${program}": ${why} (${code})`, code, { cause });
}
