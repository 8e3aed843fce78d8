/**
 * A process that writes one file over and over until it is killed, a dot on stdout for each write; with a
 * step number, one that kills itself before that step of its first write (half-way through, for the content).
 *
 *   node file-writer.js PATH [STEP]
 */
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { wholeContent } from './whole-file.js';

const [path = '', stepText] = process.argv.slice(2);

type Method = (...parameters: unknown[]) => Promise<unknown>;

/** Every call into node:fs/promises is a step. */
async function dieAt(step: number): Promise<void> {
  let steps = 0;
  const counting = (name: string, method: Method): Method =>
    async function (this: { write?: (text: string) => Promise<unknown> }, ...parameters) {
      if (++steps === step) {
        if (name === 'writeFile') await this.write?.(String(parameters[0]).slice(0, 5000));
        process.kill(process.pid, 'SIGKILL');
      }
      return method.apply(this, parameters);
    };
  const handle = await fs.open('/dev/null');
  const prototype = Object.getPrototypeOf(handle) as Record<string, Method>;
  await handle.close();
  const targets: readonly [Record<string, Method>, readonly string[]][] = [
    [
      fs as unknown as Record<string, Method>,
      ['chmod', 'lstat', 'mkdir', 'open', 'readdir', 'rename', 'rm', 'stat'],
    ],
    [prototype, ['chmod', 'sync', 'writeFile']],
  ];
  for (const [target, names] of targets) {
    for (const name of names) target[name] = counting(name, target[name] as Method);
  }
  syncBuiltinESMExports();
}

if (stepText !== undefined) await dieAt(Number(stepText));
const { systemFiles } = await import('../../src/sys/files.js');
for (let seed = 0; seed === 0 || stepText === undefined; seed++) {
  await systemFiles.write(path, wholeContent(seed), 0o644);
  process.stdout.write('.');
}
