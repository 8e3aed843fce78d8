/** How much code of src/ runs: every function call and every turn of a loop counts as one, by V8's own book (precise coverage). */
import { Session } from 'node:inspector/promises';
import { setFlagsFromString } from 'node:v8';

export interface WorkCounter {
  /** What ran since the last call, per file below src/, and in all. */
  take(): Promise<Work>;
}

export interface Work {
  readonly total: number;
  /** The busiest first. */
  readonly byFunction: readonly (readonly [name: string, count: number])[];
}

// Optimised code has lost count of what was built into it. It cannot be switched on again in this process.
setFlagsFromString('--no-opt');

/** Counts for the length of `body`. */
export async function countingWork<T>(body: (counter: WorkCounter) => Promise<T>): Promise<T> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
    return await body({
      async take() {
        const { result } = await session.post('Profiler.takePreciseCoverage');
        const counts = new Map<string, number>();
        for (const { url, functions } of result) {
          const [, file] = url.split('/dist/src/');
          if (file === undefined) continue;
          for (const { functionName, ranges } of functions) {
            const count = ranges.reduce((sum, range) => sum + range.count, 0);
            const name = `${file} ${functionName}`;
            if (count > 0) counts.set(name, (counts.get(name) ?? 0) + count);
          }
        }
        const byFunction = [...counts].sort(([, left], [, right]) => right - left);
        return { total: byFunction.reduce((sum, [, count]) => sum + count, 0), byFunction };
      },
    });
  } finally {
    session.disconnect();
  }
}
