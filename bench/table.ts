/** The results as text for a terminal. Pure. */
import {
  FIGURES,
  type FigureName,
  PATH_TITLES,
  PATHS,
  type Results,
  ratioToVxlan,
  shown,
  summaryOf,
  UNDERLAYS,
  type UnderlayName,
} from './results.js';

/** A table for each underlay: medians, what they are of vxlan's, and from least to most. */
export function tableText(results: Results): string {
  return UNDERLAYS.map((underlay) => underlayText(results, underlay)).join('\n');
}

function underlayText(results: Results, underlay: UnderlayName): string {
  const rows = (Object.keys(FIGURES) as FigureName[]).flatMap((figure) =>
    figureRows(results, underlay, figure),
  );
  if (rows.length === 0) return '';
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  '),
  );
  return `Underlay: ${underlay}\n${lines.join('\n')}\n`;
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
