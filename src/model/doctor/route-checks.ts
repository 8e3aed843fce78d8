/** What `doctor` looks for in interfaces, addresses and routes. */
import { type Address, addressAt, contains, lengthOf, overlaps, type Prefix, prefixOf } from '../address.js';
import { isDecided } from '../desired.js';
import { MAIN_TABLE } from '../keys.js';
import { prefixesOf } from '../lease-overlaps.js';
import type { DoctorFacts, FoundRoute, KernelFacts } from './facts.js';
import { type Finding, shellWord } from './finding.js';
import { otherSubnets } from './store-checks.js';

/** linux/rtnetlink.h: made by the kernel together with an address. */
const RTPROT_KERNEL = 2;
const REFUSING: ReadonlySet<string> = new Set(['blackhole', 'unreachable', 'prohibit']);
const LOCAL_TABLES = ['local', '255'];

export function interfaceFindings(facts: DoctorFacts): readonly Finding[] {
  const { config, kernel, interfaceTrouble: detail } = facts;
  const { interface: selector } = config.host;
  const chosen = selector.by === 'name' ? selector.name : externalLink(facts);
  const isDown = kernel?.links.some(({ name, up }) => name === chosen && !up) ?? false;
  if (chosen !== undefined && isDown) {
    const remedy = [{ run: `ip link set dev ${shellWord(chosen)} up` }];
    return [{ code: 'InterfaceUnusable', detail: `${chosen} is down`, remedy }];
  }
  if (detail === undefined) return [];
  const [down, ...more] = kernel?.links.filter(({ up }) => !up) ?? [];
  const remedy =
    down !== undefined && more.length === 0
      ? { run: `ip link set dev ${shellWord(down.name)} up` }
      : { advice: `name one of ${usable(kernel)} in host.interface` };
  return [{ code: 'InterfaceUnusable', detail, remedy: [remedy] }];
}

function usable(kernel: KernelFacts | undefined): string {
  const names = kernel?.links.filter(({ name, up }) => up && name !== 'lo').map(({ name }) => name) ?? [];
  return names.length === 0 ? 'the interfaces' : names.join(', ');
}

/** The kernel's strict mode: an address that is answered by another interface is not believed (RFC 3704, 2.2). */
const STRICT = 1;

export function reversePathFindings(facts: DoctorFacts): readonly Finding[] {
  const { kernel, state } = facts;
  if (kernel === undefined || state === undefined || !isDecided(state)) return [];
  const external = externalLink(facts);
  if (external === undefined) return [];
  const dotless = external.replaceAll('.', '/');
  const name = `net.ipv4.conf.${dotless}.rp_filter`;
  const effective = Math.max(
    Number(kernel.sysctls['net.ipv4.conf.all.rp_filter'] ?? 0),
    Number(kernel.sysctls[name] ?? 0),
  );
  if (effective !== STRICT) return [];
  const answered = otherSubnets(facts).filter(({ publicIp }) => {
    const way = kernel.ways.get(publicIp);
    return way !== undefined && way !== external;
  });
  if (answered.length === 0) return [];
  const hosts = answered.map(({ publicIp }) => `${publicIp} by ${kernel.ways.get(publicIp)}`);
  return [
    {
      code: 'ReversePathFilter',
      detail: `${external} filters strictly, and is not the way back to ${hosts.join(', ')}`,
      remedy: [{ run: `sysctl -w ${name}=2` }],
      isSafe: true,
    },
  ];
}

/** The one with our public address, or whose address a NAT hides. */
function externalLink({ kernel, state }: DoctorFacts): string | undefined {
  if (state === undefined || !isDecided(state)) return undefined;
  const { ipv4, ipv6 } = state.publicIps;
  return kernel?.addresses.find(({ address }) => address === ipv4 || address === ipv6)?.link;
}

export function peerRouteFindings(facts: DoctorFacts): readonly Finding[] {
  const { kernel } = facts;
  if (kernel === undefined) return [];
  const refused = otherSubnets(facts).filter(
    ({ publicIp }) => kernel.ways.has(publicIp) && kernel.ways.get(publicIp) === undefined,
  );
  const byRoute = new Map<string, Address[]>();
  for (const { publicIp } of refused) {
    const culprit = narrowest(kernel.routes.filter(({ destination }) => contains(destination, publicIp)));
    const run =
      culprit !== undefined && REFUSING.has(culprit.type) ? `ip route del ${routeText(culprit)}` : undefined;
    byRoute.set(run ?? '', [...(byRoute.get(run ?? '') ?? []), publicIp]);
  }
  return [...byRoute].map(([run, hosts]) => ({
    code: 'PeerUnroutable',
    detail: `the kernel has no way to ${hosts.join(', ')}`,
    remedy: [run === '' ? { advice: `give this host a route to ${hosts.join(', ')}` } : { run }],
  }));
}

function narrowest(routes: readonly FoundRoute[]): FoundRoute | undefined {
  return routes.toSorted((left, right) => lengthOf(right.destination) - lengthOf(left.destination))[0];
}

export function overlapFindings(facts: DoctorFacts): readonly Finding[] {
  const { kernel, state, config } = facts;
  if (kernel === undefined || state === undefined || !isDecided(state)) return [];
  const { networks, subnets, devices } = state;
  const own = prefixesOf(subnets);
  const isInOwn = (prefix: Prefix) => own.some((subnet) => contains(subnet, prefix));
  const ours = new Set<string>([...devices, config.docker.bridge, 'lo']);
  const routes = kernel.routes
    .filter(({ table, protocol }) => table === MAIN_TABLE && protocol !== RTPROT_KERNEL)
    .filter(({ protocol }) => protocol !== config.instance.routeProtocol)
    .filter(({ destination }) => networks.some((network) => contains(network, destination)))
    .filter(
      ({ destination, link }) => !isInOwn(destination) && !(link !== undefined && devices.includes(link)),
    )
    .filter((route) => !isInPlaceOfOurs(route, facts))
    .map(
      (route): Finding => ({
        code: 'OverlappingRoute',
        detail: `${routeText(route)} is inside the container network ${networks.join(', ')}`,
        remedy: [{ run: `ip route del ${routeText(route)}` }],
      }),
    );
  const addresses = kernel.addresses
    .filter(({ link }) => !ours.has(link))
    .map((found) => ({ ...found, prefix: prefixOf(found.address, found.length) }))
    .filter(({ prefix }) => networks.some((network) => overlaps(network, prefix)) && !isInOwn(prefix))
    .map(
      ({ link, address, length }): Finding => ({
        code: 'OverlappingAddress',
        detail: `${link} has ${address}/${length}, which overlaps the container network ${networks.join(', ')}`,
        remedy: [{ run: `ip address del ${address}/${length} dev ${shellWord(link)}` }],
      }),
    );
  return [...addresses, ...routes];
}

/** Then it is a conflict, which the plan names. */
function isInPlaceOfOurs({ destination, table, metric }: FoundRoute, { state }: DoctorFacts): boolean {
  if (state === undefined || !isDecided(state)) return false;
  return state.objects.route.some(
    ({ state: ours }) => ours.destination === destination && ours.table === table && ours.metric === metric,
  );
}

export function ruleFindings(facts: DoctorFacts): readonly Finding[] {
  const { kernel, state } = facts;
  if (kernel === undefined || state === undefined || !isDecided(state)) return [];
  const culprits = kernel.rules.filter(({ priority, table, to }) => {
    if (LOCAL_TABLES.includes(table) || table === 'main' || table === String(MAIN_TABLE)) return false;
    if (priority > MAIN_RULE) return false;
    return otherSubnets(facts).some(({ subnet }) => {
      const address = addressAt(subnet, 1);
      if (to !== undefined && !contains(to, address)) return false;
      return kernel.routes.some(
        (route) => String(route.table) === table && contains(route.destination, address),
      );
    });
  });
  return culprits.map(({ priority, table, to }) => ({
    code: 'PolicyRule',
    detail: `rule ${priority} sends ${to ?? 'everything'} to table ${table} before the main one`,
    remedy: [{ run: `ip rule del priority ${priority} table ${table}` }],
  }));
}

/** Where the kernel puts its own rule for the main table (ip-rule(8)). */
const MAIN_RULE = 32766;

/** A route of somebody else, or a device, in the place of one of ours. */
export function foreignFindings({ plans, kernel }: DoctorFacts): readonly Finding[] {
  const conflicts = Object.entries(plans ?? {}).flatMap(([kind, plan]) =>
    plan.foreign.filter(({ blocks }) => blocks && kind !== 'network-config'),
  );
  return conflicts.map(({ key, reason }) => {
    const [kind, ...rest] = key.split(':');
    const name = rest.join(':');
    const route = kernel?.routes.find(
      ({ destination, table }) =>
        kind === 'route' && destination === name.split(' ')[0] && table === MAIN_TABLE,
    );
    const run =
      kind === 'link' ? `ip link del dev ${shellWord(name)}` : route && `ip route del ${routeText(route)}`;
    const remedy = run === undefined ? { advice: roomFor(key, kind, name) } : { run };
    return { code: 'ForeignObject', detail: `${key}: ${reason}`, remedy: [remedy] };
  });
}

function roomFor(key: string, kind: string | undefined, name: string): string {
  return kind === 'docker-settings'
    ? `take these settings out of ${name}: they are written again as the network needs them`
    : `remove ${key}, or give the instance another name`;
}

/** As ip-route(8) takes it. */
function routeText({ destination, type, table, metric, link, via }: FoundRoute): string {
  return [
    ...(type === 'unicast' ? [] : [type]),
    destination,
    ...(via === undefined ? [] : ['via', via]),
    ...(link === undefined || type !== 'unicast' ? [] : ['dev', shellWord(link)]),
    ...(metric === 0 ? [] : ['metric', String(metric)]),
    ...(table === MAIN_TABLE ? [] : ['table', String(table)]),
  ].join(' ');
}
