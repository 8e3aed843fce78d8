/** What `doctor` looks for in the store and in what stands there. */
import { type Address, overlaps, type Prefix } from '../address.js';
import type { StoreTrouble } from '../conditions.js';
import type { EtcdStoreSection } from '../config.js';
import { isDecided } from '../desired.js';
import { subnetKey } from '../keys.js';
import { isSameHost, type Lease, type PublicIps } from '../lease.js';
import { prefixesOf } from '../lease-overlaps.js';
import { readableLeases } from '../store-view.js';
import type { DoctorFacts } from './facts.js';
import { type DoctorCode, type Finding, type Remedy, shellWord } from './finding.js';

/** A network to begin with, where nobody has said which: flannel's own example. */
const SOME_NETWORK = '{"Network":"10.244.0.0/16"}';

const TROUBLES = {
  unreachable: 'EtcdUnavailable',
  auth: 'EtcdAuth',
  tls: 'EtcdTls',
  alarm: 'EtcdAlarm',
} as const satisfies Record<StoreTrouble, DoctorCode>;

/** etcd's own heartbeat is 100 ms: where a call takes longer than some of them, elections are near. */
const SLOW_MS = 250;

export function etcdFindings(facts: DoctorFacts): readonly Finding[] {
  const { store } = facts;
  const section = facts.config.store;
  if (store === undefined || section.type !== 'etcd') return [];
  const { failure, alarms, roundTripMs, revision } = store;
  if (failure !== undefined) {
    const { trouble, message: detail } = failure;
    return [{ code: TROUBLES[trouble], detail, remedy: troubleRemedy(trouble, section) }];
  }
  const findings: Finding[] = [];
  if (alarms.length > 0) {
    const remedy = [
      ...(revision === undefined ? [] : [etcdctl(section, `compact ${revision}`)]),
      etcdctl(section, 'defrag'),
      etcdctl(section, 'alarm disarm'),
    ];
    findings.push({ code: 'EtcdAlarm', detail: `etcd has raised ${alarms.join(', ')}`, remedy });
  }
  if (roundTripMs !== undefined && roundTripMs > SLOW_MS) {
    const detail = `the quickest of some calls took ${Math.round(roundTripMs)} ms, should take less than ${SLOW_MS} ms`;
    const advice = 'a faster disk for etcd (its WAL), or an etcd nearer to this host';
    findings.push({
      code: 'EtcdSlow',
      detail,
      remedy: [etcdctl(section, 'check perf'), { advice }],
    });
  }
  return findings;
}

function troubleRemedy(trouble: StoreTrouble, section: EtcdStoreSection): readonly Remedy[] {
  const [endpoint = ''] = section.endpoints;
  switch (trouble) {
    case 'unreachable':
      return section.endpoints.map((url) => ({
        run: 'systemctl start etcd',
        ...(isLoopback(url) ? {} : { on: hostOf(url) }),
      }));
    case 'auth': {
      if (section.username === undefined)
        return [{ advice: 'name a user of etcd in store.etcd.username and passwordFile' }];
      const role = 'flannelette';
      return [
        etcdctl(
          section,
          `role get ${role} >/dev/null 2>&1`,
          ` || ${etcdctl(section, `role add ${role}`).run}`,
        ),
        etcdctl(
          section,
          `role grant-permission ${role} --prefix=true readwrite ${shellWord(`${section.prefix}/`)}`,
        ),
        etcdctl(section, `user grant-role ${shellWord(section.username)} ${role}`),
        { advice: `with ETCDCTL_USER=root:PASSWORD in the environment; see also ${section.passwordFile}` },
      ];
    }
    case 'tls':
      return [
        { run: `openssl s_client -showcerts -connect ${hostAndPort(endpoint)} </dev/null` },
        { advice: "replace the files named in store.etcd.tls, or etcd's own, by what fits" },
      ];
    case 'alarm':
      return [etcdctl(section, 'alarm list')];
  }
}

export function networkFindings(facts: DoctorFacts): readonly Finding[] {
  const { store, config, plans, declaredJson } = facts;
  const section = config.store;
  if (store?.view === undefined || section.type !== 'etcd') return [];
  const { network } = store.view;
  const put = (json: string) => [
    etcdctl(section, `put ${shellWord(`${section.prefix}/config`)} ${shellWord(json)}`),
  ];
  const key = `${section.prefix}/config`;
  if (network !== undefined && 'error' in network) {
    const detail = `${key}: ${network.error}`;
    return [{ code: 'NetworkInvalid', detail, remedy: put(declaredJson ?? SOME_NETWORK) }];
  }
  if (network === undefined && config.network.declared === undefined) {
    const detail = `there is no ${key}, and the file declares no network`;
    return [{ code: 'NetworkMissing', detail, remedy: put(SOME_NETWORK) }];
  }
  const conflict = plans?.['network-config']?.foreign.find(({ blocks }) => blocks);
  if (conflict === undefined || declaredJson === undefined) return [];
  return [
    {
      code: 'NetworkConflict',
      detail: conflict.reason,
      remedy: [
        ...put(declaredJson),
        { advice: 'or, if the others are right, the file: every host follows what stands in etcd' },
      ],
    },
  ];
}

export function leaseFindings(facts: DoctorFacts): readonly Finding[] {
  const { store, config, configPath, state } = facts;
  const section = config.store;
  if (store?.view === undefined || section.type !== 'etcd') return [];
  const { view } = store;
  const own = ownPublicIps(facts);
  const setAside = view.quarantined.map(({ key, reason }): Finding => {
    const name = `${section.prefix}/${key}`;
    return {
      code: 'LeasesSetAside',
      detail: `${JSON.stringify(name)}: ${reason}`,
      remedy: [etcdctl(section, `del ${shellWord(name)}`)],
    };
  });
  const inUse = state && isDecided(state) ? subnetKey(state.subnets) : undefined;
  const duplicates = duplicatesOf(readableLeases(view), inUse).map(({ address, kept, others }): Finding => {
    const names = others.map(({ subnets }) => subnetKey(subnets));
    return {
      code: 'DuplicatePublicIp',
      detail: `${address} holds ${subnetKey(kept.subnets)}, and stands in the lease of ${names.join(', ')} too`,
      remedy: names.map((name) => etcdctl(section, `del ${shellWord(`${section.prefix}/subnets/${name}`)}`)),
    };
  });
  const pinned = prefixesOf(config.host.subnets);
  const taken = readableLeases(view)
    .filter(({ attributes }) => own === undefined || !isSameHost(attributes.publicIps, own))
    .filter(({ subnets }) => prefixesOf(subnets).some((held) => pinned.some((want) => overlaps(held, want))))
    .map(({ subnets, attributes: { publicIps } }): Finding => {
      const [subnet = ''] = prefixesOf(subnets);
      return {
        code: 'SubnetTaken',
        detail: `host.subnet is ${pinned.join(', ')}, and ${publicIps.ipv4 ?? publicIps.ipv6} holds ${subnet}`,
        remedy: [{ run: `flannelette leases release ${subnet} -f ${shellWord(configPath)}` }],
      };
    });
  return [...setAside, ...duplicates, ...taken, ...renumberFindings(facts)];
}

function renumberFindings({ state, configPath }: DoctorFacts): readonly Finding[] {
  const change = state && isDecided(state) ? state.renumbering : undefined;
  if (!change?.needsConsent) return [];
  const { from, to, reason } = change;
  return [
    {
      code: 'RenumberRequired',
      detail: `from ${from} to ${to}: ${reason}`,
      remedy: [{ run: `flannelette apply --allow-renumber -f ${shellWord(configPath)}` }],
    },
  ];
}

function ownPublicIps({ state, config }: DoctorFacts): PublicIps | undefined {
  return state && isDecided(state) ? state.publicIps : config.host.publicIps;
}

interface Duplicate {
  readonly address: Address;
  /** The subnet in use here, or else the one written last: its host came after the other. */
  readonly kept: Lease;
  readonly others: readonly Lease[];
}

function duplicatesOf(leases: readonly Lease[], inUse: string | undefined): readonly Duplicate[] {
  const byAddress = new Map<Address, Lease[]>();
  for (const lease of leases) {
    const { ipv4, ipv6 } = lease.attributes.publicIps;
    const address = ipv4 ?? ipv6;
    if (address !== undefined) byAddress.set(address, [...(byAddress.get(address) ?? []), lease]);
  }
  return [...byAddress].flatMap(([address, held]) => {
    const newestFirst = held.toSorted((left, right) => Number(right.modRevision - left.modRevision));
    const kept = newestFirst.find(({ subnets }) => subnetKey(subnets) === inUse) ?? newestFirst[0];
    const others = newestFirst.filter((lease) => lease !== kept);
    return kept === undefined || others.length === 0 ? [] : [{ address, kept, others }];
  });
}

/** As the operator would call it for the same etcd; Debian's 3.4 speaks the old protocol unless told. */
function etcdctl(
  { endpoints, tls }: EtcdStoreSection,
  command: string,
  after = '',
): { readonly run: string } {
  const flags = [
    `--endpoints=${endpoints.join(',')}`,
    ...(tls?.caFile === undefined ? [] : [`--cacert=${tls.caFile}`]),
    ...(tls?.certFile === undefined ? [] : [`--cert=${tls.certFile}`]),
    ...(tls?.keyFile === undefined ? [] : [`--key=${tls.keyFile}`]),
  ];
  return { run: `ETCDCTL_API=3 etcdctl ${flags.map(shellWord).join(' ')} ${command}${after}` };
}

function hostOf(endpoint: string): string {
  return hostAndPort(endpoint).replace(/:\d+$/, '');
}

function hostAndPort(endpoint: string): string {
  return endpoint.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}

function isLoopback(endpoint: string): boolean {
  return /^(127\.|localhost$|\[::1\]$)/.test(hostOf(endpoint));
}

/** The other hosts' subnets. */
export function otherSubnets({
  state,
  store,
}: DoctorFacts): readonly { subnet: Prefix; publicIp: Address }[] {
  if (state === undefined || !isDecided(state) || store?.view === undefined) return [];
  const { publicIps: own } = state;
  return store.view.leases
    .filter(({ attributes }) => !isSameHost(attributes.publicIps, own))
    .flatMap(({ subnets, attributes: { publicIps } }) => {
      const [subnet, publicIp] = [subnets.ipv4 ?? subnets.ipv6, publicIps.ipv4 ?? publicIps.ipv6];
      return subnet === undefined || publicIp === undefined ? [] : [{ subnet, publicIp }];
    });
}
