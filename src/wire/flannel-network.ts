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
import type { Backend } from '../model/backends/backend.js';
import {
  type Command,
  defaultOf,
  isWorthWriting,
  type Option,
  type OptionValue,
} from '../model/backends/options.js';
import { BACKENDS, backendNamed, DEFAULT_BACKEND } from '../model/backends/table.js';
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
export const FAMILY_FIELDS = {
  ipv4: { cidr: 'Network', subnetLength: 'SubnetLen', subnetMin: 'SubnetMin', subnetMax: 'SubnetMax' },
  ipv6: {
    cidr: 'IPv6Network',
    subnetLength: 'IPv6SubnetLen',
    subnetMin: 'IPv6SubnetMin',
    subnetMax: 'IPv6SubnetMax',
  },
} as const satisfies Record<Family, Record<keyof FamilyNetworkSpec, string>>;

/**
 * What an operator would write: the length of the subnets and the backend's options are always spelled out,
 * since the defaults of flannel's versions differ; the first and the last subnet only where they are not the default.
 */
export function networkJson({ ipv4, ipv6, backend }: NetworkConfig): string {
  return JSON.stringify({
    ...(ipv4 === undefined ? { EnableIPv4: false } : familyJson('ipv4', ipv4)),
    ...(ipv6 !== undefined && { EnableIPv6: true, ...familyJson('ipv6', ipv6) }),
    Backend: backendJson(backend),
  });
}

function familyJson(family: Family, network: FamilyNetwork): object {
  const { cidr, subnetLength, subnetMin, subnetMax } = network;
  const names = FAMILY_FIELDS[family];
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

function backendJson({ type, ...values }: BackendConfig): object {
  const options = Object.entries(backendNamed(type)?.options ?? {});
  const written = options
    .filter(([name, option]) => isWorthWriting(option, values[name]))
    .map(([name, option]) => [option.json, values[name]]);
  return { Type: type, ...Object.fromEntries(written) };
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
  const names = FAMILY_FIELDS[family];
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
    throw new StoredValueError(
      `${name} is ${quoted(text)}, must be an address in ${FAMILY_FIELDS[family].cidr}`,
    );
  }
  // The zero address is how Go's decoder leaves an absent one.
  return address === '0.0.0.0' || address === '::' ? undefined : address;
}

function parseBackend(value: Parameters<typeof fieldsOf>[1] | undefined): BackendConfig {
  // flannel's documentation says vxlan; its code (Config.parseBackendType) says udp.
  if (value === undefined) return backendConfig(DEFAULT_BACKEND, []);
  const fields = fieldsOf('Backend', value);
  const type = stringField(fields, 'Type', 'Backend.')?.toLowerCase();
  if (type === undefined) throw new StoredValueError('Backend.Type is missing');
  const backend = backendNamed(type);
  if (backend !== undefined) return backendConfig(backend, fields);
  const known = BACKENDS.map((each) => each.type).join(', ');
  throw new StoredValueError(`Backend.Type is ${quoted(type)}, must be one of ${known}`);
}

function backendConfig({ type, options }: Backend, fields: Fields): BackendConfig {
  const values = Object.entries(options).map(([name, option]) => [
    name,
    optionField(fields, option) ?? defaultOf(option),
  ]);
  return { type, ...Object.fromEntries(values.filter(([, value]) => value !== undefined)) };
}

function optionField(fields: Fields, option: Option): OptionValue | undefined {
  const { json } = option;
  switch (option.kind) {
    case 'flag':
      return booleanField(fields, json, 'Backend.');
    case 'integer': {
      const { least, most, zeroIsDefault } = option;
      const value = integerField(fields, json, 'Backend.');
      if (value === undefined || (value === 0 && zeroIsDefault)) return undefined;
      if (value >= least && value <= most) return value;
      throw new StoredValueError(`Backend.${json} is ${value}, must be ${least} to ${most}`);
    }
    case 'choice': {
      const value = stringField(fields, json, 'Backend.');
      if (value === undefined || option.of.includes(value)) return value;
      throw new StoredValueError(
        `Backend.${json} is ${quoted(value)}, must be one of ${option.of.join(', ')}`,
      );
    }
    case 'command': {
      const value = field(fields, json) ?? undefined;
      const isWords =
        Array.isArray(value) && value.length > 0 && value.every((word) => typeof word === 'string');
      // flannel takes an empty text for none.
      if (value === undefined || value === '') return undefined;
      if (typeof value === 'string' || isWords) return value as Command;
      throw new StoredValueError(
        `Backend.${json} is ${quoted(value)}, must be a command as one text or as a list of its words`,
      );
    }
    default:
      return option satisfies never;
  }
}
