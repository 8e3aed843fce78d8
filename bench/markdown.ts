/** The results as they stand in the documents, each in a block of its own between two marks. Pure. */
import {
  FIGURES,
  type FigureName,
  PATH_TITLES,
  PATHS,
  type PathName,
  type Results,
  ratioToVxlan,
  sceneRows,
  shown,
  summaryOf,
  UNDERLAY_TITLES,
  UNDERLAYS,
  type UnderlayName,
} from './results.js';

const BEGIN = '<!-- written by make bench -->';
const END = '<!-- end of what make bench writes -->';

/** `document` with `content` in its block. Throws Error when it has none. */
export function withBlock(document: string, content: string): string {
  const [from, to] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (from < 0 || to < from)
    throw new Error(`Cannot write the results: the document has no "${BEGIN}" ... "${END}"`);
  return `${document.slice(0, from + BEGIN.length)}\n${content}${document.slice(to)}`;
}

const HEADLINES: readonly FigureName[] = ['tcp1', 'tcp4', 'udp64', 'udp1400', 'ping'];

const HEADLINED: readonly PathName[] = ['vxlan', 'auto', 'loop', 'c'];

/** For the README: the chart, and ours beside kernel vxlan and the loop in C, over both underlays. */
export function headlines(results: Results): string {
  const rows = HEADLINES.map((figure) => [
    `${FIGURES[figure].title}, ${FIGURES[figure].unit}`,
    ...UNDERLAYS.flatMap((underlay) =>
      HEADLINED.map((path) =>
        path === 'vxlan' ? cell(results, underlay, path, figure) : ratioCell(results, underlay, path, figure),
      ),
    ),
  ]);
  const head = ['', ...UNDERLAYS.flatMap(() => HEADLINED.map((path) => PATH_TITLES[path]))];
  const over = [
    'over an underlay with',
    ...UNDERLAYS.flatMap((underlay) => [UNDERLAY_TITLES[underlay], ...HEADLINED.slice(1).map(() => '')]),
  ];
  const chart = '![Bars beside plain routing and kernel vxlan, over both underlays](docs/bench/chart.svg)';
  return `${chart}\n\n${table([over, head, ...rows])}\n${origin(results)}\n`;
}

/** For the page of the bench: everything, medians and from least to most. */
export function everything(results: Results): string {
  const tables = UNDERLAYS.map((underlay) => {
    const rows = (Object.keys(FIGURES) as FigureName[]).flatMap((figure) => {
      const cells = PATHS.map((path) => spreadCell(results, underlay, path, figure));
      return cells.every((one) => one === '')
        ? []
        : [[`${FIGURES[figure].title}, ${FIGURES[figure].unit}`, ...cells]];
    });
    const head = ['', ...PATHS.map((path) => PATH_TITLES[path])];
    return `### Underlay with ${UNDERLAY_TITLES[underlay]}\n\n${table([head, ...rows])}`;
  });
  return `${origin(results)}\n\n${[...tables, ...scenes(results)].join('\n')}`;
}

function scenes(results: Results): string[] {
  const rows = sceneRows(results).map(({ title, bar, median, spread }) => [
    title,
    `**${median}**`,
    spread,
    bar,
  ]);
  if (rows.length === 0) return [];
  return [`### Many hosts, and strangers\n\n${table([['', 'median', 'of all runs', 'must be'], ...rows])}`];
}

function origin({ machine, measuredAt, commit, figures, seconds }: Results): string {
  const runs = Math.max(...figures.map(({ values }) => values.length));
  return `${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, Linux ${machine.kernel}, Node ${machine.node}; ${runs} runs of ${seconds} s, medians; ${measuredAt.slice(0, 10)}, commit ${commit}.`;
}

function cell(results: Results, underlay: UnderlayName, path: PathName, figure: FigureName): string {
  const summary = summaryOf(results, underlay, path, figure);
  return summary === undefined ? '' : shown(figure, summary.median);
}

function ratioCell(results: Results, underlay: UnderlayName, path: PathName, figure: FigureName): string {
  const ratio = ratioToVxlan(results, underlay, path, figure);
  const median = cell(results, underlay, path, figure);
  return ratio === undefined ? median : `${median} (${ratio.toFixed(2)})`;
}

function spreadCell(results: Results, underlay: UnderlayName, path: PathName, figure: FigureName): string {
  const summary = summaryOf(results, underlay, path, figure);
  if (summary === undefined) return '';
  const spread = `${shown(figure, summary.least)} to ${shown(figure, summary.most)}`;
  return `**${ratioCell(results, underlay, path, figure)}**<br>${spread}`;
}

/** The first row is the head. */
function table(rows: readonly (readonly string[])[]): string {
  const lines = rows.map((row) => `| ${row.join(' | ')} |`);
  const rule = `|---|${'--:|'.repeat((rows[0]?.length ?? 1) - 1)}`;
  return `${[lines[0], rule, ...lines.slice(1)].join('\n')}\n`;
}
