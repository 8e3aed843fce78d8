/** The network's JSON in etcd, `<prefix>/config` → network. */
import { fieldRefusal } from '../config/field-refusal.js';
import { placesIn } from '../config/outline.js';
import { tryParseAddress } from '../model/address.js';
import { isWorthWriting } from '../model/backends/options.js';
import { backendNamed } from '../model/backends/table.js';
import type { NetworkConfig } from '../model/network.js';
import {
  booleanField,
  type Fields,
  field,
  fieldsOf,
  parseFields,
  quoted,
  StoredValueError,
  stringField,
} from '../wire/flannel-json.js';
import { parseNetworkJson } from '../wire/flannel-network.js';
import type { NamedText } from './environment-file.js';
import { jsonPlaces } from './json-places.js';
import { InputError, idle, joined, line, lost, type Part } from './part.js';

const NETWORK = ['network'];
const BACKEND = ['network', 'backend'];

/** Throws InputError where flanneld would refuse the network too. */
export function networkPart({ name, text }: NamedText): Part {
  const placed = placing(name, text);
  try {
    return partOf(parseFields(text), text, placed);
  } catch (error) {
    if (!(error instanceof StoredValueError)) throw error;
    throw new InputError(placed(fieldNamedBy(error.message)), error.message);
  }
}

/** Where a field stands, or would: `net-conf.json:3:15`. Without a field, where the text stops being JSON. */
type Placed = (path: readonly string[] | undefined) => string;

function placing(name: string, text: string): Placed {
  const places = jsonPlaces(text);
  const placeOf = placesIn(text);
  return (path) => {
    const found = path?.map((_, end) => places.valueAt(path.slice(0, path.length - end)));
    const { line, column } = placeOf(found?.find((offset) => offset !== undefined) ?? places.fault ?? 0);
    return `${name}:${line}:${column}`;
  };
}

/** Each message about a field begins with the field's name, that of a backend's option with `Backend.`. */
function fieldNamedBy(message: string): readonly string[] | undefined {
  const [, name] = /^((?:Backend\.)?[A-Z]\w*) /.exec(message) ?? [];
  return name?.split('.');
}

function partOf(fields: Fields, text: string, placed: Placed): Part {
  const obstacle = backendObstacle(fields, placed) ?? familyObstacle(fields, placed);
  if (obstacle !== undefined) {
    const left = fields.map(([name]) => name).join(', ');
    return joined(obstacle, lost(placed([]), `the network (${left}) is left out of the file`));
  }
  const network = parseNetworkJson(text);
  return joined(
    networkLines(network, fields, placed),
    backendLines(network, fields, placed),
    unknownFields(fields, KNOWN, [], placed),
    unknownFields(backendFields(fields) ?? [], ['Type', ...jsonNames(network)], ['Backend'], placed),
    unusedFields(fields, placed),
  );
}

/** flannel has backends that the file has not: it is asked. */
function backendObstacle(fields: Fields, placed: Placed): Part | undefined {
  const options = backendFields(fields);
  const type = options && stringField(options, 'Type', 'Backend.')?.toLowerCase();
  if (type === undefined) return undefined;
  const refused = fieldRefusal(BACKEND, { type });
  if (refused === undefined) return undefined;
  return lost(
    origin(['Backend', 'Type'], placed),
    `${quoted(type)} is not supported yet, ${refused}: leave this network to flanneld, or change it on every host`,
  );
}

function familyObstacle(fields: Fields, placed: Placed): Part | undefined {
  if (booleanField(fields, 'EnableIPv6') !== true && booleanField(fields, 'EnableIPv4') !== false) {
    return undefined;
  }
  const name = booleanField(fields, 'EnableIPv6') === true ? 'EnableIPv6' : 'EnableIPv4';
  return lost(origin([name], placed), 'IPv6 is not supported: leave this network to flanneld');
}

function networkLines({ ipv4 }: NetworkConfig, fields: Fields, placed: Placed): Part {
  if (ipv4 === undefined) return joined();
  const written = (name: string) => {
    const value = field(fields, name);
    // Go reads null as absent, and flannel takes zero for absent.
    return value !== undefined && value !== null && value !== 0 && !isZeroAddress(value);
  };
  const from = (name: string) => (written(name) ? origin([name], placed) : "flannel's default");
  const given = stringField(fields, 'Network');
  const masked = given === ipv4.cidr ? '' : `, without the host bits of ${quoted(given ?? '')}`;
  const edge = (key: 'subnetMin' | 'subnetMax', name: string) =>
    written(name) ? line([...NETWORK, key], ipv4[key], from(name)) : joined();
  return joined(
    line([...NETWORK, 'cidr'], ipv4.cidr, `${from('Network')}${masked}`),
    line([...NETWORK, 'subnetLength'], ipv4.subnetLength, from('SubnetLen')),
    edge('subnetMin', 'SubnetMin'),
    edge('subnetMax', 'SubnetMax'),
  );
}

function isZeroAddress(value: unknown): boolean {
  return typeof value === 'string' && ['0.0.0.0', '::'].includes(tryParseAddress(value) ?? '');
}

function backendLines({ backend }: NetworkConfig, fields: Fields, placed: Placed): Part {
  const options = backendFields(fields);
  const from = (name: string) =>
    (field(options ?? [], name) ?? null) === null ? "flanneld's default" : origin(['Backend', name], placed);
  const type =
    options === undefined ? "flanneld's default without Backend, whatever its manual says" : from('Type');
  return joined(
    line([...BACKEND, 'type'], backend.type, type),
    ...Object.entries(backendNamed(backend.type)?.options ?? {}).map(([name, option]) => {
      const value = backend[name];
      const isSaid = (field(options ?? [], option.json) ?? null) !== null;
      // What nobody has said and is no number that versions of flannel may differ in goes without saying.
      return value === undefined || (!isSaid && !isWorthWriting(option, value))
        ? joined()
        : line([...BACKEND, name], value, from(option.json));
    }),
  );
}

function jsonNames({ backend }: NetworkConfig): readonly string[] {
  return Object.values(backendNamed(backend.type)?.options ?? {}).map(({ json }) => json);
}

const IPV4_FIELDS = ['Network', 'SubnetLen', 'SubnetMin', 'SubnetMax'] as const;
const IPV6_FIELDS = ['IPv6Network', 'IPv6SubnetLen', 'IPv6SubnetMin', 'IPv6SubnetMax'] as const;
const KNOWN = ['EnableIPv4', 'EnableIPv6', ...IPV4_FIELDS, ...IPV6_FIELDS, 'EnableNFTables', 'Backend'];

function unknownFields(
  fields: Fields,
  known: readonly string[],
  within: readonly string[],
  placed: Placed,
): Part {
  const lower = known.map((name) => name.toLowerCase());
  const unknown = fields.filter(([name]) => !lower.includes(name.toLowerCase()));
  const why = 'flannel has no field of this name here, and ignores it';
  return joined(...unknown.map(([name]) => lost(origin([...within, name], placed), why)));
}

/** Fields that are there and change nothing. */
function unusedFields(fields: Fields, placed: Placed): Part {
  const has = (name: string) => field(fields, name) !== undefined;
  return joined(
    ...['EnableIPv4', 'EnableIPv6']
      .filter(has)
      .map((name) => idle(origin([name], placed), "flannel's default")),
    ...IPV6_FIELDS.filter(has).map((name) =>
      idle(origin([name], placed), 'without effect while EnableIPv6 is false'),
    ),
    ...(has('EnableNFTables')
      ? [
          idle(
            origin(['EnableNFTables'], placed),
            'not needed: each rule goes where it takes effect, nft or iptables',
          ),
        ]
      : []),
  );
}

function backendFields(fields: Fields): Fields | undefined {
  const backend = field(fields, 'Backend');
  return backend === undefined ? undefined : fieldsOf('Backend', backend);
}

function origin(path: readonly string[], placed: Placed): string {
  return `${path.join('.')} (${placed(path)})`;
}
