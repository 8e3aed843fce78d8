/** Hosts in several processes that look for a subnet at the same moment. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Allocation } from './allocation-worker.js';

const WORKER = fileURLToPath(new URL('./allocation-worker.js', import.meta.url));

/** What each of them got; begins when all of them have read the store. */
export async function allocationsOfRace(
  endpoint: string,
  prefix: string,
  processes: number,
  hostsEach: number,
): Promise<Allocation[]> {
  const workers = Array.from({ length: processes }, (_, process) => {
    const hosts = Array.from({ length: hostsEach }, (_, host) => process * hostsEach + host + 1);
    return new Worker([endpoint, prefix, ...hosts.map((host) => `198.51.100.${host}`)]);
  });
  try {
    await Promise.all(workers.map((worker) => worker.ready()));
    for (const worker of workers) worker.go();
    return (await Promise.all(workers.map((worker) => worker.allocations()))).flat();
  } finally {
    for (const worker of workers) worker.kill();
  }
}

class Worker {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, [WORKER, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    assert.ok(this.#child.stdout);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async ready(): Promise<void> {
    assert.equal((await this.#lines.next()).value, 'ready');
  }

  go(): void {
    this.#child.stdin?.write('go\n');
  }

  /** Until the process has ended. */
  async allocations(): Promise<Allocation[]> {
    const allocations: Allocation[] = [];
    for (let line = await this.#lines.next(); !line.done; line = await this.#lines.next()) {
      allocations.push(JSON.parse(line.value) as Allocation);
    }
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
    assert.equal(this.#child.exitCode, 0);
    return allocations;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
