/**
 * `make faults`: injects the faults on real parts and prints what came of each; what was measured goes into
 * docs/faults/result.json, and the page docs/faults.md is made from it.
 *
 *   ROWS=K1,K4   only these    FULL=1   more of each
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { measure } from './measure.js';
import { PAGE_PATH, page, RESULT_PATH } from './page.js';
import { type Machine, merged, type Result, type RowResult, shortfalls } from './result.js';
import type { Row } from './row.js';
import { ROWS } from './rows.js';
import { Scene } from './scene.js';

const wanted = (process.env.ROWS ?? '').split(',').filter((id) => id !== '');
const unknown = wanted.filter((id) => !ROWS.some((row) => row.id === id));
if (unknown.length > 0) {
  throw new Error(`Cannot run rows ${unknown.join(', ')}: there are ${ROWS.map(({ id }) => id).join(', ')}`);
}
const rows = wanted.length === 0 ? ROWS : ROWS.filter(({ id }) => wanted.includes(id));
const size = process.env.FULL === '1' ? 'full' : 'standard';
const origin = { date: new Date().toISOString(), commit: commit() };

const start = performance.now();
let isShort = false;
await Scene.play(async (scene) => {
  for (const row of rows) {
    const result = await measure(row, scene, size, origin);
    isShort ||= shortfalls(row.bar, result).length > 0;
    process.stdout.write(`${line(row, result)}\n`);
    keep({ machine: machine(), rows: [result] });
  }
});
process.stdout.write(`${rows.length} rows in ${Math.round((performance.now() - start) / 1000)} s\n`);
process.exitCode = isShort ? 1 : 0;

function line({ id, fault, bar }: Row, result: RowResult): string {
  const { injected, healed, healedMs, lost, duplicated, wrong, leaks, cpuPercent, logLinesPerMinute } =
    result;
  const short = shortfalls(bar, result);
  return [
    `${id.padEnd(4)} ${fault}: ${healed} of ${injected} healed`,
    ...(healedMs ? [`p50 ${healedMs.p50} ms, p99 ${healedMs.p99} ms`] : []),
    `lost ${lost.worst} at worst, ${lost.total} in all`,
    `twice ${duplicated}, wrong ${wrong}, left ${leaks.length}`,
    ...(cpuPercent === undefined ? [] : [`CPU ${cpuPercent} %`]),
    ...(logLinesPerMinute === undefined ? [] : [`log ${logLinesPerMinute}/min`]),
    short.length === 0 ? 'within the bar' : `NOT WITHIN: ${short.join('; ')}`,
  ].join('; ');
}

/** After every row, so that a run that is broken off has kept what it had. */
function keep(result: Result): void {
  const before = existsSync(RESULT_PATH)
    ? (JSON.parse(readFileSync(RESULT_PATH, 'utf8')) as Result)
    : undefined;
  const now = merged(before, result);
  mkdirSync(dirname(RESULT_PATH), { recursive: true });
  writeFileSync(RESULT_PATH, `${JSON.stringify(now, null, 2)}\n`);
  writeFileSync(PAGE_PATH, page(now));
}

function commit(): string {
  return execFileSync('git', ['describe', '--always', '--dirty', '--exclude', '*'], {
    encoding: 'utf8',
  }).trim();
}

function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    etcd:
      /etcd Version: (\S+)/.exec(execFileSync('etcd', ['--version'], { encoding: 'utf8' }))?.[1] ?? 'unknown',
  };
}
