/**
 * `make bench`: what the packet loop carries, beside plain routing and kernel vxlan, between network namespaces of
 * this machine. Prints a table; a whole run also writes docs/bench/. ONLY, PATHS, UNDERLAYS, RUNS and SECONDS choose
 * a part. Exit code 0 when all was measured, 1 when not, 64 for a wrong choice, 130 when interrupted.
 */

import { writeDocs } from './docs.js';
import { commit, machine } from './machine.js';
import { warmUp } from './measures.js';
import { type BenchOptions, benchOptions } from './options.js';
import { Path } from './path.js';
import {
  type Figure,
  type FigureName,
  PATH_TITLES,
  type PathName,
  type Results,
  type SceneFigure,
  type SceneFigureName,
  type UnderlayName,
} from './results.js';
import { tableText } from './table.js';

async function bench(options: BenchOptions): Promise<void> {
  const measuredAt = new Date().toISOString();
  // The short ones first: what fails is known after a few minutes.
  const scenes = await measuredScenes(options);
  const results: Results = {
    measuredAt,
    commit: await commit(),
    machine: await machine(),
    seconds: options.seconds,
    figures: options.measures.length > 0 ? await measuredPaths(options) : [],
    scenes,
  };
  process.stdout.write(`\n${tableText(results)}`);
  if (options.isWhole) await writeDocs(results);
}

async function measuredScenes({ scenes, runs, seconds }: BenchOptions): Promise<readonly SceneFigure[]> {
  const figures: SceneFigure[] = [];
  for (const scene of scenes) {
    process.stderr.write(`${scene.name}\n`);
    const taken = Object.entries(await scene.take(runs, seconds)) as [SceneFigureName, readonly number[]][];
    figures.push(...taken.map(([figure, values]) => ({ figure, values })));
  }
  return figures;
}

async function measuredPaths(options: BenchOptions): Promise<readonly Figure[]> {
  const paths: Path[] = [];
  try {
    for (const name of options.paths) paths.push(await Path.start(name));
    for (const path of paths) await warmUp(path);
    return await measured(options, paths);
  } finally {
    await Promise.all(paths.map((path) => path.close()));
  }
}

/** In turn, so that whatever the machine does beside this meets all paths alike. */
async function measured(options: BenchOptions, paths: readonly Path[]): Promise<readonly Figure[]> {
  const taken = new Taken();
  for (let run = 1; run <= options.runs; run++) {
    for (const underlay of options.underlays) {
      for (const path of paths) await path.use(underlay);
      for (const measure of options.measures) {
        for (const path of paths) {
          if (!measure.of.includes(path.name)) continue;
          if (measure.once === true && (run > 1 || underlay !== options.underlays[0])) continue;
          process.stderr.write(
            `run ${run} of ${options.runs}, ${underlay} underlay: ${measure.name}, ${PATH_TITLES[path.name]}\n`,
          );
          taken.add(underlay, path.name, await measure.take(path, options.seconds));
        }
      }
    }
  }
  return taken.figures();
}

class Taken {
  readonly #figures = new Map<string, Figure & { readonly values: number[] }>();

  add(underlay: UnderlayName, path: PathName, values: Readonly<Partial<Record<FigureName, number>>>): void {
    for (const [figure, value] of Object.entries(values) as [FigureName, number][]) {
      const key = `${underlay} ${path} ${figure}`;
      const known = this.#figures.get(key);
      if (known === undefined) this.#figures.set(key, { underlay, path, figure, values: [value] });
      else known.values.push(value);
    }
  }

  figures(): readonly Figure[] {
    return [...this.#figures.values()];
  }
}

function options(): BenchOptions {
  try {
    return benchOptions(process.env);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exit(64);
  }
}

// The kernel ends whatever is left of the namespaces with this process, so there is nothing else to undo.
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
await bench(options());
