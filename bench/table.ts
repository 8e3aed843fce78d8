/** The results as text for a terminal. Pure. */
import {
  FIGURES,
  type FigureName,
  PATH_TITLES,
  PATHS,
  type Results,
  ratioToVxlan,
  sceneRows,
  shown,
  summaryOf,
  UNDERLAYS,
  type UnderlayName,
} from './results.js';

/** A table for each underlay: medians, what they are of vxlan's, and from least to most. */
export function tableText(results: Results): string {
  return [...UNDERLAYS.map((underlay) => underlayText(results, underlay)), scenesText(results)]
    .filter((text) => text !== '')
    .join('\n');
}

function underlayText(results: Results, underlay: UnderlayName): string {
  const rows = (Object.keys(FIGURES) as FigureName[]).flatMap((figure) =>
    figureRows(results, underlay, figure),
  );
  return rows.length === 0 ? '' : `Underlay: ${underlay}\n${aligned(rows)}\n`;
}

function scenesText(results: Results): string {
  const rows = sceneRows(results).map(({ title, bar, median, spread }) => [title, bar, median, '', spread]);
  return rows.length === 0 ? '' : `Many hosts\n${aligned(rows)}\n`;
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  '),
  );
  return lines.join('\n');
}

function figureRows(results: Results, underlay: UnderlayName, figure: FigureName): string[][] {
  const { title, unit } = FIGURES[figure];
  return PATHS.flatMap((path) => {
    const summary = summaryOf(results, underlay, path, figure);
    if (summary === undefined) return [];
    const ratio = ratioToVxlan(results, underlay, path, figure);
    return [
      [
        `${title}, ${unit}`,
        PATH_TITLES[path],
        shown(figure, summary.median),
        ratio === undefined ? '' : `${ratio.toFixed(2)} of vxlan`,
        `${shown(figure, summary.least)} to ${shown(figure, summary.most)}`,
      ],
    ];
  });
}
