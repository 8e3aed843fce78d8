/** A real world in the words of a fake one, as far as marks.ts reads them. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Netlink, Store, Sysctls } from '../../src/ports.js';
import { worldLines } from '../fakes/world-lines.js';
import { outputOf } from '../lab/process.js';

const NEVER = new AbortController().signal;
const LOCAL_TABLE = 255;
/** Of the host and of its uplink; those of other devices come and go with them. */
const SETTINGS = [
  'net.ipv4.ip_forward',
  'net.ipv4.conf.default.accept_local',
  'net.ipv4.conf.eth0.accept_local',
  'net.ipv4.conf.eth0.rp_filter',
  'net.ipv4.conf.eth0.proxy_arp',
];

export interface World {
  readonly netlink: Netlink;
  readonly sysctls: Sysctls;
  readonly store: Store;
  /** Where the files are. */
  readonly directory: string;
}

export async function kernelLines({ netlink, sysctls, store, directory }: World): Promise<readonly string[]> {
  const groups = await Promise.all([
    objectLines(netlink),
    sysctlLines(sysctls),
    tableLines(),
    chainLines(),
    fileLines(directory),
    storeLines(store),
  ]);
  return groups.flat().sort();
}

/** Without what the kernel makes of itself in IPv6, and without carrier: both settle later, by themselves. */
async function objectLines(netlink: Netlink): Promise<readonly string[]> {
  const [links, addresses, routes] = [
    await netlink.links(),
    await netlink.addresses(),
    await netlink.routes(),
  ];
  return worldLines({
    links: links.map((link) => ({ ...link, carrier: link.kind !== 'tun' })),
    addresses: addresses.filter(({ address }) => !address.includes(':')),
    routes: routes.filter(({ destination, table }) => table !== LOCAL_TABLE && !destination.includes(':')),
  });
}

async function sysctlLines(sysctls: Sysctls): Promise<readonly string[]> {
  return Promise.all(SETTINGS.map(async (name) => `sysctl ${name} = ${await sysctls.read(name)}`));
}

/** All tables but iptables' own, a line for each of theirs. */
async function tableLines(): Promise<readonly string[]> {
  const lines: string[] = [];
  let table = '';
  for (const line of (await outputOf(['nft', '--stateless', 'list', 'ruleset'])).split('\n')) {
    const [, family, name] = /^table (\S+) (\S+) {/.exec(line) ?? [];
    if (name !== undefined) table = name === 'filter' ? '' : `table ${family} ${name}`;
    if (table !== '' && line.trim() !== '') lines.push(`${table} ${line.trim()}`);
  }
  return lines;
}

/** The filter table: each rule under the chain that it is in, a jump under the chain that it leads to. */
async function chainLines(): Promise<readonly string[]> {
  const rules = (await outputOf(['iptables', '-S'])).trimEnd().split('\n');
  return rules.map((rule) => {
    const [, quoted, bare] = /--comment (?:"([^"]+)"|(\S+))/.exec(rule) ?? [];
    const comment = quoted ?? bare;
    const [, chain] = rule.split(' ');
    const [, target] = /^-A FORWARD .*-j (FLANNEL\S*)/.exec(rule) ?? [];
    return `chain ipv4 ${target ?? chain} ${rule}${comment === undefined ? '' : ` by ${comment}`}`;
  });
}

async function fileLines(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.path, entry.name));
  return Promise.all(
    files.map(async (path) => {
      const mode = ((await stat(path)).mode & 0o7777).toString(8).padStart(4, '0');
      return `file ${path} ${mode} ${JSON.stringify(await readFile(path, 'utf8'))}`;
    }),
  );
}

async function storeLines(store: Store): Promise<readonly string[]> {
  const { entries } = await store.snapshot(NEVER);
  return entries.map(({ key, value, lease }) => `store ${key} ${value}${lease === '0' ? '' : ' on a lease'}`);
}
