/** flanneld's choice of the interface and of the public address → host. */
import { fieldRefusal } from '../config/field-refusal.js';
import { FAMILY_NAME, type Family, tryParseAddress } from '../model/address.js';
import { quoted } from '../wire/flannel-json.js';
import type { Given } from './command-line.js';
import type { Options } from './given-options.js';
import { idle, joined, line, lineOrLost, lost, type Part } from './part.js';

const INTERFACE = ['host', 'interface'];
/** In flanneld's order: where both are given, the interface is looked for by the first. */
const PUBLIC_ADDRESSES = [
  { family: 'ipv4', flag: 'public-ip', path: ['host', 'publicIP'] },
  { family: 'ipv6', flag: 'public-ipv6', path: ['host', 'publicIPv6'] },
] as const satisfies readonly {
  readonly family: Family;
  readonly flag: string;
  readonly path: readonly string[];
}[];

/** `families` are those of the network where the file has one. */
export function hostPart(options: Options, families: readonly Family[] | undefined): Part {
  const given = PUBLIC_ADDRESSES.flatMap((place) => {
    const option = options.value(place.flag);
    return option === undefined || option.value === '' ? [] : [{ ...place, option }];
  });
  const first = given.find(({ path, option }) => fieldRefusal(path, option.value) === undefined);
  const parts = given.map(({ family, path, option }) =>
    families === undefined || families.includes(family)
      ? lineOrLost(path, option.value, option.origin, shown(option))
      : idle(shown(option), `the network has no ${FAMILY_NAME[family]}`),
  );
  return joined(interfacePart(options, first?.option), ...parts);
}

/** flanneld tries all of these in order until one is there; the file names one. */
function interfacePart(options: Options, publicIp: Given | undefined): Part {
  const tried = ['iface', 'iface-regex', 'iface-can-reach']
    .flatMap((flag) => options.values(flag))
    .filter(({ value }) => value !== '');
  if (tried.length === 0) {
    return publicIp === undefined
      ? line(INTERFACE, 'auto', "flanneld's default: that of the default route")
      : line(INTERFACE, publicIp.value, `${publicIp.origin}: without -iface, the interface that holds it`);
  }
  const parts = tried.map(selected);
  const first = parts.findIndex(({ lines }) => lines.length > 0);
  const taken = tried[first];
  if (taken === undefined) {
    return joined(line(INTERFACE, 'auto', 'nothing that was given can be taken: see below'), ...parts);
  }
  // Where the first is not there flanneld goes on to the next; here it is waited for.
  const why = `one host.interface is supported, and ${shown(taken)} is taken: a host that has not that one needs a file with this one`;
  return joined(
    ...parts.slice(0, first + 1),
    ...tried.slice(first + 1).map((given) => lost(shown(given), why)),
  );
}

function selected(given: Given): Part {
  const { flag, value, origin } = given;
  switch (flag.name) {
    case 'iface':
      return lineOrLost(isPlain(value) ? INTERFACE : [...INTERFACE, 'name'], value, origin, shown(given));
    case 'iface-regex':
      return GO_ONLY.test(value)
        ? lost(shown(given), 'means something else here, or nothing: write host.interface.regex anew')
        : lineOrLost([...INTERFACE, 'regex'], value, origin, shown(given));
    default:
      return lineOrLost([...INTERFACE, 'canReach'], value, origin, shown(given));
  }
}

function shown({ origin, value }: Given): string {
  return `${origin} ${quoted(value)}`;
}

/** Whether `host.interface: TEXT` means this address or this name. */
function isPlain(text: string): boolean {
  return (
    tryParseAddress(text) !== undefined || (text !== 'auto' && !/^[\d./]+$/.test(text) && !text.includes(':'))
  );
}

/**
 * What RE2 has (its wiki page Syntax) and JavaScript lacks or reads otherwise: groups with flags or names, classes of
 * POSIX, a bracket first in a class, and the escapes that are not the same letters in both.
 */
const GO_ONLY = /\(\?(?!:)|\[\[:|\[\^?\]|\\(?:[^dDsSwWbBfnrtvx\W]|x\{)/;
