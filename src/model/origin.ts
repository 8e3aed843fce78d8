/**
 * What an object follows from: the key of the file, the lease in the store, and the rule that makes the one into the
 * other. `diff` and `apply` print it beside each change, `explain` tells all of it.
 */
import { baseOf } from './address.js';
import type { Config } from './config.js';
import type { ConfigPlaces } from './config-places.js';
import type { DesiredState } from './desired.js';
import { subnetKey } from './keys.js';
import { isSameHost, type Lease } from './lease.js';
import type { KindName, StateOf } from './objects.js';
import type { ResourceKey } from './plan.js';
import { readableLeases, type StoreView } from './store-view.js';

export interface Origin {
  /** Key of the file: `network.cidr`. Absent where only the store says it. */
  readonly config?: ConfigOrigin;
  /** Absent where nothing of it is in the store. */
  readonly store?: StoreOrigin;
  /** Why there is such an object, in words that stand alone. */
  readonly rule: string;
}

export interface ConfigOrigin {
  readonly key: string;
  /** Where it is written; both absent where the file leaves it to its default. */
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
}

/** An entry of the store. */
export interface StoreOrigin {
  /** Below the store's prefix: `subnets/4.0.32.0-24`. */
  readonly key: string;
  /** The store's revision of its last write, in decimal. */
  readonly revision: string;
}

export interface OriginSources {
  readonly config: Config;
  readonly places: ConfigPlaces;
  readonly store: StoreView | undefined;
  readonly state: DesiredState;
}

/** Undefined for an object that is not wanted: nothing asks for it any more. */
export type Origins = (kind: KindName, key: ResourceKey) => Origin | undefined;

/** What `sources` want does not change while the answers are asked for. */
export function originsOf(sources: OriginSources): Origins {
  const facts = new Facts(sources);
  const wanted = new Map<string, unknown>();
  for (const [kind, objects] of Object.entries(sources.state.objects))
    for (const { key, state } of objects) wanted.set(`${kind} ${key}`, state);
  return (kind, key) => {
    const state = wanted.get(`${kind} ${key}`);
    // A key's state is of the key's own kind; the pair cannot be told to the compiler.
    return state === undefined ? undefined : RULES[kind](state as never, facts);
  };
}

const RULES: { readonly [K in KindName]: (state: StateOf[K], facts: Facts) => Origin } = {
  'network-config': (_, facts) => facts.network('the network is published for all hosts'),
  command: ({ purpose }, facts) =>
    facts.ofPeer(purpose, `command of backend extension for ${purpose}`) ??
    facts.backend(`command of backend extension: ${purpose}`),
  lease: (_, facts) => facts.ownLease(`this host's subnet: ${facts.subnetReason}`),
  link: (_, facts) => facts.backend('its device'),
  sysctl: ({ name }, facts) =>
    name.endsWith('.accept_local')
      ? facts.backend('its own ICMP errors come in through its device')
      : facts.network('this host routes between its containers and the other hosts'),
  address: (_, facts) => facts.ownLease("this host's own address on the device, out of its subnet"),
  forwarder: (_, facts) => facts.backend('its packets are carried by the packet loop'),
  peer: ({ subnet }, facts) => facts.peer(subnet, 'a row of the packet loop for each other host'),
  fdb: ({ destination }, facts) => facts.peer(destination, 'a forwarding entry for each other host'),
  neighbour: ({ address }, facts) => facts.peer(address, 'a neighbour for each other host'),
  route: ({ destination }, facts) =>
    facts.ofPeer(destination, `backend ${facts.backendType}: a route for each other host`) ??
    facts.network(`backend ${facts.backendType}: one route for the whole network`),
  masquerade: (_, facts) => facts.key('network.ipMasq', 'what leaves the network is masqueraded'),
  forward: (_, facts) => facts.network('its packets pass, whatever the policy of FORWARD is'),
  'flannel-rules': (_, facts) =>
    facts.key('network.ipMasq', 'who masquerades is said there, by rules of ours'),
  file: ({ path }, facts) => facts.file(path),
  'docker-settings': (_, facts) => facts.key('docker.mode', 'Docker reads its part of the network there'),
  'docker-bridge': (_, facts) => facts.key('docker.mode', "Docker's bridge follows what Docker was told"),
};

/** The sources, looked through once. */
class Facts {
  readonly backendType: string;
  readonly subnetReason: string;
  readonly #sources: OriginSources;
  /** The other hosts' leases by subnet, by the subnet's first address and by public address. */
  readonly #peers = new Map<string, Lease>();
  #own: Lease | undefined;

  constructor(sources: OriginSources) {
    const { state, store } = sources;
    this.#sources = sources;
    this.backendType = state.network.backend.type;
    this.subnetReason = state.subnetReason;
    const ownKey = subnetKey(state.subnets);
    for (const lease of store === undefined ? [] : readableLeases(store)) {
      if (subnetKey(lease.subnets) === ownKey) this.#own = lease;
      else if (!isSameHost(lease.attributes.publicIps, state.publicIps)) this.#index(lease);
    }
  }

  #index(lease: Lease): void {
    const { subnets, attributes } = lease;
    for (const subnet of [subnets.ipv4, subnets.ipv6].filter((each) => each !== undefined)) {
      this.#peers.set(subnet, lease);
      this.#peers.set(baseOf(subnet), lease);
    }
    const { ipv4, ipv6 } = attributes.publicIps;
    for (const address of [ipv4, ipv6].filter((each) => each !== undefined)) this.#peers.set(address, lease);
  }

  key(key: string, rule: string): Origin {
    return { config: this.#at(key), rule };
  }

  /** The file's network, or the store's where the file has none. */
  network(rule: string): Origin {
    const { config, state, store } = this.#sources;
    if (config.network.declared !== undefined)
      return this.key(state.network.ipv4 === undefined ? 'network.ipv6.cidr' : 'network.cidr', rule);
    const revision = store?.networkRevision;
    return { ...(revision !== undefined && { store: { key: 'config', revision: `${revision}` } }), rule };
  }

  backend(rule: string): Origin {
    const text = `backend ${this.backendType}: ${rule}`;
    return this.#sources.config.network.declared === undefined
      ? this.network(text)
      : this.key('network.backend', text);
  }

  ownLease(rule: string): Origin {
    const { host, store } = this.#sources.config;
    const { ipv4, ipv6 } = host.subnets;
    const pinnedBy = ipv4 !== undefined ? 'host.subnet' : ipv6 !== undefined ? 'host.subnetIPv6' : undefined;
    const asked = pinnedBy === undefined ? this.network(rule) : this.key(pinnedBy, rule);
    if (this.#own === undefined) return asked;
    if (store.type === 'static') return { ...this.#written(this.#own), rule };
    return { ...asked, ...this.#written(this.#own) };
  }

  /** By its subnet, the first address of that, or its public address. */
  peer(name: string, rule: string): Origin {
    return this.ofPeer(name, rule) ?? this.network(rule);
  }

  ofPeer(name: string, rule: string): Origin | undefined {
    const lease = this.#peers.get(name);
    return lease && { ...this.#written(lease), rule };
  }

  file(path: string): Origin {
    const { files } = this.#sources.config;
    const isSubnetEnv = path === files.subnetEnv;
    const key = isSubnetEnv ? 'files.subnetEnv' : 'files.dockerOptions';
    const reader = isSubnetEnv ? 'whoever starts containers' : 'Docker';
    const { store } = this.ownLease('');
    return { ...this.key(key, `${reader} reads this host's subnet there`), ...(store && { store }) };
  }

  /** A lease stands in the store, or in the file where that has the place of one. */
  #written(lease: Lease): Pick<Origin, 'config' | 'store'> {
    const { store } = this.#sources.config;
    const key = subnetKey(lease.subnets);
    if (store.type === 'etcd') return { store: { key: `subnets/${key}`, revision: `${lease.modRevision}` } };
    const index = store.peers.findIndex(({ subnets }) => subnetKey(subnets) === key);
    return { config: this.#at(`store.static.peers[${index}]`) };
  }

  #at(key: string): ConfigOrigin {
    return { key, ...this.#sources.places(key) };
  }
}
