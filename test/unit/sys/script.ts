/** A process of its own that runs a few lines against one compiled module of src/sys. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';

const DEADLINE_MS = 10_000;

export class Script {
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;

  /** `lines` may use what `module` exports under the name `sys`. Its standard output goes to the file `output` where given. */
  constructor(module: string, lines: string, output?: string) {
    const url = new URL(`../../../src/sys/${module}.js`, import.meta.url).href;
    const text = `import * as sys from ${JSON.stringify(url)};\n${lines}`;
    const limits = { timeout: DEADLINE_MS, killSignal: 'SIGKILL' } as const;
    const file = output === undefined ? undefined : openSync(output, 'w');
    this.#child = spawn(process.execPath, ['--input-type=module', '--eval', text], {
      ...limits,
      stdio: ['pipe', file ?? 'pipe', 'pipe'],
    });
    if (file !== undefined) closeSync(file);
    this.#child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      this.stdout += part;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (part: string) => {
      this.stderr += part;
    });
    this.#closed = once(this.#child, 'close');
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Closes our end of its standard output. */
  stopReading(): void {
    this.#child.stdout?.destroy();
  }

  /** Resolves once `text` stands in the standard output; rejects when the process ends without it. */
  async saying(text: string): Promise<void> {
    while (!this.stdout.includes(text)) {
      const ended = this.#closed.then(() => true);
      const heard = once(this.#child.stdout as NonNullable<ChildProcess['stdout']>, 'data').then(() => false);
      if ((await Promise.race([ended, heard])) && !this.stdout.includes(text)) {
        throw new Error(`Cannot hear "${text}": the script ended\n${this.stdout}${this.stderr}`);
      }
    }
  }

  /** Its exit code, or the signal that ended it: SIGKILL after 10 s. */
  async ended(): Promise<number | NodeJS.Signals | null> {
    await this.#closed;
    return this.#child.signalCode ?? this.#child.exitCode;
  }

  /** For the end of a test, however that came. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

export async function withScript<T>(
  module: string,
  lines: string,
  body: (script: Script) => Promise<T>,
  output?: string,
): Promise<T> {
  const script = new Script(module, lines, output);
  try {
    return await body(script);
  } finally {
    script.kill();
  }
}
