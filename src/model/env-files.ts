/** The environment files that others start from: flannel's subnet.env and Docker's options. Text only; reading and writing is elsewhere. */
import {
  type Address,
  addressAt,
  type Family,
  familyOf,
  lengthOf,
  type Prefix,
  parseInterfaceAddress,
  prefixOf,
} from './address.js';
import type { Subnets } from './lease.js';

/**
 * flannel's own bytes: its lines, its order, no quotes. FLANNEL_SUBNET is the bridge's address, the first
 * of the subnet. FLANNEL_IPMASQ says whether this host masquerades, not whether Docker should.
 */
export function subnetEnv(input: {
  readonly network: { readonly [F in Family]?: { readonly cidr: Prefix } };
  readonly subnets: Subnets;
  readonly mtu: number;
  readonly ipMasq: boolean;
}): string {
  const { network, subnets, mtu, ipMasq } = input;
  return [
    ...familyLines('FLANNEL_', network.ipv4?.cidr, subnets.ipv4),
    ...familyLines('FLANNEL_IPV6_', network.ipv6?.cidr, subnets.ipv6),
    `FLANNEL_MTU=${mtu}`,
    `FLANNEL_IPMASQ=${ipMasq}`,
    '',
  ].join('\n');
}

function familyLines(prefix: string, network: Prefix | undefined, subnet: Prefix | undefined): string[] {
  if (network === undefined || subnet === undefined) return [];
  return [`${prefix}NETWORK=${network}`, `${prefix}SUBNET=${addressAt(subnet, 1)}/${lengthOf(subnet)}`];
}

/** What an earlier subnet.env says. Whatever cannot be read, or is there more than once, is absent. */
export interface SubnetEnv {
  readonly network: Subnets;
  /** Masked to their networks. */
  readonly subnets: Subnets;
  /** Bytes. */
  readonly mtu?: number;
  readonly ipMasq?: boolean;
}

/** Never throws: the file may be half written or somebody else's. */
export function parseSubnetEnv(text: string): SubnetEnv {
  const variables = environmentVariables(text);
  const mtu = /^[1-9]\d{0,4}$/.test(variables.get('FLANNEL_MTU') ?? '');
  const ipMasq = trueOrFalse(variables.get('FLANNEL_IPMASQ'));
  return {
    network: prefixesOf(variables, 'NETWORK'),
    subnets: prefixesOf(variables, 'SUBNET'),
    ...(mtu && { mtu: Number(variables.get('FLANNEL_MTU')) }),
    ...(ipMasq !== undefined && { ipMasq }),
  };
}

function prefixesOf(variables: ReadonlyMap<string, string>, name: 'NETWORK' | 'SUBNET'): Subnets {
  const ipv4 = onlyPrefix('ipv4', variables.get(`FLANNEL_${name}`));
  const ipv6 = onlyPrefix('ipv6', variables.get(`FLANNEL_IPV6_${name}`));
  return { ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }) };
}

/** flannel reads a list with commas, skips what is no prefix, and takes several for none. */
function onlyPrefix(family: Family, value = ''): Prefix | undefined {
  const prefixes = value.split(',').flatMap((item) => {
    const given = tryInterfaceAddress(item.trim());
    return given !== undefined && familyOf(given.address) === family
      ? [prefixOf(given.address, given.length)]
      : [];
  });
  return prefixes.length === 1 ? prefixes[0] : undefined;
}

function tryInterfaceAddress(text: string): { address: Address; length: number } | undefined {
  try {
    return parseInterfaceAddress(text);
  } catch {
    return undefined;
  }
}

/** `NAME=value` lines as a shell or systemd would read them; the last of a name counts, other lines do not. */
export function environmentVariables(text: string): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const [, name, value = ''] = /^\s*(?:export\s+)?([A-Za-z_]\w*)=(.*)$/.exec(line) ?? [];
    if (name !== undefined) variables.set(name, unquoted(value.trim()));
  }
  return variables;
}

function unquoted(value: string): string {
  const [, quote, inner = ''] = /^(["'])(.*)\1$/.exec(value) ?? [];
  if (quote === undefined) return value;
  return quote === '"' ? inner.replace(/\\(["\\$`])/g, '$1') : inner;
}

/** True and false as flannel writes them, and nothing else. */
export function trueOrFalse(text: string | undefined): boolean | undefined {
  return text === 'true' ? true : text === 'false' ? false : undefined;
}

/** What Docker is told. A value that is absent leaves its option out. */
export interface DockerOptions {
  /** The bridge's address with its length, `4.0.34.1/24`. */
  readonly bip?: string | undefined;
  readonly mtu?: string | undefined;
  /** Whether this host masquerades, as in subnet.env: Docker is told the inverse, so that exactly one of the two does. */
  readonly ipMasq?: boolean | undefined;
}

export interface DockerOptionsStyle {
  /** One variable for each option. */
  readonly individual: boolean;
  /** The name of a variable with all of them, when there is to be one. */
  readonly combined?: string | undefined;
  /** What that variable holds already; the options follow it. */
  readonly existing?: string | undefined;
  /** DOCKER_OPT_* variables from elsewhere: they become options too, but none of ours is replaced. */
  readonly others?: Readonly<Record<string, string>> | undefined;
}

/** The environment file that Docker's units read, in the bytes of flannel's mk-docker-opts.sh: variables by name, then the combined one. */
export function dockerOptions({ bip, mtu, ipMasq }: DockerOptions, style: DockerOptionsStyle): string {
  const options = {
    ...style.others,
    ...(bip !== undefined && { DOCKER_OPT_BIP: `--bip=${bip}` }),
    ...(ipMasq !== undefined && { DOCKER_OPT_IPMASQ: `--ip-masq=${!ipMasq}` }),
    ...(mtu !== undefined && { DOCKER_OPT_MTU: `--mtu=${mtu}` }),
  };
  const byName = Object.entries(options).sort(([left], [right]) => (left < right ? -1 : 1));
  const { combined, existing = '', individual } = style;
  // The script puts a space behind what was there and one before each option.
  const all = [existing === '' ? '' : `${existing} `, ...byName.map(([, option]) => ` ${option}`)].join('');
  const lines = [
    ...(individual ? byName : []),
    ...(combined === undefined ? [] : [[combined, all] as const]),
  ];
  return lines.map(([name, value]) => `${name}="${quoted(value)}"\n`).join('');
}

/** systemd.exec(5) and the shell agree on what a backslash escapes between double quotes. */
function quoted(value: string): string {
  return value.replace(/["\\$`]/g, '\\$&');
}

/** `/run/flannel/docker`, made from the text of subnet.env: the form that Docker's own unit files read. */
export function dockerOptionsFile(subnetEnvText: string): string {
  const variables = environmentVariables(subnetEnvText);
  const options = {
    bip: variables.get('FLANNEL_SUBNET'),
    mtu: variables.get('FLANNEL_MTU'),
    ipMasq: trueOrFalse(variables.get('FLANNEL_IPMASQ')),
  };
  return dockerOptions(options, { individual: true, combined: 'DOCKER_NETWORK_OPTIONS' });
}
