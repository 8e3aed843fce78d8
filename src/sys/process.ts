/** This process: its name, its signals, its end. */
import { spawn } from 'node:child_process';
import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A file that comes with this program: the root is three directories above the compiled file's own. */
export function packagedPath(path: string): string {
  return fileURLToPath(new URL(`../../../${path}`, import.meta.url));
}

export function packageVersion(): string {
  const text = readFileSync(packagedPath('package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

export const absolutePath = (path: string): string => resolve(path);

export const processId = process.pid;

export const processEnvironment: Readonly<Record<string, string | undefined>> = process.env;

export function isTerminal(): boolean {
  return process.stdout.isTTY === true;
}

export function stdoutText(text: string): void {
  process.stdout.write(text);
}

export function stderrText(text: string): void {
  process.stderr.write(text);
}

let onOutputError: ((error: NodeJS.ErrnoException) => void) | undefined;

/**
 * From now on, that nobody reads what is written to standard output ends the process quietly, with its exit code so far,
 * else 0; that it cannot be written, on a full disk, ends it with `failedCode`.
 */
export function endWithOutput(failedCode: number): void {
  onOutputError = ({ code, message }) => {
    if (code === 'EPIPE') process.exit();
    process.stderr.write(`Cannot write to standard output: ${message}\n`);
    process.exit(failedCode);
  };
  process.stdout.on('error', onOutputError);
}

/** From now on only whoever writes is told of it. */
export function leaveOutputErrors(): void {
  if (onOutputError !== undefined) process.stdout.off('error', onOutputError);
  process.stdout.on('error', () => {});
}

/**
 * Ends the process as soon as everything is written. Not left to the event loop: a socket that is still
 * connecting, such as gRPC's to a silent store, would hold it for two minutes.
 */
export async function endProcess(exitCode: number): Promise<never> {
  process.exitCode = exitCode;
  await Promise.all([written(process.stdout), written(process.stderr)]);
  process.exit();
}

function written(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}

/** This program with other arguments, as the leader of a session of its own (setsid(2)): no hang-up of ours reaches it. */
export function startDetached(argv: readonly string[]): void {
  const [program = '', script = ''] = [process.execPath, process.argv[1]];
  const child = spawn(program, [...process.execArgv, script, ...argv], {
    detached: true,
    stdio: 'ignore',
    cwd: '/',
  });
  // That it did not start is told by its not answering.
  child.on('error', () => {});
  child.unref();
}

const TERMINATIONS = ['SIGINT', 'SIGTERM'] as const;

/** Aborts at the first SIGINT or SIGTERM; a second one ends the process at once, as it would without us. */
export function terminationSignal(): AbortSignal {
  const controller = lastingAbort();
  const end = (name: NodeJS.Signals) => {
    for (const each of TERMINATIONS) process.off(each, end);
    controller.abort(new Error(`Received ${name}`));
  };
  for (const each of TERMINATIONS) process.on(each, end);
  return controller.signal;
}

/** For all watches and waits of a daemon: aborted with `parent`, or on its own. */
export function lastingAbort(parent?: AbortSignal): AbortController {
  const controller = new AbortController();
  // That many hang on it is no leak.
  setMaxListeners(0, controller.signal);
  const follow = () => controller.abort(parent?.reason);
  if (parent?.aborted) follow();
  else parent?.addEventListener('abort', follow, { once: true });
  return controller;
}

/** Calls `reload` at each SIGHUP until `signal` aborts. */
export function onHangUp(reload: () => void, signal: AbortSignal): void {
  process.on('SIGHUP', reload);
  signal.addEventListener('abort', () => process.off('SIGHUP', reload), { once: true });
}
