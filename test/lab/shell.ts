/** A shell that stays open inside namespaces of the lab: a command costs itself, not the way in. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Holder } from './holder.js';

const ANSWER_MS = 30_000;

export class Shell {
  readonly #process: ChildProcess;
  #printed = '';
  #onEnd: ((code: number) => void) | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(inside: Pick<Holder, 'inside'>) {
    const argv = ['--pdeathsig', 'KILL', '--', ...inside.inside(['sh'])];
    this.#process = spawn('setpriv', argv, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH, LC_ALL: 'C' },
    });
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    // Whoever waits for an answer then is told by its deadline.
    this.#process.stdin?.on('error', () => {});
  }

  /** What `script` printed, errors included. Rejects when its last command failed. One after the other. */
  run(script: string): Promise<string> {
    const answer = this.#turn.then(() => this.#ask(script));
    this.#turn = answer.catch(() => {});
    return answer;
  }

  /** May be called again. */
  async close(): Promise<void> {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) return;
    const gone = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    await gone;
  }

  async #ask(script: string): Promise<string> {
    this.#printed = '';
    const code = await new Promise<number>((resolve, reject) => {
      const late = () => reject(new Error(`Cannot run "${script}": no end after ${ANSWER_MS} ms`));
      const timer = setTimeout(late, ANSWER_MS);
      this.#onEnd = (ended) => {
        clearTimeout(timer);
        resolve(ended);
      };
      this.#process.stdin?.write(`{\n${script}\n} </dev/null 2>&1\necho "${END}$?"\n`);
    });
    const printed = this.#printed.slice(0, this.#printed.lastIndexOf(END));
    if (code !== 0) throw new Error(`"${script}" ended with ${code}, must be 0: ${printed}`);
    return printed;
  }

  #read(text: string): void {
    this.#printed += text;
    const code = new RegExp(`${END}(\\d+)\\n`).exec(this.#printed)?.[1];
    if (code !== undefined) this.#onEnd?.(Number(code));
  }
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** No program prints it. */
const END = '\x01end ';
