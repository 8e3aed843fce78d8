/**
 * Puts a world onto the calling thread's network namespace, a directory and etcd, as others would have made it, and
 * takes it away again. Beside it there is always an uplink:
 *
 *   eth0 10.8.65.66/16, default via 10.8.0.1 ── veth ── eth1
 */
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parsePrefix } from '../../src/model/address.js';
import type { VxlanState } from '../../src/model/objects.js';
import { masqueradeRules } from '../../src/model/traffic-rules.js';
import type { Firewall, Store, Sysctls } from '../../src/ports.js';
import { outputOf } from '../lab/process.js';
import {
  type ChainThere,
  type EntryThere,
  type FileThere,
  kernelThing,
  type TableThere,
  type World,
} from './world.js';

const NEVER = new AbortController().signal;
const LEASE_TTL_SECONDS = 86_400;

export interface RealPorts {
  readonly firewall: Firewall;
  readonly sysctls: Sysctls;
  readonly store: Store;
}

export async function putOnKernel(
  { firewall, sysctls, store }: RealPorts,
  { kernel, tables, chains, files, store: entries }: World,
): Promise<void> {
  await ip([...UPLINK, ...kernel.flatMap(ipCommands)]);
  for (const line of kernel) {
    const thing = kernelThing(line);
    // bridge(8) is the one for forwarding entries.
    if (thing.what === 'fdb') await outputOf(['bridge', 'fdb', 'replace', ...line.split(' ').slice(1)]);
    if (thing.what === 'sysctl') await sysctls.write(thing);
  }
  for (const table of tables) await putTable(firewall, table);
  for (const chain of chains) await putChain(firewall, chain);
  for (const file of files) await putFile(file);
  for (const entry of entries) await putEntry(store, entry);
}

/** Everything but `lo`, and all settings and rules as in a fresh namespace; `directory` is gone. */
export async function clearKernel(links: readonly string[], directory: string): Promise<void> {
  await ip([
    'route flush table main',
    ...links.filter((name) => name !== 'lo' && name !== 'eth1').map((name) => `link delete dev ${name}`),
  ]);
  await outputOf([
    'sh',
    '-euc',
    'nft flush ruleset; cd /proc/sys/net/ipv4; echo 0 >ip_forward; echo 0 >conf/default/accept_local',
  ]);
  await rm(directory, { recursive: true, force: true });
}

const UPLINK = [
  'link add eth0 type veth peer name eth1',
  'link set dev eth0 up',
  'link set dev eth1 up',
  'address add 10.8.65.66/16 dev eth0',
  'route add default via 10.8.0.1',
];

function ip(commands: readonly string[]): Promise<string> {
  return outputOf(['ip', '-batch', '-'], { input: `${commands.join('\n')}\n` });
}

/** A world's words are nearly those of ip(8). */
function ipCommands(line: string): readonly string[] {
  const thing = kernelThing(line);
  switch (thing.what) {
    case 'link': {
      const { name, kind, multiQueue, mtu, up, alias, vxlan } = thing;
      const queues = multiQueue ? ' multi_queue' : '';
      const details = vxlan === undefined ? '' : vxlanWords(vxlan);
      return [
        kind === 'tun'
          ? `tuntap add dev ${name} mode tun${queues}`
          : `link add ${name}${vxlan === undefined ? '' : ` address ${vxlan.mac}`} type ${kind}${details}`,
        `link set dev ${name} mtu ${mtu}`,
        ...(alias === undefined ? [] : [`link set dev ${name} alias "${alias}"`]),
        ...(up ? [`link set dev ${name} up`] : []),
      ];
    }
    case 'neighbour':
      return [`neighbour replace ${line.slice('neighbour '.length)} nud permanent`];
    case 'fdb':
      return [];
    case 'address':
      return [`address add ${thing.address}/${thing.length} dev ${thing.link}`];
    case 'route':
      // ip(8) would guess the narrowest scope.
      return [`route add ${line.slice('route '.length)}${line.includes(' scope ') ? '' : ' scope global'}`];
    case 'sysctl':
      return [];
  }
}

function vxlanWords({ vni, port, local, underlay, learning, gbp }: VxlanState): string {
  const flags = `${learning ? '' : ' nolearning'}${gbp ? ' gbp' : ''}`;
  return ` id ${vni} dstport ${port} local ${local} dev ${underlay}${flags}`;
}

async function putTable(
  firewall: Firewall,
  { table, network, subnet, foreignRule }: TableThere,
): Promise<void> {
  const rules = masqueradeRules(parsePrefix(network), parsePrefix(subnet));
  await firewall.replaceMasquerade({ family: 'ipv4', table, rules, unreadable: [] }, NEVER);
  if (foreignRule === true)
    await outputOf(['nft', 'add', 'rule', 'ip', table, 'postrouting', 'tcp', 'dport', '9', 'drop']);
}

async function putChain(
  firewall: Firewall,
  { chain, network, by, jump = true, foreignRule }: ChainThere,
): Promise<void> {
  const accept = [parsePrefix(network)];
  if (by === 'flanneld') await makeFlanneldChain(chain, network);
  else await firewall.replaceForward({ family: 'ipv4', chain, accept, jump, unreadable: [] }, NEVER);
  if (foreignRule === true) await outputOf(['iptables', '-A', chain, '-p', 'udp', '-j', 'ACCEPT']);
}

async function makeFlanneldChain(chain: string, network: string): Promise<void> {
  const comment = '-m comment --comment "flanneld forward"';
  const rules = [
    `-A FORWARD ${comment} -j ${chain}`,
    `-A ${chain} -s ${network} ${comment} -j ACCEPT`,
    `-A ${chain} -d ${network} ${comment} -j ACCEPT`,
  ];
  const input = ['*filter', `:${chain} - [0:0]`, ...rules, 'COMMIT', ''].join('\n');
  await outputOf(['iptables-restore', '--noflush'], { input });
}

async function putFile({ path, content, mode = '0644' }: FileThere): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  await chmod(path, Number.parseInt(mode, 8));
}

async function putEntry(store: Store, { key, value, leased = false }: EntryThere): Promise<void> {
  const lease = leased ? await store.grantLease(LEASE_TTL_SECONDS, NEVER) : '0';
  await store.compareAndPut({ key, value, expected: 0n, lease }, NEVER);
}
