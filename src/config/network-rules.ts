/** What the network and this host must be to each other, family by family. Each field by itself is right already. */
import { contains, FAMILIES, FAMILY_NAME, type Family, type Prefix } from '../model/address.js';
import { carriesIpv6 } from '../model/backends/table.js';
import type { FamilyNetwork } from '../model/network.js';
import {
  type FamilyNetworkSpec,
  familyNetwork,
  LEAST_IPV6_MTU,
  subnetMisfit,
} from '../model/network-rules.js';
import { inWords } from './fields.js';
import { INTERFACE_KEYS } from './host-section.js';
import { type Mistake, notAllowed, type RuleMistake } from './mistake.js';
import type { Path } from './outline.js';
import type { FileValues, HostFields } from './schema.js';

/** Where each family's values stand: the section of its network, and the keys of a host. */
export const FAMILY_KEYS = {
  ipv4: { network: ['network'], subnet: 'subnet', publicIp: 'publicIP' },
  ipv6: { network: ['network', 'ipv6'], subnet: 'subnetIPv6', publicIp: 'publicIPv6' },
} as const satisfies Record<Family, object>;

const NETWORK_KEYS = ['cidr', 'subnetLength', 'subnetMin', 'subnetMax'] as const;

/** Every place that a family's network is read from. */
export function networkPlaces(family: Family): readonly Path[] {
  return NETWORK_KEYS.map((key) => [...FAMILY_KEYS[family].network, key]);
}

export function cidrPlace(family: Family): Path {
  return [...FAMILY_KEYS[family].network, 'cidr'];
}

export function networkMistakes(
  values: FileValues,
  isWritten: (path: Path) => boolean,
): readonly RuleMistake[] {
  return [
    ...withoutCidr(values, isWritten),
    ...FAMILIES.flatMap((family) => familyMistakes(values, family)),
    ...backendMistakes(values),
    ...mtuMistakes(values),
    ...interfaceMistakes(values),
    ...FAMILIES.flatMap((family) => hostMistakes(values, family)),
  ];
}

/** The file's network with flannel's defaults, as far as it is written and right. */
export function declaredFamilies(values: FileValues): { readonly [F in Family]?: FamilyNetwork } {
  return Object.fromEntries(
    FAMILIES.flatMap((family) => {
      const result = networkIn(values, family);
      return result !== undefined && 'network' in result ? [[family, result.network]] : [];
    }),
  );
}

function networkIn(values: FileValues, family: Family): ReturnType<typeof familyNetwork> | undefined {
  const spec = specOf(values, family);
  return spec?.cidr === undefined ? undefined : familyNetwork({ ...spec, cidr: spec.cidr });
}

function specOf(
  { network }: FileValues,
  family: Family,
): { readonly [K in keyof FamilyNetworkSpec]?: FamilyNetworkSpec[K] | undefined } | undefined {
  return family === 'ipv4' ? network : network.ipv6;
}

/** Whether the file names a network at all, right or wrong. */
function namesNetwork({ network }: FileValues): boolean {
  return network.cidr !== undefined || network.ipv6 !== undefined;
}

function withoutCidr(values: FileValues, isWritten: (path: Path) => boolean): RuleMistake[] {
  if (values.network.cidr !== undefined) return [];
  const hasIpv6 = namesNetwork(values);
  const why = hasIpv6
    ? 'without it the network has no IPv4'
    : 'without it the whole network is read from the store';
  const keys = ['subnetLength', 'subnetMin', 'subnetMax', ...(hasIpv6 ? [] : ['publish', 'backend'])];
  return keys.flatMap((key) => {
    const path = ['network', key];
    const message = `needs network.cidr: ${why}`;
    return isWritten(path) ? [{ path, at: 'key' as const, message, reads: [cidrPlace('ipv4'), path] }] : [];
  });
}

function familyMistakes(values: FileValues, family: Family): RuleMistake[] {
  const cidr = cidrPlace(family);
  if (family === 'ipv6' && values.network.ipv6 !== undefined && values.network.ipv6.cidr === undefined) {
    return [{ ...notAllowed(cidr, undefined, 'must be an IPv6 prefix such as fd00:4::/48'), reads: [cidr] }];
  }
  const result = networkIn(values, family);
  if (result === undefined || 'network' in result) return [];
  const section = FAMILY_KEYS[family].network;
  return result.errors.map(({ field, message }) => {
    const path = [...section, field];
    const written = specOf(values, family)?.[field];
    const value = written === undefined ? {} : { value: String(written) };
    return { path, at: 'value', message, ...value, reads: [cidr, [...section, 'subnetLength'], path] };
  });
}

function backendMistakes({ network: { ipv6, backend } }: FileValues): RuleMistake[] {
  if (ipv6 === undefined || carriesIpv6(backend.type)) return [];
  const path = ['network', 'ipv6'];
  const message = `needs a backend that carries IPv6: ${backend.type} carries IPv4 alone (network.backend.type)`;
  return [{ path, at: 'key', message, reads: [path, ['network', 'backend', 'type']] }];
}

function mtuMistakes({ network: { ipv6, mtu } }: FileValues): RuleMistake[] {
  if (ipv6 === undefined || mtu === 'auto' || mtu >= LEAST_IPV6_MTU) return [];
  const path = ['network', 'mtu'];
  const allowed = `must be ${LEAST_IPV6_MTU} or more: no link of IPv6 carries less (RFC 8200, section 5)`;
  return [{ ...notAllowed(path, mtu, allowed), reads: [path, ['network', 'ipv6']] }];
}

function interfaceMistakes({ host: { interface: selector } }: FileValues): RuleMistake[] {
  if ('by' in selector || INTERFACE_KEYS.filter((key) => selector[key] !== undefined).length === 1) return [];
  const path = ['host', 'interface'];
  return [
    { path, at: 'value', message: `must hold exactly one of ${inWords(INTERFACE_KEYS)}`, reads: [path] },
  ];
}

function hostMistakes(values: FileValues, family: Family): RuleMistake[] {
  const { host } = values;
  const keys = FAMILY_KEYS[family];
  const homeless = withoutFamily(values, family, host, ['host']);
  if (homeless.length > 0) return homeless;
  const [subnet, publicIp] = [host[keys.subnet], host[keys.publicIp]];
  const [subnetPath, publicIpPath] = [
    ['host', keys.subnet],
    ['host', keys.publicIp],
  ];
  if (subnet === undefined) return [];
  const network = declaredFamilies(values)[family];
  const misfit = network && subnetMisfit(network, subnet);
  const mistakes: RuleMistake[] = [];
  if (misfit !== undefined) {
    mistakes.push({
      ...misplaced(subnetPath, subnet, misfit),
      reads: [subnetPath, ...networkPlaces(family)],
    });
  }
  if (publicIp !== undefined && contains(subnet, publicIp)) {
    const allowed = `must lie outside this host's subnet ${subnet}`;
    mistakes.push({ ...notAllowed(publicIpPath, publicIp, allowed), reads: [subnetPath, publicIpPath] });
  }
  return mistakes;
}

function hasFamily({ network }: FileValues, family: Family): boolean {
  return family === 'ipv4' ? network.cidr !== undefined : network.ipv6 !== undefined;
}

/** What is written at `place` of a host, in a family that the file's network has not. */
export function withoutFamily(
  values: FileValues,
  family: Family,
  host: HostFields,
  place: Path,
): RuleMistake[] {
  if (!namesNetwork(values) || hasFamily(values, family)) return [];
  const { subnet, publicIp } = FAMILY_KEYS[family];
  const cidr = cidrPlace(family);
  return [subnet, publicIp].flatMap((key) => {
    if (host[key] === undefined) return [];
    const path = [...place, key];
    const message = `needs ${cidr.join('.')}: the network has no ${FAMILY_NAME[family]}`;
    return [{ path, at: 'key' as const, message, reads: [cidr, path] }];
  });
}

export function misplaced(path: Path, subnet: Prefix, misfit: string): Mistake {
  return { path, at: 'value', value: subnet, message: `"${subnet}" is no subnet of the network: ${misfit}` };
}
