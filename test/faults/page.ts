/** docs/faults.md: what happens when…, made from the rows and from what was measured. */
import { join } from 'node:path';
import { repositoryRoot } from '../lab/repository.js';
import { type Result, type RowResult, shortfalls } from './result.js';
import type { Bar, Row } from './row.js';
import { ROWS } from './rows.js';
import { LEFT_OUT } from './rows-left-out.js';

export const PAGE_PATH = join(repositoryRoot(), 'docs/faults.md');
export const RESULT_PATH = join(repositoryRoot(), 'docs/faults/result.json');

const AREAS: Readonly<Record<string, string>> = {
  K: 'Kernel objects',
  P: 'The process',
  F: 'Files',
  N: 'Netlink',
  E: 'etcd',
  L: 'The lease',
  X: 'The external interface',
  D: 'What other hosts write',
  U: 'Packets',
  C: 'Commands',
  S: 'Scale',
};

/** The whole page. */
export function page(result: Result): string {
  return `${HEAD}
${origin(result)}
${Object.entries(AREAS)
  .flatMap(([letter, title]) => section(letter, title, result))
  .join('\n')}
## Not measured here

| | what happens | why not |
|---|---|---|
${LEFT_OUT.map(({ id, fault, why }) => `| ${id} | ${fault} | ${why} |`).join('\n')}
`;
}

const HEAD = `# What happens when…

Each fault below is injected on real parts: hosts that are network namespaces of one machine, its kernel, real etcd, real
daemons. \`make faults\` does it and writes this page; \`make faults ROWS=K1,K4\` does it for some; \`make test\` does a few of
each. Meanwhile 1,000 small numbered UDP packets a second go each way between two containers: a lost one is a
millisecond of outage. In every row none may arrive twice or with somebody else, and afterwards hosts and etcd must be as they
were: files, devices, addresses, routes, rules, leases, descriptors.

Times run from the fault to all being as it should be: half of all within p50, 99 of 100 within p99. "Lost" is the worst
injection's, of the way that lost more. Processor time is that of the daemon, in percent of one core, beyond what it costs to
carry the packets, which is measured just before.
`;

function origin({ machine, rows }: Result): string {
  const { cpu, cores, memoryGiB, kernel, node, etcd } = machine;
  const dates = rows.map(({ date }) => date.slice(0, 10)).sort();
  const commits = [...new Set(rows.map(({ commit }) => commit))].join(', ');
  const span = dates[0] === dates.at(-1) ? dates[0] : `${dates[0]} to ${dates.at(-1)}`;
  return `Measured ${span} at ${commits} on ${cores} cores of ${cpu}, ${memoryGiB} GiB, Linux ${kernel}, Node ${node}, etcd ${etcd}.\n`;
}

function section(letter: string, title: string, { rows: results }: Result): readonly string[] {
  const numberOf = ({ id }: Row) => Number.parseInt(id.slice(1), 10);
  const rows = ROWS.filter(({ id }) => id.startsWith(letter)).sort(
    (left, right) => numberOf(left) - numberOf(right),
  );
  if (rows.length === 0) return [];
  const remarks = rows
    .filter(({ remark }) => remark !== undefined)
    .map(({ id, remark }) => `${id}: ${remark}\n`);
  const lines = rows.map((row) =>
    tableLine(
      row,
      results.find(({ id }) => id === row.id),
    ),
  );
  return [
    `## ${title}\n`,
    '| | when… | what flannelette does | bar | injected | p50 | p99 | lost | |',
    '|---|---|---|---|--:|--:|--:|--:|---|',
    ...lines,
    '',
    ...remarks,
  ];
}

function tableLine({ id, fault, expected, bar }: Row, result: RowResult | undefined): string {
  const cells = [id, fault, expected, barText(bar)];
  if (result === undefined) return `| ${[...cells, '', '', '', '', 'not measured yet'].join(' | ')} |`;
  const { injected, healedMs, lost } = result;
  const short = shortfalls(bar, result);
  return `| ${[
    ...cells,
    figure(injected),
    healedMs ? `${figure(healedMs.p50)} ms` : '',
    healedMs ? `${figure(healedMs.p99)} ms` : '',
    figure(lost.worst),
    short.length === 0 ? `within${extras(bar, result)}` : `**not within**: ${short.join('; ')}`,
  ].join(' | ')} |`;
}

function extras(bar: Bar, { cpuPercent, logLinesPerMinute }: RowResult): string {
  const measured = [
    ...(bar.cpuPercent === undefined ? [] : [`CPU ${cpuPercent} %`]),
    ...(bar.logLinesPerMinute === undefined ? [] : [`${logLinesPerMinute} log lines/min`]),
  ];
  return measured.length === 0 ? '' : ` (${measured.join(', ')})`;
}

function barText({ healedMs, lost, cpuPercent, logLinesPerMinute }: Bar): string {
  return [
    ...(healedMs === undefined ? [] : [`${figure(healedMs)} ms`]),
    ...(lost === undefined ? [] : [`${figure(lost)} lost`]),
    ...(cpuPercent === undefined ? [] : [`CPU ${cpuPercent} %`]),
    ...(logLinesPerMinute === undefined ? [] : [`${logLinesPerMinute} log lines/min`]),
  ].join(', ');
}

/** With a comma between thousands, in any locale. */
function figure(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}
