/** What the scoreboard measured, as it is kept in docs/faults/result.json; pure. */
import type { Bar } from './row.js';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly etcd: string;
}

export interface RowResult {
  readonly id: string;
  /** RFC 3339 in UTC, and what was measured. */
  readonly date: string;
  readonly commit: string;
  readonly injected: number;
  readonly healed: number;
  /** Milliseconds; absent for a row without a time. */
  readonly healedMs?: { readonly p50: number; readonly p99: number; readonly worst: number };
  /** Packets of 1,000 a second each way: the worst injection's, and all injections' together. */
  readonly lost: { readonly worst: number; readonly total: number };
  readonly duplicated: number;
  readonly wrong: number;
  readonly cpuPercent?: number;
  readonly logLinesPerMinute?: number;
  /** What was there afterwards and not before, or the reverse. */
  readonly leaks: readonly string[];
  /** Why injections did not heal. */
  readonly failures: readonly string[];
}

export interface Result {
  readonly machine: Machine;
  readonly rows: readonly RowResult[];
}

/** What a machine that does other things beside is forgiven. */
export interface Slack {
  /** Multiplies every figure of a bar. */
  readonly factor: number;
  /** Packets that a starved thread may cost where none may be lost. */
  readonly lost: number;
}

/** Why a row is not within its bar; empty when it is. */
export function shortfalls(
  bar: Bar,
  result: RowResult,
  slack: Slack = { factor: 1, lost: 0 },
): readonly string[] {
  const { injected, healed, healedMs, lost, duplicated, wrong, leaks, failures } = result;
  const short: string[] = [];
  if (healed < injected) short.push(`${injected - healed} of ${injected} not healed: ${failures.join('; ')}`);
  const most = (name: string, measured: number | undefined, figure: number | undefined, spare = 0) => {
    if (figure === undefined) return;
    const allowed = figure * slack.factor + spare;
    if (measured === undefined) short.push(`${name} was not measured`);
    else if (measured > allowed) short.push(`${name} ${measured}, must be ${allowed} at most`);
  };
  most('healed p99', healedMs?.p99, bar.healedMs);
  most('packets lost', lost.worst, bar.lost, slack.lost);
  most('processor percent', result.cpuPercent, bar.cpuPercent);
  most('log lines a minute', result.logLinesPerMinute, bar.logLinesPerMinute);
  if (duplicated > 0) short.push(`${duplicated} packets arrived twice`);
  if (wrong > 0) short.push(`${wrong} packets arrived where they should not`);
  if (leaks.length > 0) short.push(`left behind: ${leaks.join('; ')}`);
  return short;
}

/** The smallest value that `percent` of all do not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  const value = sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)];
  if (value === undefined) throw new Error('Cannot take a percentile of nothing');
  return value;
}

/** Newer rows take the place of those of the same fault; of another machine none is kept. */
export function merged(before: Result | undefined, now: Result): Result {
  const isSameMachine = JSON.stringify(before?.machine) === JSON.stringify(now.machine);
  const rows = new Map((isSameMachine ? (before?.rows ?? []) : []).map((row) => [row.id, row]));
  for (const row of now.rows) rows.set(row.id, row);
  return { machine: now.machine, rows: [...rows.values()] };
}
