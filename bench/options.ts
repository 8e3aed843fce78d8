/** What `make bench` is asked to measure: everything, or a part for a quick look (`make bench ONLY=udp64 RUNS=1`). */
import { MEASURES, type Measure } from './measures.js';
import { PATHS, type PathName, UNDERLAYS, type UnderlayName } from './results.js';
import { SCENES, type Scene } from './scenes.js';

export interface BenchOptions {
  readonly measures: readonly Measure[];
  readonly scenes: readonly Scene[];
  readonly paths: readonly PathName[];
  readonly underlays: readonly UnderlayName[];
  readonly runs: number;
  /** Of each stream, flood and wait. */
  readonly seconds: number;
  /** Nothing was left out: worth to be written down. */
  readonly isWhole: boolean;
}

const RUNS = 3;
const SECONDS = 3;

/** Throws RangeError for a name or number that is none. */
export function benchOptions(environment: Readonly<Record<string, string | undefined>>): BenchOptions {
  const names = [...MEASURES, ...SCENES].map(({ name }) => name);
  const only = chosen('ONLY', names, environment.ONLY);
  const paths = chosen('PATHS', PATHS, environment.PATHS);
  const underlays = chosen('UNDERLAYS', UNDERLAYS, environment.UNDERLAYS);
  const runs = positive('RUNS', environment.RUNS, RUNS);
  const seconds = positive('SECONDS', environment.SECONDS, SECONDS);
  return {
    measures: MEASURES.filter(({ name }) => only.includes(name)),
    scenes: SCENES.filter(({ name }) => only.includes(name)),
    paths,
    underlays,
    runs,
    seconds,
    isWhole:
      only.length === names.length &&
      paths.length === PATHS.length &&
      underlays.length === UNDERLAYS.length &&
      runs >= RUNS &&
      seconds >= SECONDS,
  };
}

function chosen<Name extends string>(option: string, all: readonly Name[], text = ''): readonly Name[] {
  const names = text.split(',').filter((name) => name !== '');
  const strange = names.find((name) => !(all as readonly string[]).includes(name));
  if (strange !== undefined) {
    throw new RangeError(`Cannot bench ${option}=${text}: "${strange}" is none of ${all.join(', ')}`);
  }
  return names.length === 0 ? all : all.filter((name) => names.includes(name));
}

function positive(option: string, text: string | undefined, usual: number): number {
  if (text === undefined || text === '') return usual;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new RangeError(`Cannot bench ${option}=${text}: must be a whole number, 1 or more`);
  }
  return value;
}
