/** From choices to a file and a world. What is wanted is asked of the program itself; how it is found is up to chance. */
import { readConfig } from '../../src/config/read-config.js';
import { parseAddress } from '../../src/model/address.js';
import type { Config } from '../../src/model/config.js';
import { type DesiredState, desiredState, isDecided } from '../../src/model/desired.js';
import { parseSubnetEnv } from '../../src/model/env-files.js';
import type { StoreEntry } from '../../src/model/store-view.js';
import { networkJson, storeView } from '../../src/wire/flannel-store.js';
import { type Choices, UNDISTURBED } from './choices.js';
import { chainsThere, filesThere, kernelThere, tablesThere } from './found.js';
import type { Marks } from './marks.js';
import type { EntryThere, FileThere, World } from './world.js';

/** Where a world is put: a directory that stands for the root of the disk, and a place in a store. */
export interface Site {
  readonly root: string;
  readonly endpoint: string;
  readonly prefix: string;
}

export interface RandomWorld {
  /** The file's text. */
  readonly config: string;
  readonly world: World;
  readonly marks: Marks;
  /** What is wanted of the host itself, as it stands there when nothing is wrong. Undefined when nothing can be wanted. */
  readonly ideal: World | undefined;
}

/** Of `eth0`, which leads to everybody. */
const OWN_ADDRESS = '10.8.65.66';
const OTHER_HOST = '10.8.65.53';

export function randomWorld(choices: Choices, site: Site): RandomWorld {
  const text = configText(choices, site);
  const config = parsed(text);
  const store = config.store.type === 'etcd' ? entries(choices, config) : [];
  // What an old subnet.env says is one of the things that decide what is wanted.
  const files = filesThere(choices.found, config, undefined);
  const wanted = wantedState(config, store, files);
  return {
    config: text,
    marks: marksOf(config, store),
    ideal: wanted && idealWorld(config, wanted),
    world: {
      kernel: kernelThere(choices.found, config, wanted),
      tables: tablesThere(choices.found, config, wanted),
      chains: chainsThere(choices.found, config, wanted),
      files: filesThere(choices.found, config, wanted),
      store,
    },
  };
}

function idealWorld(config: Config, wanted: DesiredState): World {
  const { network, files, docker } = config;
  const paths = [files.subnetEnv, ...(docker.mode === 'options-file' ? [files.dockerOptions] : [])];
  return {
    kernel: kernelThere(UNDISTURBED, config, wanted),
    tables: network.ipMasq ? tablesThere(UNDISTURBED, config, wanted) : [],
    chains: chainsThere(UNDISTURBED, config, wanted),
    files: filesThere(UNDISTURBED, config, wanted).filter(({ path }) => paths.includes(path)),
    store: [],
  };
}

function configText({ file }: Choices, { root, endpoint, prefix }: Site): string {
  const isStatic = file.store === 'static';
  const network = isStatic ? 'declared' : file.network;
  const declared = {
    cidr: network === 'moved' ? '4.9.0.0/16' : '4.0.0.0/16',
    ...(network === 'divided anew' && { subnetMin: '4.0.128.0' }),
    ...(!isStatic && { publish: file.publish }),
    backend: { type: 'udp', port: Number(file.port) },
  };
  const subnet = isStatic ? '4.0.100.0/24' : inNetwork(file.subnet, network);
  const peers = [
    { subnet: '4.0.100.0/24', publicIP: ownAddress(file) },
    { subnet: '4.0.32.0/24', publicIP: OTHER_HOST },
  ];
  // JSON is YAML.
  return JSON.stringify({
    network: {
      ...(network !== 'from the store' && declared),
      mtu: file.mtu === 'auto' ? 'auto' : Number(file.mtu),
      ipMasq: file.ipMasq === 'true',
    },
    host: {
      ...(subnet !== 'any' && { subnet }),
      ...(file.publicIp !== 'own' && { publicIP: file.publicIp }),
    },
    store: isStatic ? { static: { peers } } : { etcd: { endpoints: [endpoint], prefix } },
    dataplane: { workers: Number(file.workers) },
    files: { subnetEnv: `${root}/run/flannel/subnet.env`, dockerOptions: `${root}/run/flannel/docker` },
    docker: { mode: file.docker, daemonJson: `${root}/etc/docker/daemon.json` },
    instance: {
      name: file.instance,
      routeProtocol: Number(file.routeProtocol),
      stateDirectory: `${root}/var/lib/flannelette`,
    },
  });
}

function ownAddress({ publicIp }: Choices['file']): string {
  return publicIp === 'own' ? OWN_ADDRESS : publicIp;
}

/** A pinned subnet must be one of the file's network, or the file is refused. */
function inNetwork(subnet: string, network: Choices['file']['network']): string {
  if (network === 'moved') return subnet.replace('4.0.', '4.9.');
  return network === 'divided anew' && subnet !== 'any' ? '4.0.200.0/24' : subnet;
}

function parsed(text: string): Config {
  const reading = readConfig(text, 'flannelette.yaml');
  if ('errors' in reading) throw new Error(`Cannot use ${text}: ${JSON.stringify(reading.errors)}`);
  return reading.config;
}

const NETWORKS = {
  'other port': '{"Network":"4.0.0.0/16","SubnetLen":24,"Backend":{"Type":"udp","Port":8286}}',
  moved: '{"Network":"4.9.0.0/16","Backend":{"Type":"udp","Port":8285}}',
  invalid: '{"Network":"4.0.0.0/99"}',
  absent: undefined,
} as const;
const USUAL_NETWORK = '{"Network":"4.0.0.0/16","Backend":{"Type":"udp"}}';

function entries({ file, store }: Choices, { network: { declared } }: Config): readonly EntryThere[] {
  const own = ownAddress(file);
  const value = (publicIp: string, more = {}) =>
    JSON.stringify({ PublicIP: publicIp, PublicIPv6: null, ...more });
  const lease = (subnet: string, publicIp: string, more?: object): EntryThere => ({
    key: `subnets/${subnet}`,
    value: value(publicIp, more),
    leased: true,
  });
  const another = { BackendType: 'vxlan', BackendData: { VtepMAC: 'aa:bb:cc:dd:ee:ff' }, Weight: 3 };
  const owns: Readonly<Record<Choices['store']['own'], readonly EntryThere[]>> = {
    none: [],
    leased: [lease('4.0.100.0-24', own)],
    reserved: [{ key: 'subnets/4.0.100.0-24', value: value(own) }],
    'of another backend': [lease('4.0.100.0-24', own, another)],
    taken: [lease('4.0.100.0-24', '10.8.65.70')],
    'too wide': [lease('4.0.100.0-23', own)],
    elsewhere: [lease('4.7.1.0-24', own)],
  };
  const besides: Readonly<Record<Choices['store']['beside'][number], EntryThere>> = {
    'second own': lease('4.0.101.0-24', own),
    other: lease('4.0.32.0-24', OTHER_HOST),
    overlapping: lease('4.0.32.128-25', '10.8.65.72'),
    'junk key': { key: 'subnets/4.0.41.0-33', value: value('10.8.65.71') },
    'junk value': { key: 'subnets/4.0.40.0-24', value: 'not JSON' },
  };
  const published = declared === undefined ? USUAL_NETWORK : networkJson(declared);
  const network = store.network === 'as declared' ? published : NETWORKS[store.network];
  const beside = new Map(store.beside.map((name) => [besides[name].key, besides[name]]));
  return [
    ...(network === undefined ? [] : [{ key: 'config', value: network }]),
    ...owns[store.own],
    ...beside.values(),
  ];
}

/** Undefined when nothing can be wanted. */
function wantedState(
  config: Config,
  store: readonly EntryThere[],
  files: readonly FileThere[],
): DesiredState | undefined {
  const address = parseAddress(OWN_ADDRESS);
  const there = files.find(({ path }) => path === config.files.subnetEnv)?.content ?? '';
  const stored = store.map(({ key, value, leased = false }, index): StoreEntry => {
    const revision = BigInt(index + 1);
    return { key, value, createRevision: revision, modRevision: revision, lease: leased ? '1' : '0' };
  });
  const state = desiredState({
    config,
    store: storeView(stored),
    host: {
      external: { name: 'eth0', mtu: 1500, ipv4: address, chosenBy: 'default route' },
      publicIps: { ipv4: address, ...config.host.publicIps },
      reach: [],
      previousSubnets: parseSubnetEnv(there).subnets,
    },
    forwards: false,
  });
  return isDecided(state) ? state : undefined;
}

function marksOf(config: Config, store: readonly EntryThere[]): Marks {
  const { instance, host, files, network, docker } = config;
  const state = `${instance.stateDirectory}/${instance.name}`;
  const stored = store.find(({ key }) => key === 'config')?.value ?? '{}';
  return {
    name: instance.name,
    routeProtocol: instance.routeProtocol,
    network: network.declared?.ipv4?.cidr ?? (JSON.parse(stored) as { Network?: string }).Network,
    publicIp: host.publicIps.ipv4 ?? OWN_ADDRESS,
    files: [
      files.subnetEnv,
      // With Docker left alone it may be anybody's.
      ...(docker.mode === 'off' ? [] : [files.dockerOptions]),
      `${state}/published.json`,
      `${state}/daemon-json.json`,
      `${state}/files.json`,
    ],
    daemonJson: docker.daemonJson,
  };
}
