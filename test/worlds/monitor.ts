/**
 * What the kernel announces while something runs: all lines of `ip monitor all` and `nft monitor` between two marks,
 * and what they say of links, addresses and routes in the words of a plan.
 */
import assert from 'node:assert/strict';
import { parsePrefix } from '../../src/model/address.js';
import type { KernelNetlink } from '../../src/sys/netlink/netlink.js';
import { eventually } from '../lab/eventually.js';
import { LongProcess, outputOf } from '../lab/process.js';

export interface Announcements {
  /** As `ip -oneline monitor all label` prints them. */
  readonly ip: readonly string[];
  /** As `nft monitor` prints them. */
  readonly nft: readonly string[];
}

const MARK_MS = 10_000;
/** A documentation address (RFC 5737) and a table of no use to anybody. */
const MARK_ROUTE = { destination: parsePrefix('203.0.113.1/32'), table: 4242 };
const MARK_TABLE = 'mark';

export class Monitor {
  readonly #netlink: KernelNetlink;
  readonly #ip = new LongProcess(['ip', '-oneline', 'monitor', 'all', 'label']);
  readonly #nft = new LongProcess(['nft', 'monitor']);
  #marks = 0;
  /** How many lines of each were told already. */
  #told = { ip: 0, nft: 0 };

  private constructor(netlink: KernelNetlink) {
    this.#netlink = netlink;
  }

  /** Resolves once both programs tell what happens. Needs `lo` to be up. */
  static async start(netlink: KernelNetlink): Promise<Monitor> {
    const monitor = new Monitor(netlink);
    await eventually('the monitors tell what happens', MARK_MS, async () => {
      await monitor.#mark();
      assert.ok(monitor.#ip.lines.some(isMark) && monitor.#nft.lines.some(isMark));
    });
    await monitor.sinceLast();
    return monitor;
  }

  /** Everything that was announced since the last call. */
  async sinceLast(): Promise<Announcements> {
    const mark = await this.#mark();
    const ends = {
      ip: await this.#lineAfter(
        this.#ip,
        this.#told.ip,
        new RegExp(`^\\[ROUTE\\]Deleted .* metric ${mark} `),
      ),
      nft: await this.#lineAfter(
        this.#nft,
        this.#told.nft,
        new RegExp(`^delete table ip ${MARK_TABLE}${mark}`),
      ),
    };
    const between = (lines: readonly string[], from: number, end: number) =>
      lines.slice(from, end).filter((line) => !isMark(line));
    const announcements = {
      ip: between(this.#ip.lines, this.#told.ip, ends.ip),
      nft: between(this.#nft.lines, this.#told.nft, ends.nft),
    };
    this.#told = ends;
    return announcements;
  }

  async stop(): Promise<void> {
    await Promise.all([this.#ip.stop(), this.#nft.stop()]);
  }

  /** Makes and removes something harmless with a number of its own. Events come in order: what was before it was told before it. */
  async #mark(): Promise<number> {
    const mark = ++this.#marks;
    const route = {
      tos: 0,
      protocol: 4,
      scope: 'link',
      link: 'lo',
      onlink: false,
      metric: mark,
      ...MARK_ROUTE,
    } as const;
    const errors = await this.#netlink.request([
      { op: 'add-route', route },
      { op: 'delete-route', route },
    ]);
    for (const error of errors) assert.ifError(error);
    const table = `${MARK_TABLE}${mark}`;
    await outputOf(['nft', `add table ip ${table}; delete table ip ${table}`]);
    return mark;
  }

  async #lineAfter(process: LongProcess, from: number, pattern: RegExp): Promise<number> {
    await process.waitForLine(pattern, MARK_MS, from);
    return process.lines.findIndex((line, index) => index >= from && pattern.test(line)) + 1;
  }
}

function isMark(line: string): boolean {
  return (
    line.includes(' table 4242 ') || line.startsWith('# new generation') || / table ip mark\d+$/.test(line)
  );
}

/** What the kernel does by itself and announces: each rule says why it is none of our doing. */
const BY_ITSELF: readonly { readonly pattern: RegExp; readonly because: string }[] = [
  {
    pattern: /^\[ADDR\].* inet6 fe80:/,
    because: 'a link that comes up gives itself a link-local address, in its own time',
  },
  { pattern: /^\[ROUTE\].*\b(fe80:|ff00:)/, because: 'and these are its routes' },
  {
    pattern: /^\[ROUTE\](Deleted )?(local|broadcast|anycast|multicast) .* table local /,
    because: 'every address has its entries there',
  },
  {
    pattern: /^\[ROUTE\].* proto kernel /,
    because: 'the network of an address has a route while the link is up',
  },
  { pattern: /^\[NEIGH\]/, because: 'neighbours are found and forgotten as packets flow' },
  {
    pattern: /^\[NETCONF\](Deleted )?inet6? \S+/,
    because: 'a link brings its settings; ours are read back as settings',
  },
];

/** The lines that somebody must answer for. `last` knows the latest line of each link, and is kept up to date. */
export function caused(lines: readonly string[], last: Map<string, string>): readonly string[] {
  return lines.filter((line) => {
    if (BY_ITSELF.some(({ pattern }) => pattern.test(line))) return false;
    const link = linkOf(line);
    if (link === undefined) return true;
    // Carrier comes and goes, and is announced late: with it a link's state and queue, and nothing else of it.
    const settled = line.replace(/<[^>]*>/, withoutCarrier).replace(/ (qdisc|state) \S+/g, '');
    const isSame = last.get(link) === settled;
    last.set(link, settled);
    return !isSame;
  });
}

function withoutCarrier(flags: string): string {
  const kept = flags.slice(1, -1).split(',');
  return kept.filter((flag) => !['NO-CARRIER', 'LOWER_UP', 'RUNNING', 'DORMANT'].includes(flag)).join(',');
}

function linkOf(line: string): string | undefined {
  return /^\[LINK\](?:Deleted )?\d+: ([^:@]+)[:@]/.exec(line)?.[1];
}

/** `write route:4.0.0.0/16`, `delete address:flannel0 4.0.7.0/32`, `link:flannel0`: what lines of caused() say, in words of a plan. */
export function operations(lines: readonly string[]): readonly string[] {
  const remade = new Set(lines.filter((line) => line.startsWith('[LINK]Deleted ')).map(linkOf));
  return lines.flatMap((line) => {
    const verb = /^\[[A-Z]+\]Deleted /.test(line) ? 'delete' : 'write';
    const link = linkOf(line);
    if (link !== undefined) return [`link:${link}`];
    const [, device, address] = /^\[ADDR\](?:Deleted )?\d+: (\S+) +inet (\S+)/.exec(line) ?? [];
    // What was on a device goes with it.
    if (device !== undefined)
      return verb === 'delete' && remade.has(device) ? [] : [`${verb} address:${device} ${address}`];
    const [, destination, rest = ''] = /^\[ROUTE\](?:Deleted )?(?:blackhole )?(\d\S+)(.*)$/.exec(line) ?? [];
    if (destination === undefined) return [`unknown: ${line}`];
    const [, table] = / table (\S+)/.exec(rest) ?? [];
    const [, metric] = / metric (\d+)/.exec(rest) ?? [];
    const identity = [
      destination,
      ...(table ? [`table ${table}`] : []),
      ...(metric ? [`metric ${metric}`] : []),
    ];
    return [`${verb} route:${identity.join(' ')}`];
  });
}
