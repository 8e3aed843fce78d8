/** Tells what was written to a host's kernel: all that the monitors of ip and nft print between two marks. */
import { eventually } from './eventually.js';
import type { Host } from './host.js';
import type { LongProcess } from './process.js';

const MARK_MS = 30_000;
/** A documentation address (RFC 5737) and a table of no use to anybody. */
const MARKS = ['203.0.113.', 'silence_mark'] as const;

/** What the kernel announced on this host while `body` ran: links, IPv4 addresses, routes and nf_tables. */
export async function changesDuring(host: Host, body: () => Promise<void>): Promise<readonly string[]> {
  const monitors = [
    // Addresses of IPv6 settle by themselves for a while after a link came up.
    host.spawn(['ip', '-4', 'monitor', 'link', 'address', 'route']),
    host.spawn(['nft', 'monitor']),
  ];
  try {
    const starts = await mark(host, monitors, 1);
    await body();
    await mark(host, monitors, 2);
    return monitors.flatMap(({ lines }, index) => lines.slice(starts[index]).filter((line) => !isMark(line)));
  } finally {
    await Promise.all(monitors.map((monitor) => monitor.stop()));
  }
}

/** Makes and removes something harmless until every monitor has told of it; resolves with the lines at which they did. */
function mark(host: Host, monitors: readonly LongProcess[], number: 1 | 2): Promise<readonly number[]> {
  return eventually('the monitors tell what happens', MARK_MS, async () => {
    await host.script(`
ip route replace blackhole ${MARKS[0]}${number}
ip route delete blackhole ${MARKS[0]}${number}
nft add table ip ${MARKS[1]}${number}
nft delete table ip ${MARKS[1]}${number}`);
    return monitors.map(({ lines }, index) => {
      const at = lines.findIndex((line) => line.includes(`${MARKS[index]}${number}`));
      if (at < 0) throw new Error(`no mark ${number} in:\n${lines.join('\n')}`);
      return at;
    });
  });
}

function isMark(line: string): boolean {
  return line.startsWith('# new generation') || MARKS.some((text) => line.includes(text));
}
