/** The network's JSON in etcd, `<prefix>/config` → network. */
import { fieldRefusal } from '../config/field-refusal.js';
import { placesIn } from '../config/outline.js';
import { FAMILIES, type Family, type Prefix, tryParseAddress, tryParsePrefix } from '../model/address.js';
import { isWorthWriting } from '../model/backends/options.js';
import { backendNamed, carriesIpv6, DEFAULT_BACKEND } from '../model/backends/table.js';
import { type FamilyNetwork, familiesOf, type NetworkConfig } from '../model/network.js';
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
import { FAMILY_FIELDS, parseNetworkJson } from '../wire/flannel-network.js';
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
    unusedFields(network, fields, placed),
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

/** flanneld leases IPv6 subnets with any backend; some never carry a packet of theirs. */
function familyObstacle(fields: Fields, placed: Placed): Part | undefined {
  if (booleanField(fields, 'EnableIPv6') !== true) return undefined;
  const options = backendFields(fields);
  const type = (options && stringField(options, 'Type', 'Backend.')?.toLowerCase()) ?? DEFAULT_BACKEND.type;
  if (carriesIpv6(type)) return undefined;
  return lost(
    origin(['EnableIPv6'], placed),
    `backend ${type} carries IPv4 alone, in flanneld too: turn IPv6 off, or change the backend on every host`,
  );
}

const SECTIONS = { ipv4: NETWORK, ipv6: [...NETWORK, 'ipv6'] } as const satisfies Record<
  Family,
  readonly string[]
>;

function networkLines(network: NetworkConfig, fields: Fields, placed: Placed): Part {
  return joined(...familiesOf(network).map((family) => familyLines(family, network[family], fields, placed)));
}

function familyLines(
  family: Family,
  network: FamilyNetwork | undefined,
  fields: Fields,
  placed: Placed,
): Part {
  if (network === undefined) return joined();
  const [names, section] = [FAMILY_FIELDS[family], SECTIONS[family]];
  const written = (name: string) => {
    const value = field(fields, name);
    // Go reads null as absent, and flannel takes zero for absent.
    return value !== undefined && value !== null && value !== 0 && !isZeroAddress(value);
  };
  const from = (name: string) => (written(name) ? origin([name], placed) : "flannel's default");
  const given = stringField(fields, names.cidr);
  const masked = isSpelledSo(given, network.cidr) ? '' : `, without the host bits of ${quoted(given ?? '')}`;
  const edge = (key: 'subnetMin' | 'subnetMax') =>
    written(names[key]) ? line([...section, key], network[key], from(names[key])) : joined();
  return joined(
    line([...section, 'cidr'], network.cidr, `${from(names.cidr)}${masked}`),
    line([...section, 'subnetLength'], network.subnetLength, from(names.subnetLength)),
    edge('subnetMin'),
    edge('subnetMax'),
  );
}

/** `FD00:5:0::/48` is another spelling of `fd00:5::/48`, and no host bits are lost. */
function isSpelledSo(given: string | undefined, cidr: Prefix): boolean {
  return given !== undefined && tryParsePrefix(given) === cidr;
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

const SWITCHES = { ipv4: 'EnableIPv4', ipv6: 'EnableIPv6' } as const satisfies Record<Family, string>;
const KNOWN = [
  ...Object.values(SWITCHES),
  ...FAMILIES.flatMap((family) => Object.values(FAMILY_FIELDS[family])),
  'EnableNFTables',
  'Backend',
];

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

/** Fields that are there and have no line of their own. */
function unusedFields(network: NetworkConfig, fields: Fields, placed: Placed): Part {
  const has = (name: string) => field(fields, name) !== undefined;
  const usual = familiesOf(network).join() === 'ipv4';
  return joined(
    ...Object.values(SWITCHES)
      .filter(has)
      .map((name) =>
        idle(origin([name], placed), usual ? "flannel's default" : 'said by which networks the file has'),
      ),
    ...FAMILIES.filter((family) => network[family] === undefined).flatMap((family) =>
      Object.values(FAMILY_FIELDS[family])
        .filter(has)
        .map((name) => idle(origin([name], placed), `without effect while ${SWITCHES[family]} is false`)),
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
