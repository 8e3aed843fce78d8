/** What was measured, as it stands in docs/bench/results.json, and what follows from it. Pure. */
import { median } from '../test/lab/figures.js';

/** The ways from one container to the other. */
export const PATHS = ['routing', 'vxlan', 'auto', 'loop', 'single', 'c'] as const;
export type PathName = (typeof PATHS)[number];

export const PATH_TITLES: Readonly<Record<PathName, string>> = {
  routing: 'plain routing',
  vxlan: 'kernel vxlan',
  auto: 'flannelette',
  loop: 'flannelette, fastPath: false',
  single: 'flannelette, offload: false',
  c: 'a loop in C',
};

/** `segmenting` takes super-packets, as veth does; `plain` takes single packets only, as most network cards do. */
export const UNDERLAYS = ['segmenting', 'plain'] as const;
export type UnderlayName = (typeof UNDERLAYS)[number];

export const UNDERLAY_TITLES: Readonly<Record<UnderlayName, string>> = {
  segmenting: 'segmentation offload',
  plain: 'single packets only',
};

export interface FigureKind {
  readonly title: string;
  readonly unit: string;
  readonly digits: number;
}

export const FIGURES = {
  tcp1: { title: 'TCP, 1 stream', unit: 'Mbit/s', digits: 0 },
  tcp4: { title: 'TCP, 4 streams', unit: 'Mbit/s', digits: 0 },
  tcp1Cpu: { title: 'CPU for TCP, 1 stream', unit: 's/Gbit', digits: 3 },
  udp64: { title: 'UDP, 64 bytes, delivered', unit: 'packets/s', digits: 0 },
  udp512: { title: 'UDP, 512 bytes, delivered', unit: 'packets/s', digits: 0 },
  udp1400: { title: 'UDP, 1,400 bytes, delivered', unit: 'packets/s', digits: 0 },
  ping: { title: 'ping, average', unit: 'ms', digits: 3 },
  idleCpu: { title: 'CPU of the daemon, idle', unit: '% of a core', digits: 2 },
  lightCpu: { title: 'CPU of the daemon, 100 packets/s', unit: '% of a core', digits: 2 },
  rss: { title: 'memory of the daemon, most', unit: 'MB', digits: 0 },
  collections: { title: 'garbage collections of the daemon in 10 million packets', unit: 'times', digits: 0 },
  memoryGrowth: { title: 'memory that the daemon gained in 10 million packets', unit: 'MB', digits: 1 },
} as const satisfies Readonly<Record<string, FigureKind>>;
export type FigureName = keyof typeof FIGURES;

export interface SceneFigureKind extends FigureKind {
  /** What it must be. */
  readonly bar?: string;
}

/** What is measured beside the ways, in scenes of their own. */
const SCENE_FIGURES = {
  joinFew: { title: 'from the start until 1,000 hosts are reached', unit: 's', digits: 2, bar: 'at most 1' },
  joinMany: {
    title: 'from the start until 10,000 hosts are reached',
    unit: 's',
    digits: 2,
    bar: 'at most 3',
  },
  churnHalf: { title: 'a new host is reached after its lease, half of them', unit: 'ms', digits: 0 },
  churnMost: {
    title: 'a new host is reached after its lease, 99 of 100',
    unit: 'ms',
    digits: 0,
    bar: 'at most 250',
  },
  churnCpu: { title: 'CPU of the daemon meanwhile', unit: '% of a core', digits: 0 },
  churnMemory: { title: 'memory gained meanwhile', unit: '%', digits: 1, bar: 'at most 10' },
  loadedMemory: {
    title: 'memory with 1,000 peers under load, most',
    unit: 'MB',
    digits: 0,
    bar: 'at most 120',
  },
  strangersClosed: { title: 'TCP beside a flood of strangers at a closed port', unit: 'Mbit/s', digits: 0 },
  strangersOpen: { title: 'TCP beside a flood of strangers at our port', unit: 'Mbit/s', digits: 0 },
  strangers: { title: 'the one as a part of the other', unit: 'times', digits: 2, bar: 'at least 0.9' },
  workersTcp: { title: 'TCP, 4 streams, with two threads as a part of one', unit: 'times', digits: 2 },
  workersUdp: { title: 'UDP, 64 bytes, with two threads as a part of one', unit: 'times', digits: 2 },
} as const satisfies Readonly<Record<string, SceneFigureKind>>;
export type SceneFigureName = keyof typeof SCENE_FIGURES;

export interface Figure {
  readonly underlay: UnderlayName;
  readonly path: PathName;
  readonly figure: FigureName;
  /** One for each run, in the order taken. */
  readonly values: readonly number[];
}

/** What one scene gives: of each figure one value for each run. */
export type SceneFigures = Readonly<Partial<Record<SceneFigureName, readonly number[]>>>;

export interface SceneFigure {
  readonly figure: SceneFigureName;
  /** One for each run, in the order taken. */
  readonly values: readonly number[];
}

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly system: string;
  readonly node: string;
}

export interface Results {
  /** ISO 8601, UTC. */
  readonly measuredAt: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly seconds: number;
  readonly figures: readonly Figure[];
  readonly scenes: readonly SceneFigure[];
}

export interface Summary {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Undefined where it was not measured. */
export function summaryOf(
  { figures }: Pick<Results, 'figures'>,
  underlay: UnderlayName,
  path: PathName,
  figure: FigureName,
): Summary | undefined {
  const values = figures.find(
    (one) => one.underlay === underlay && one.path === path && one.figure === figure,
  )?.values;
  return values === undefined ? undefined : summaryOfValues(values);
}

function summaryOfValues(values: readonly number[]): Summary | undefined {
  if (values.length === 0) return undefined;
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
}

/** The median as a multiple of kernel vxlan's under the same setting. */
export function ratioToVxlan(
  results: Pick<Results, 'figures'>,
  underlay: UnderlayName,
  path: PathName,
  figure: FigureName,
): number | undefined {
  const ours = summaryOf(results, underlay, path, figure);
  const vxlan = summaryOf(results, underlay, 'vxlan', figure);
  return ours === undefined || vxlan === undefined ? undefined : ours.median / vxlan.median;
}

/** `12,345`, or `0.149`. */
export function shown(figure: FigureName, value: number): string {
  return withDigits(value, FIGURES[figure].digits);
}

/** As a reader is told of a figure of a scene. */
export interface SceneRow {
  readonly title: string;
  /** What it must be; empty where nothing is demanded. */
  readonly bar: string;
  readonly median: string;
  /** From the least to the most; empty when it was measured once. */
  readonly spread: string;
}

export function sceneRows({ scenes }: Pick<Results, 'scenes'>): readonly SceneRow[] {
  return (Object.keys(SCENE_FIGURES) as SceneFigureName[]).flatMap((figure) => {
    const values = scenes.find((one) => one.figure === figure)?.values ?? [];
    const summary = summaryOfValues(values);
    if (summary === undefined) return [];
    const { title, unit, digits, bar = '' }: SceneFigureKind = SCENE_FIGURES[figure];
    const shownValue = (value: number) => withDigits(value, digits);
    const spread = values.length === 1 ? '' : `${shownValue(summary.least)} to ${shownValue(summary.most)}`;
    return [{ title: `${title}, ${unit}`, bar, median: shownValue(summary.median), spread }];
  });
}

function withDigits(value: number, digits: number): string {
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
