/** What memory a daemon takes that has a thousand peers and carries as much as it can. */
import { memberAt } from '../test/lab/cluster.js';
import { CROWDED_CONFIG, onCrowd } from '../test/lab/crowd.js';
import { reachEachOther, withContainer } from '../test/lab/sites.js';
import { memoryMb } from './proc.js';
import type { SceneFigures } from './results.js';
import { flood, stream } from './traffic.js';

const PEERS = 1_000;
const STREAMS = 4;
const SMALL_BYTES = 64;
const LARGE_BYTES = 1_400;
const SECONDS = 4;

export async function takeLoaded(): Promise<SceneFigures> {
  // Each host takes the subnet that it likes; none of the crowd's is free.
  const config = CROWDED_CONFIG.replace(/^host:.*\n/m, '');
  return onCrowd({ hosts: 2, config }, async (crowd, member, cluster) => {
    const members = [member, memberAt(cluster, 1)] as const;
    await crowd.add(0, PEERS - 1);
    const daemons = [await members[0].run(), await members[1].run()] as const;
    const { container: sender } = await withContainer(members[0]);
    const { container: receiver } = await withContainer(members[1]);
    await reachEachOther([sender, receiver]);
    const ends = { sender, receiver };
    await stream(ends, STREAMS, SECONDS);
    await flood(ends, SMALL_BYTES, SECONDS);
    await flood(ends, LARGE_BYTES, SECONDS);
    await stream({ sender: receiver, receiver: sender }, STREAMS, SECONDS);
    await flood({ sender: receiver, receiver: sender }, SMALL_BYTES, SECONDS);
    const memory = await Promise.all(daemons.map(({ pid }) => memoryMb(pid)));
    return { loadedMemory: memory.map(({ most }) => most) };
  });
}
