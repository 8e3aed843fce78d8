/** The value of `config`: flannel's JSON of the network (pkg/subnet/config.go). */
import {
  type Address,
  type Family,
  familyOf,
  type Prefix,
  parseInterfaceAddress,
  prefixOf,
  tryParseAddress,
} from '../model/address.js';
import type { BackendConfig, FamilyNetwork, NetworkConfig } from '../model/network.js';
import { type FamilyNetworkSpec, familyNetwork } from '../model/network-rules.js';
import {
  booleanField,
  type Fields,
  field,
  fieldsOf,
  integerField,
  parseFields,
  quoted,
  StoredValueError,
  stringField,
} from './flannel-json.js';

/** The same four fields under two sets of names. */
const NAMES = {
  ipv4: { cidr: 'Network', subnetLength: 'SubnetLen', subnetMin: 'SubnetMin', subnetMax: 'SubnetMax' },
  ipv6: {
    cidr: 'IPv6Network',
    subnetLength: 'IPv6SubnetLen',
    subnetMin: 'IPv6SubnetMin',
    subnetMax: 'IPv6SubnetMax',
  },
} as const satisfies Record<Family, Record<keyof FamilyNetworkSpec, string>>;

/** flannel's, pkg/backend/udp. */
const UDP_PORT = 8285;

const BACKENDS: { readonly [Type in BackendConfig['type']]: (options: Fields) => BackendConfig } = {
  udp(options) {
    const port = integerField(options, 'Port', 'Backend.') ?? UDP_PORT;
    if (port >= 1 && port <= 65_535) return { type: 'udp', port };
    throw new StoredValueError(`Backend.Port is ${port}, must be 1 to 65535`);
  },
};

/**
 * What an operator would write: the length of the subnets and the backend's options are always spelled out,
 * since the defaults of flannel's versions differ; the first and the last subnet only where they are not the default.
 */
export function networkJson({ ipv4, ipv6, backend }: NetworkConfig): string {
  const { type, ...options } = backend;
  return JSON.stringify({
    ...(ipv4 === undefined ? { EnableIPv4: false } : familyJson('ipv4', ipv4)),
    ...(ipv6 !== undefined && { EnableIPv6: true, ...familyJson('ipv6', ipv6) }),
    Backend: { Type: type, ...capitalised(options) },
  });
}

function familyJson(family: Family, network: FamilyNetwork): object {
  const { cidr, subnetLength, subnetMin, subnetMax } = network;
  const names = NAMES[family];
  const usual = familyNetwork({ cidr, subnetLength });
  const isUsual = (field: 'subnetMin' | 'subnetMax') =>
    'network' in usual && usual.network[field] === network[field];
  return {
    [names.cidr]: cidr,
    [names.subnetLength]: subnetLength,
    ...(!isUsual('subnetMin') && { [names.subnetMin]: subnetMin }),
    ...(!isUsual('subnetMax') && { [names.subnetMax]: subnetMax }),
  };
}

/** `port` is flannel's `Port`. */
function capitalised(options: object): object {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name.charAt(0).toUpperCase() + name.slice(1), value]),
  );
}

/** Throws StoredValueError naming the field. */
export function parseNetworkJson(text: string): NetworkConfig {
  const fields = parseFields(text);
  const hasIpv4 = booleanField(fields, 'EnableIPv4') ?? true;
  const hasIpv6 = booleanField(fields, 'EnableIPv6') ?? false;
  if (!hasIpv4 && !hasIpv6) throw new StoredValueError('EnableIPv4 and EnableIPv6 are both false');
  return {
    ...(hasIpv4 && { ipv4: parseFamily(fields, 'ipv4') }),
    ...(hasIpv6 && { ipv6: parseFamily(fields, 'ipv6') }),
    backend: parseBackend(field(fields, 'Backend')),
  };
}

function parseFamily(fields: Fields, family: Family): FamilyNetwork {
  const names = NAMES[family];
  const result = familyNetwork({
    cidr: cidrField(fields, names.cidr, family),
    // Go reads an absent number as 0, and flannel takes 0 for absent.
    subnetLength: integerField(fields, names.subnetLength) || undefined,
    subnetMin: addressField(fields, names.subnetMin, family),
    subnetMax: addressField(fields, names.subnetMax, family),
  });
  if ('network' in result) return result.network;
  throw new StoredValueError(
    result.errors.map(({ field, message }) => `${names[field]} ${message}`).join('; '),
  );
}

function cidrField(fields: Fields, name: string, family: Family): Prefix {
  const text = stringField(fields, name);
  if (text === undefined) throw new StoredValueError(`${name} is missing`);
  try {
    // flannel masks host bits off: 10.5.3.7/16 is 10.5.0.0/16.
    const { address, length } = parseInterfaceAddress(text);
    if (familyOf(address) === family) return prefixOf(address, length);
  } catch {
    // Reported below, with the field's name and the text made printable.
  }
  const example = family === 'ipv4' ? '10.5.0.0/16' : 'fd00:5::/48';
  throw new StoredValueError(`${name} is ${quoted(text)}, must be a network such as ${example}`);
}

function addressField(fields: Fields, name: string, family: Family): Address | undefined {
  const text = stringField(fields, name);
  if (text === undefined) return undefined;
  const address = tryParseAddress(text);
  if (address === undefined || familyOf(address) !== family) {
    throw new StoredValueError(`${name} is ${quoted(text)}, must be an address in ${NAMES[family].cidr}`);
  }
  // The zero address is how Go's decoder leaves an absent one.
  return address === '0.0.0.0' || address === '::' ? undefined : address;
}

function parseBackend(value: Parameters<typeof fieldsOf>[1] | undefined): BackendConfig {
  // flannel's documentation says vxlan; its code (Config.parseBackendType) says udp.
  if (value === undefined) return BACKENDS.udp([]);
  const options = fieldsOf('Backend', value);
  const type = stringField(options, 'Type', 'Backend.')?.toLowerCase();
  if (type === undefined) throw new StoredValueError('Backend.Type is missing');
  if (!Object.hasOwn(BACKENDS, type)) {
    const known = Object.keys(BACKENDS).join(', ');
    throw new StoredValueError(`Backend.Type is ${quoted(type)}, must be one of ${known}`);
  }
  return BACKENDS[type as BackendConfig['type']](options);
}
