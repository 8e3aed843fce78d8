/** What a known peer's TCP has left while somebody unknown floods its host: at our port, and at one where nobody listens. */
import { fileURLToPath } from 'node:url';
import { Path } from './path.js';
import type { SceneFigures } from './results.js';
import { stream } from './traffic.js';

const STRANGER = '198.18.0.13';
const RECEIVER = '198.18.0.12';
const OUR_PORT = 8285;
const CLOSED_PORT = 8286;
/** In turn, so that whatever the machine does beside this meets both alike. */
const TURNS = 7;
const WARM_UP_SECONDS = 2;
const START_MS = 10_000;
const MEGABIT = 1e6;

export async function takeStrangers(seconds: number): Promise<SceneFigures> {
  const path = await Path.start('auto');
  try {
    const stranger = await path.underlay.addHost('stranger', STRANGER);
    const flooded = async (port: number) => {
      const program = fileURLToPath(new URL('stranger.js', import.meta.url));
      const flood = stranger.spawn([process.execPath, program, RECEIVER, String(port)]);
      try {
        await flood.waitForLine(/^flooding$/, START_MS);
        return (await stream(path, 1, seconds)) / MEGABIT;
      } finally {
        await flood.stop();
      }
    };
    await stream(path, 1, WARM_UP_SECONDS);
    await flooded(OUR_PORT);
    const figures = {
      strangersClosed: [] as number[],
      strangersOpen: [] as number[],
      strangers: [] as number[],
    };
    for (let turn = 0; turn < TURNS; turn++) {
      const [closed, open] = [await flooded(CLOSED_PORT), await flooded(OUR_PORT)];
      figures.strangersClosed.push(closed);
      figures.strangersOpen.push(open);
      figures.strangers.push(open / closed);
    }
    return figures;
  } finally {
    await path.close();
  }
}
