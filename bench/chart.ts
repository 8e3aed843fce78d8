/** The results as an SVG chart: a panel for each underlay, a group of bars for each figure. Pure. */
import {
  FIGURES,
  type FigureName,
  PATH_TITLES,
  PATHS,
  type PathName,
  type Results,
  shown,
  summaryOf,
  UNDERLAY_TITLES,
  UNDERLAYS,
  type UnderlayName,
} from './results.js';

/** What a reader wants to see first; the tables hold the rest. */
const CHARTED: readonly FigureName[] = ['tcp1', 'tcp4', 'udp64', 'udp512', 'udp1400', 'ping'];
const LESS_IS_BETTER: ReadonlySet<FigureName> = new Set(['ping']);
const COLOURS: Readonly<Record<PathName, string>> = {
  routing: '#b8bec6',
  vxlan: '#7a8794',
  auto: '#0a3069',
  loop: '#1f6feb',
  single: '#a5c8ff',
  c: '#d29922',
};

// Pixels.
const PANEL = { width: 460, left: 16, gap: 24 };
const BAR = { height: 14, step: 18, longest: 230 };
const GROUP_HEIGHT = 20 + PATHS.length * BAR.step + 12;
const TOP = 88;
const WIDTH = UNDERLAYS.length * (PANEL.width + PANEL.gap);
const HEIGHT = TOP + CHARTED.length * GROUP_HEIGHT;

export function chartSvg(results: Results): string {
  const panels = UNDERLAYS.map((underlay, index) =>
    panel(results, underlay, PANEL.left + index * (PANEL.width + PANEL.gap)),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#24292f">
<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>
${[...legend(), ...panels.flat()].join('\n')}
</svg>
`;
}

function legend(): string[] {
  return PATHS.flatMap((path, index) => {
    const x = PANEL.left + index * 185;
    return [rectangle(x, 16, 14, COLOURS[path]), text(x + 20, 28, PATH_TITLES[path])];
  });
}

function panel(results: Results, underlay: UnderlayName, x: number): string[] {
  return [
    text(x, 64, UNDERLAY_TITLES[underlay], 'font-weight="bold"'),
    ...CHARTED.flatMap((figure, index) => group(results, underlay, figure, x, TOP + index * GROUP_HEIGHT)),
  ];
}

function group(results: Results, underlay: UnderlayName, figure: FigureName, x: number, y: number): string[] {
  const bars = PATHS.map((path) => ({ path, summary: summaryOf(results, underlay, path, figure) }));
  const most = Math.max(...bars.map(({ summary }) => summary?.median ?? 0));
  const { title, unit } = FIGURES[figure];
  const note = LESS_IS_BETTER.has(figure) ? '; shorter is better' : '';
  return [
    text(x, y + 12, `${title}, ${unit}${note}`),
    ...bars.flatMap(({ path, summary }, index) => {
      if (summary === undefined) return [];
      const top = y + 20 + index * BAR.step;
      const width = Math.max(1, Math.round((summary.median / most) * BAR.longest));
      return [
        rectangle(x, top, width, COLOURS[path]),
        text(x + width + 6, top + 11, shown(figure, summary.median)),
      ];
    }),
  ];
}

function rectangle(x: number, y: number, width: number, colour: string): string {
  return `<rect x="${x}" y="${y}" width="${width}" height="${BAR.height}" fill="${colour}"/>`;
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x}" y="${y}"${attributes && ` ${attributes}`}>${content}</text>`;
}
