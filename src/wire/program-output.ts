/** What programs and /proc say about a host, as values: ip-rule(8), ss(8), proc_pid_mountinfo(5), proc_pid_net(5). Lines that cannot be read are left out. */
import { tryParsePrefix } from '../model/address.js';
import type { Mount, RoutingRule } from '../model/doctor/facts.js';
import type { NftListing } from '../model/doctor/packet-way.js';

/** `ip -json rule list`. Throws SyntaxError for anything else. */
export function routingRules(json: string): readonly RoutingRule[] {
  const rules = JSON.parse(json) as readonly {
    readonly priority: number;
    readonly table?: string;
    readonly dst?: string;
    readonly dstlen?: number;
  }[];
  return rules.flatMap(({ priority, table, dst, dstlen = 32 }) => {
    if (table === undefined) return [];
    const to = dst === undefined || dst === 'all' ? undefined : tryParsePrefix(`${dst}/${dstlen}`);
    return [{ priority, table, ...(to !== undefined && { to }) }];
  });
}

/** `nft --json list ruleset`. Throws SyntaxError or TypeError for anything else. */
export function nftListing(json: string): NftListing {
  const { nftables } = JSON.parse(json) as { readonly nftables: NftListing };
  if (!Array.isArray(nftables)) throw new TypeError('Cannot read the rules of nft: no list of them');
  return nftables;
}

/** `ss --udp --listening --processes`: who has the first of the sockets; undefined when there is none. */
export function listenerOf(output: string): { readonly pid?: number; readonly program?: string } | undefined {
  const [line] = output.split('\n').filter((text) => text.trim() !== '');
  if (line === undefined) return undefined;
  const [, program, pid] = /users:\(\("([^"]*)",pid=(\d+)/.exec(line) ?? [];
  return program === undefined ? {} : { program, pid: Number(pid) };
}

/** `/proc/self/mountinfo`, in the order in which they were mounted. */
export function mountsOf(mountinfo: string): readonly Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [, , , , path, options, ...rest] = line.split(' ');
    if (path === undefined || options === undefined) return [];
    const ofFileSystem = rest[rest.indexOf('-') + 3] ?? '';
    const isReadOnly = [options, ofFileSystem].some((words) => words.split(',').includes('ro'));
    return [{ path: unescaped(path), isReadOnly }];
  });
}

/** Blanks and the like are written as `\040`. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** UDP's `InCsumErrors` in `/proc/net/snmp`; 0 when the kernel does not count them. */
export function udpChecksumErrors(snmp: string): number {
  const [names = '', values = ''] = snmp.split('\n').filter((line) => line.startsWith('Udp: '));
  const index = names.split(' ').indexOf('InCsumErrors');
  return index === -1 ? 0 : Number(values.split(' ')[index] ?? 0);
}
