/**
 * Child processes of a test: bounded in time, killed by the kernel when the test process dies, whatever it
 * dies of, and quoted in the error when they disappoint.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { constants } from 'node:os';

export interface ProcessResult {
  /** The exit code, or 128 plus the signal's number as a shell has it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly timeoutMs?: number;
  /** Written to the standard input, which is then closed. */
  readonly input?: string;
  /** Added to the small fixed environment: nothing of the caller's own gets through. */
  readonly environment?: Readonly<Record<string, string>>;
}

const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
  NO_COLOR: '1',
  // Debian's etcdctl 3.4 speaks the old protocol unless told.
  ETCDCTL_API: '3',
};
const QUOTED_LINES = 30;

/** Runs to the end. Rejects when the program cannot be started or is not done in time (10 s unless given); then it is killed. */
export async function runProcess(argv: readonly string[], options: RunOptions = {}): Promise<ProcessResult> {
  const { timeoutMs = 10_000, input = '' } = options;
  const child = start(argv, options, 'pipe');
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
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  try {
    const code = await exitCode(child);
    if (isLate) {
      throw new Error(
        `Cannot wait for "${argv.join(' ')}": not done after ${timeoutMs} ms\n${tail(stdout + stderr)}`,
      );
    }
    return { code, stdout, stderr };
  } finally {
    clearTimeout(timer);
  }
}

/** What the program printed on its standard output. Rejects, quoting both outputs, unless it exits with 0. */
export async function outputOf(argv: readonly string[], options?: RunOptions): Promise<string> {
  const { code, stdout, stderr } = await runProcess(argv, options);
  if (code !== 0)
    throw new Error(`"${argv.join(' ')}" exited with ${code}, must be 0\n${tail(stdout + stderr)}`);
  return stdout;
}

/** A program that runs until it is told to stop; both its outputs are kept, line by line, in the order they came. */
export class LongProcess {
  readonly pid: number;
  /** Resolves with the exit code once the program is gone and all its output is here. */
  readonly exited: Promise<number>;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #changes = new EventEmitter();
  #code: number | undefined;

  constructor(
    readonly argv: readonly string[],
    options: RunOptions = {},
  ) {
    this.#child = start(argv, options, 'ignore');
    this.pid = this.#child.pid ?? 0;
    this.#changes.setMaxListeners(0);
    for (const stream of [this.#child.stdout, this.#child.stderr]) this.#readLines(stream);
    this.exited = exitCode(this.#child).then((code) => {
      this.#code = code;
      this.#changes.emit('change');
      return code;
    });
    // A program that cannot be started is reported by whoever waits for it.
    this.exited.catch(() => {});
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  get isRunning(): boolean {
    return this.#code === undefined;
  }

  /** The first line that matches, also one printed before the call; `from` skips that many lines. */
  async waitForLine(pattern: RegExp, timeoutMs: number, from = 0): Promise<string> {
    const deadline = AbortSignal.timeout(timeoutMs);
    for (let next = from; ; ) {
      for (; next < this.#lines.length; next++) {
        const line = this.#lines[next] ?? '';
        if (pattern.test(line)) return line;
      }
      if (this.#code !== undefined) throw this.#disappointment(pattern, `it exited with ${this.#code}`);
      try {
        await Promise.race([once(this.#changes, 'change', { signal: deadline }), this.exited]);
      } catch (error) {
        throw this.#disappointment(pattern, deadline.aborted ? `${timeoutMs} ms are over` : String(error));
      }
    }
  }

  signal(name: NodeJS.Signals): void {
    if (this.isRunning) this.#child.kill(name);
  }

  /** Asks by SIGTERM, kills after `graceMs`, and resolves with the exit code. May be called again. */
  async stop(graceMs = 5000): Promise<number> {
    this.signal('SIGTERM');
    // One that was stopped by SIGSTOP hears nothing else.
    this.signal('SIGCONT');
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  #readLines(stream: NodeJS.ReadableStream | null): void {
    let rest = '';
    stream?.setEncoding('utf8');
    stream?.on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      this.#lines.push(...parts);
      this.#changes.emit('change');
    });
    stream?.on('end', () => {
      if (rest !== '') this.#lines.push(rest);
    });
  }

  #disappointment(pattern: RegExp, why: string): Error {
    const said = tail(this.#lines.join('\n'));
    return new Error(`"${this.argv.join(' ')}" printed no line like ${pattern}, and ${why}\n${said}`);
  }
}

function start(argv: readonly string[], options: RunOptions, stdin: 'pipe' | 'ignore'): ChildProcess {
  // The mark outlives the exec calls of nsenter and unshare, so it reaches the program itself (prctl(2)).
  return spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], {
    stdio: [stdin, 'pipe', 'pipe'],
    env: { ...ENVIRONMENT, ...options.environment },
  });
}

function exitCode(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

function tail(text: string): string {
  return text.trimEnd().split('\n').slice(-QUOTED_LINES).join('\n');
}
