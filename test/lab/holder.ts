/**
 * Namespaces of their own, kept by one process that does nothing else. Everything started in them is ended by
 * close(); the kernel takes the namespaces away with their last process. Nothing is named on the machine.
 */
import { readdir, readlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { LongProcess, outputOf, type ProcessResult, type RunOptions, runProcess } from './process.js';

const START_MS = 10_000;
const LONGEST_END_MS = 3000;

export class Holder {
  readonly #keeper: LongProcess;
  readonly #running: LongProcess[] = [];
  readonly #inner: Holder[] = [];

  protected constructor(keeper: LongProcess) {
    this.#keeper = keeper;
  }

  /** The process that keeps the namespaces: `nsenter -t PID -n -m -u` leads into them. */
  get pid(): number {
    return this.#keeper.pid;
  }

  /** Runs to the end inside. Rejects only when that cannot be done, or not in time. */
  run(argv: readonly string[], options?: RunOptions): Promise<ProcessResult> {
    return runProcess(this.inside(argv), options);
  }

  /** The standard output; rejects with what was printed unless the program exits with 0. */
  output(argv: readonly string[], options?: RunOptions): Promise<string> {
    return outputOf(this.inside(argv), options);
  }

  /** Runs a shell script inside, up to its first failing command. */
  script(text: string, options?: RunOptions): Promise<string> {
    return this.output(['sh', '-euc', text], options);
  }

  /** Starts a program that goes on until it is stopped, at the latest by close(). */
  spawn(argv: readonly string[], options?: RunOptions): LongProcess {
    const process = new LongProcess(this.inside(argv), options);
    this.#running.push(process);
    return process;
  }

  /** The command line that runs `argv` inside. The cgroups stay the machine's own. */
  inside(argv: readonly string[]): readonly string[] {
    return ['nsenter', '--target', String(this.pid), '--net', '--mount', '--uts', '--', ...argv];
  }

  /** Hands over namespaces that must not outlive these: close() closes them first. */
  own<T extends Holder>(inner: T): T {
    this.#inner.push(inner);
    return inner;
  }

  /** Ends all that runs inside. Rejects, having ended them too, when there were processes that nobody had told it of. */
  async close(): Promise<void> {
    const ends = await Promise.allSettled(this.#inner.map((inner) => inner.close()));
    await Promise.allSettled(this.#running.map((process) => process.stop()));
    const strays = this.#keeper.isRunning ? await this.#lastingStrays() : [];
    for (const pid of strays) process.kill(pid, 'SIGKILL');
    this.#keeper.signal('SIGKILL');
    await this.#keeper.exited;
    if (strays.length > 0) throw new Error(`Processes were left in a namespace: ${strays.join(', ')}`);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  /** A process that a test has made end without being its parent may take a moment more. */
  async #lastingStrays(): Promise<number[]> {
    const end = performance.now() + LONGEST_END_MS;
    for (;;) {
      const strays = await this.#strays();
      if (strays.length === 0 || performance.now() >= end) return strays;
      await sleep(50);
    }
  }

  async #strays(): Promise<number[]> {
    const home = await networkOf(this.pid);
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
    const found = await Promise.all(
      pids.map(async (pid) => (await networkOf(pid)) === home && pid !== this.pid),
    );
    return pids.filter((_, index) => found[index]);
  }
}

/** Starts the keeper; resolves once `setup` has run inside. `unshare` names the namespaces as unshare(1) does. */
export async function startKeeper(
  unshare: readonly string[],
  setup: string,
  within: Holder | undefined,
): Promise<LongProcess> {
  const argv = ['unshare', ...unshare, '--', 'sh', '-euc', `${setup}\necho up\nexec sleep infinity`];
  const keeper = new LongProcess(within?.inside(argv) ?? argv);
  try {
    await keeper.waitForLine(/^up$/, START_MS);
  } catch (cause) {
    keeper.signal('SIGKILL');
    throw new Error('Cannot make namespaces: run this as root', { cause });
  }
  return keeper;
}

async function networkOf(pid: number): Promise<string | undefined> {
  try {
    return await readlink(`/proc/${pid}/ns/net`);
  } catch {
    // Ended meanwhile.
    return undefined;
  }
}
