/** How chance left the objects of this host: close to what is wanted, or not, and with others beside them. */
import { baseOf, type Prefix, parsePrefix, prefixOf } from '../../src/model/address.js';
import type { Config } from '../../src/model/config.js';
import type { DesiredState } from '../../src/model/desired.js';
import { recordText } from '../../src/model/docker/daemon-json.js';
import { forwardChain, masqueradeTable } from '../../src/model/traffic-rules.js';
import { writtenFilesText } from '../../src/model/written-files.js';
import { networkJson } from '../../src/wire/flannel-store.js';
import type { Choices } from './choices.js';
import type { ChainThere, FileThere, TableThere } from './world.js';

type Found = Choices['found'];

const USUAL_NETWORK = parsePrefix('4.0.0.0/16');
const USUAL_SUBNET = '4.0.100.0/24';
const OLD_SUBNET = '4.0.7.0/24';
const OLD_OPTIONS = 'DOCKER_OPT_MTU="--mtu=1400"\n';

/** `wanted` is undefined when nothing can be wanted. */
export function kernelThere(
  found: Found,
  config: Config,
  wanted: DesiredState | undefined,
): readonly string[] {
  // Chance may take the wanted subnet for the old one: nothing is there twice.
  return [...new Set([...linesOnDevice(found, config, wanted), ...otherLines(found, config)])];
}

function linesOnDevice(found: Found, { instance }: Config, wanted: DesiredState | undefined): string[] {
  const name = instance.name;
  const mark = `alias "flannelette ${name}"`;
  const { multiQueue = false, mtu = 1472 } = wanted?.objects.link[0]?.state ?? {};
  const queues = (several: boolean) => (several ? ' multi_queue' : '');
  const tun = (several: boolean, rest: string) => `link ${name} tun${queues(several)} ${rest}`;
  const link: Readonly<Record<Found['link'], readonly string[]>> = {
    'as wanted': [tun(multiQueue, `mtu ${mtu} up no-carrier ${mark}`)],
    absent: [],
    'another mtu': [tun(multiQueue, `mtu ${mtu - 8} up no-carrier ${mark}`)],
    down: [tun(multiQueue, `mtu ${mtu} down no-carrier ${mark}`)],
    'other queues': [tun(!multiQueue, `mtu ${mtu} up no-carrier ${mark}`)],
    unmarked: [tun(multiQueue, `mtu ${mtu} up no-carrier`)],
    'half-made': [tun(multiQueue, 'mtu 1500 down no-carrier')],
    foreign: [`link ${name} bridge mtu 1500 up`],
    'of another kind': [`link ${name} bridge mtu 1500 up ${mark}`],
  };
  if (found.link === 'absent') return [];
  const address = wanted?.objects.address[0]?.state;
  const onDevice: Readonly<Record<Found['onDevice'][number], string>> = {
    'old subnet': `address ${OLD_SUBNET.replace('/24', '/32')} dev ${name}`,
    "operator's address": `address 192.0.2.1/24 dev ${name}`,
    "operator's route": `route 198.51.100.0/24 dev ${name} proto static`,
  };
  // A death while the device was made came before there was anything on it.
  if (found.link === 'half-made') return [...link['half-made']];
  const isUp = link[found.link].some((line) => line.includes(' up'));
  return [
    ...link[found.link],
    ...(found.address === 'as wanted' && address ? [`address ${address.address}/32 dev ${name}`] : []),
    // Only on a device that is up can there be routes.
    ...found.onDevice.map((what) => onDevice[what]).filter((line) => isUp || line.startsWith('address')),
    ...(isUp ? routesOnDevice(found, instance, wanted) : []),
    ...(found.acceptLocal === '1'
      ? [`sysctl net.ipv4.conf.${name.replaceAll('.', '/')}.accept_local = 1`]
      : []),
  ];
}

function routesOnDevice(
  { route, otherRoutes }: Found,
  { name, routeProtocol }: Config['instance'],
  wanted: DesiredState | undefined,
): readonly string[] {
  const network = wanted?.networks[0] ?? USUAL_NETWORK;
  const ours = `proto ${routeProtocol}`;
  const inPlace: Partial<Record<Found['route'], string>> = {
    'as wanted': `route ${network} dev ${name} ${ours}`,
    unmarked: `route ${network} dev ${name}`,
    'scope link': `route ${network} dev ${name} ${ours} scope link`,
  };
  const others: Partial<Record<Found['otherRoutes'][number], string>> = {
    metric: `route ${network} dev ${name} metric 5 ${ours}`,
    table: `route ${network} dev ${name} table 1000 ${ours}`,
    'old network': `route 4.7.0.0/16 dev ${name} ${ours}`,
    'foreign metric': `route ${network} dev ${name} metric 50 proto static`,
  };
  return [inPlace[route] ?? [], ...otherRoutes.map((what) => others[what] ?? [])].flat();
}

function otherLines(found: Found, { instance, network }: Config): readonly string[] {
  const cidr: Prefix = network.declared?.ipv4?.cidr ?? USUAL_NETWORK;
  const ours = `proto ${instance.routeProtocol}`;
  const inPlace: Partial<Record<Found['route'], string>> = {
    astray: `route ${cidr} via 10.8.0.9 dev eth0 ${ours}`,
    foreign: `route ${cidr} via 10.8.0.9 dev eth0 proto static`,
    blackhole: `route blackhole ${cidr} proto static`,
  };
  const others: Partial<Record<Found['otherRoutes'][number], string>> = {
    'into a subnet': `route ${prefixOf(baseOf(cidr), 24)} via 10.8.0.9 dev eth0 ${ours}`,
    'foreign subnet': `route ${prefixOf(baseOf(cidr), 20)} via 10.8.0.9 dev eth0 proto static`,
  };
  const neighbours: Partial<Record<Found['neighbours'][number], readonly string[]>> = {
    docker: ['link docker0 bridge mtu 1500 up', 'address 4.0.100.1/24 dev docker0'],
    'other instance': [
      'link flannel9 tun mtu 1472 up no-carrier alias "flannelette flannel9"',
      'address 5.0.9.0/32 dev flannel9',
      `route 5.0.0.0/16 dev flannel9 ${ours}`,
    ],
    'forgotten device': [`link old0 tun mtu 1500 up no-carrier alias "flannelette ${instance.name}"`],
    settings: ['sysctl net.ipv4.conf.eth0.rp_filter = 2', 'sysctl net.ipv4.conf.eth0.proxy_arp = 1'],
  };
  return [
    ...found.neighbours.flatMap((what) => neighbours[what] ?? []),
    inPlace[found.route] ?? [],
    ...found.otherRoutes.map((what) => others[what] ?? []),
    found.forwarding === '1' ? ['sysctl net.ipv4.ip_forward = 1'] : [],
    found.acceptLocal === 'default 1' ? ['sysctl net.ipv4.conf.default.accept_local = 1'] : [],
  ].flat();
}

export function tablesThere(
  found: Found,
  { instance }: Config,
  wanted: DesiredState | undefined,
): readonly TableThere[] {
  const table = masqueradeTable(instance.name);
  const [network = USUAL_NETWORK, subnet = USUAL_SUBNET] = [wanted?.networks[0], wanted?.subnets.ipv4];
  const own: Partial<Record<Found['table'], TableThere>> = {
    'as wanted': { table, network, subnet },
    'old subnet': { table, network, subnet: OLD_SUBNET },
    'foreign rule': { table, network, subnet, foreignRule: true },
  };
  const other = { table: masqueradeTable('flannel9'), network: '5.0.0.0/16', subnet: '5.0.9.0/24' };
  return [own[found.table] ?? [], found.neighbours.includes('other instance') ? other : []].flat();
}

export function chainsThere(
  found: Found,
  { instance }: Config,
  wanted: DesiredState | undefined,
): readonly ChainThere[] {
  const [chain, network = USUAL_NETWORK] = [forwardChain(instance.name), wanted?.networks[0]];
  const by = 'flannelette';
  const own: Partial<Record<Found['chain'], ChainThere>> = {
    'as wanted': { chain, network, by },
    'old network': { chain, network: '4.7.0.0/16', by },
    'no jump': { chain, network, by, jump: false },
    'foreign rule': { chain, network, by, foreignRule: true },
    "flanneld's": { chain, network, by: 'flanneld' },
    "flanneld's other": { chain, network: '10.5.0.0/16', by: 'flanneld' },
  };
  const other: ChainThere = { chain: forwardChain('flannel9'), network: '5.0.0.0/16', by };
  return [own[found.chain] ?? [], found.neighbours.includes('other instance') ? other : []].flat();
}

export function filesThere(
  found: Found,
  { files, instance, network, docker }: Config,
  wanted: DesiredState | undefined,
): readonly FileThere[] {
  const content = (path: string) =>
    wanted?.objects.file.find(({ state }) => state.path === path)?.state.content ?? '';
  const [env, options] = [content(files.subnetEnv), content(files.dockerOptions)];
  const envs: Partial<Record<Found['subnetEnv'], Omit<FileThere, 'path'>>> = {
    'as wanted': { content: env },
    edited: { content: env.replace(/MTU=\d+/, 'MTU=1234') },
    private: { content: env, mode: '0600' },
    'old subnet': { content: `FLANNEL_SUBNET=${OLD_SUBNET.replace('.0/', '.1/')}\n` },
    garbage: { content: 'FLANNEL_SUBNET=everything\n' },
  };
  const dockerOptions = {
    'as wanted': { content: options },
    edited: { content: `${options}# edited\n` },
    'written before': { content: OLD_OPTIONS },
    absent: undefined,
  }[found.dockerOptions];
  const record = new Map([[files.dockerOptions, [OLD_OPTIONS]]]);
  const written =
    found.dockerOptions === 'written before' ? { content: writtenFilesText(record) } : undefined;
  const published = {
    'as declared': network.declared && { content: `${networkJson(network.declared)}\n` },
    other: { content: '{"Network":"10.5.0.0/16"}\n' },
    absent: undefined,
  }[found.published];
  const state = `${instance.stateDirectory}/${instance.name}`;
  const neighbour = found.neighbours.includes('files') ? { content: 'FLANNEL_MTU=1472\n' } : undefined;
  return [
    { path: files.subnetEnv, file: envs[found.subnetEnv] },
    { path: files.dockerOptions, file: dockerOptions },
    { path: `${state}/published.json`, file: published },
    { path: `${state}/files.json`, file: written },
    ...dockerFiles(found, docker.daemonJson, `${state}/daemon-json.json`, wanted),
    { path: files.subnetEnv.replace('/flannel/', '/flannel9/'), file: neighbour },
  ].flatMap(({ path, file }) => (file === undefined ? [] : [{ path, ...file }]));
}

/** Docker's own file, and the record of what was written into it. */
function dockerFiles(
  found: Found,
  path: string,
  recordPath: string,
  wanted: DesiredState | undefined,
): readonly { readonly path: string; readonly file: { readonly content: string } | undefined }[] {
  const file = (settings: object) => ({
    content: `${JSON.stringify({ debug: true, ...settings }, null, 2)}\n`,
  });
  const record = (settings: object) => {
    const written = Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, [value]]));
    return { content: recordText({ created: false, written }) };
  };
  const now = wanted?.objects['docker-settings'][0]?.state.settings ?? { mtu: 1472 };
  const before = { bip: '4.0.7.1/24', mtu: 1400 };
  const there: Partial<Record<Found['daemonJson'], { readonly content: string }>> = {
    "operator's": file({}),
    "operator's mtu": file({ mtu: 1450 }),
    'not JSON': { content: 'debug' },
    'as wanted': file(now),
    'written before': file(before),
  };
  const recorded: Partial<Record<Found['daemonJson'], { readonly content: string }>> = {
    'as wanted': record(now),
    'written before': record(before),
  };
  return [
    { path, file: there[found.daemonJson] },
    { path: recordPath, file: recorded[found.daemonJson] },
  ];
}
