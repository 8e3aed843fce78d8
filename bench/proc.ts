/** What processors have done and processes hold, from /proc. */
import { readdir, readFile } from 'node:fs/promises';

const JIFFIES_PER_SECOND = 100; // USER_HZ, which is 100 on every architecture that Node runs on
const NANOSECONDS = 1e9;
const KIB_IN_MB = 1024 / 1e6; // what /proc calls kB has 1,024 bytes
// The columns of the first line of /proc/stat (proc(5)).
const IDLE = 3;
const IOWAIT = 4;

/** Seconds that all processors of the machine were busy since it came up, whatever with. */
export async function machineBusySeconds(): Promise<number> {
  const [line = ''] = (await readFile('/proc/stat', 'utf8')).split('\n');
  // The last two, of guests, are in the first two already.
  const columns = line.split(/\s+/).slice(1, 9).map(Number);
  const busy = columns.filter((_, column) => column !== IDLE && column !== IOWAIT);
  return busy.reduce((sum, jiffies) => sum + jiffies, 0) / JIFFIES_PER_SECOND;
}

/** Seconds that the threads of a process have run. One that ends meanwhile is left out. */
export async function processSeconds(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`);
  const runs = await Promise.all(
    threads.map(async (thread) => {
      const text = await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').catch(() => '0');
      return Number(text.split(' ')[0]) / NANOSECONDS;
    }),
  );
  return runs.reduce((sum, seconds) => sum + seconds, 0);
}

/** Memory that a process has, and the most that it has had. */
export async function memoryMb(pid: number): Promise<{ readonly now: number; readonly most: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * KIB_IN_MB;
  return { now: field('VmRSS'), most: field('VmHWM') };
}
