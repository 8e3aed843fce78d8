/** A process that writes a file and is killed at it: test/lab/file-writer.ts, from outside. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const WRITER = fileURLToPath(new URL('./file-writer.js', import.meta.url));

/** The signal that ended a writer told to die at `step` of its first write; null when that has fewer steps. */
export function diedAt(path: string, step: number): Promise<NodeJS.Signals | null> {
  const writer = spawn(process.execPath, [WRITER, path, String(step)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return new Promise((resolve) => writer.on('exit', (_, signal) => resolve(signal)));
}

/** Kills a writer after so many writes, whatever it is at then; `eachTime` is called at least once for each that was done before. */
export async function killedAfter(path: string, writes: number, eachTime: () => void): Promise<void> {
  const writer = spawn(process.execPath, [WRITER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => writer.on('exit', () => resolve()));
  try {
    let done = 0;
    for await (const dots of writer.stdout) {
      eachTime();
      done += dots.length;
      if (done >= writes) break;
    }
    if (done < writes) throw new Error(`The writer ended after ${done} writes, must do ${writes}`);
  } finally {
    writer.kill('SIGKILL');
    await ended;
  }
}
