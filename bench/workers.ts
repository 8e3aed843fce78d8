/** What a daemon with two threads carries, as a part of what one with a single thread does. */
import { Path } from './path.js';
import type { SceneFigures } from './results.js';
import { flood, stream } from './traffic.js';

const STREAMS = 4;
const PAYLOAD_BYTES = 64;
const WARM_UP_SECONDS = 2;

export async function takeWorkers(runs: number, seconds: number): Promise<SceneFigures> {
  const paths: Path[] = [];
  try {
    for (const workers of [1, 2]) {
      const path = await Path.start('loop', workers);
      paths.push(path);
      await stream(path, STREAMS, WARM_UP_SECONDS);
      await flood(path, PAYLOAD_BYTES, WARM_UP_SECONDS);
    }
    const [one, two] = paths as [Path, Path];
    const figures = { workersTcp: [] as number[], workersUdp: [] as number[] };
    for (let run = 0; run < runs; run++) {
      const tcp = await stream(one, STREAMS, seconds);
      figures.workersTcp.push((await stream(two, STREAMS, seconds)) / tcp);
      const udp = await flood(one, PAYLOAD_BYTES, seconds);
      figures.workersUdp.push((await flood(two, PAYLOAD_BYTES, seconds)) / udp);
    }
    return figures;
  } finally {
    await Promise.all(paths.map((path) => path.close()));
  }
}
