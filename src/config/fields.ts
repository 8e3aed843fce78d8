/**
 * The kinds of values that the YAML file holds. Each error is the allowed alone (`must be 1 to 65535`):
 * mistakes.ts puts the offending value before it.
 */
import { z } from 'zod';
import {
  type Address,
  bitsOf,
  contains,
  FAMILY_NAME,
  type Family,
  familyOf,
  type Prefix,
  parseInterfaceAddress,
  parsePrefix,
  prefixOf,
  tryParseAddress,
} from '../model/address.js';

/** Why a text is refused, and what may have been meant. */
interface Refusal {
  readonly refused: string;
  readonly hint?: string;
}

/** Text that `parse` turns into a value or refuses. `want` is shown when there is no text at all. */
export function parsed<T>(want: string, parse: (text: string) => { readonly value: T } | Refusal) {
  return z.string({ error: want }).transform((text, context): T => {
    const result = parse(text);
    if ('value' in result) return result.value;
    context.addIssue({ code: 'custom', message: result.refused, params: { hint: result.hint } });
    return z.NEVER;
  });
}

export function integer(least: number, most: number, error = `must be ${least} to ${most}`) {
  return z.int({ error }).min(least, { error }).max(most, { error });
}

export function flag() {
  return z.boolean({ error: 'must be true or false' });
}

export function choice<const Names extends readonly [string, ...string[]]>(names: Names) {
  return z.enum(names, { error: `must be ${inWords(names)}` });
}

/** A section refuses keys that it does not know. */
export function section<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, { error: 'must be a section, that is keys and values' });
}

export function list<Item extends z.core.$ZodType>(item: Item) {
  return z.array(item, { error: 'must be a list' });
}

const EXAMPLES = {
  ipv4: { address: '10.8.65.66', prefix: '4.0.0.0/16' },
  ipv6: { address: '2001:db8::66', prefix: 'fd00:4::/48' },
} as const satisfies Record<Family, object>;

/** An address of either family. */
export function address() {
  const want = `must be an address such as ${EXAMPLES.ipv4.address} or ${EXAMPLES.ipv6.address}`;
  return parsed(want, (text) => {
    const value = tryParseAddress(text);
    return value === undefined ? { refused: want } : { value };
  });
}

/** `otherKey` is where an address of the other family belongs. */
export function addressOf(family: Family, otherKey: string) {
  const want = `must be an ${FAMILY_NAME[family]} address such as ${EXAMPLES[family].address}`;
  return parsed(want, (text) => addressIn(family, text, want, otherKey));
}

export function hostAddressWant(family: Family): string {
  return `must be a host's ${FAMILY_NAME[family]} address such as ${EXAMPLES[family].address}`;
}

/** An address that other hosts can send to. */
export function hostAddress(family: Family, otherKey: string) {
  const want = hostAddressWant(family);
  return parsed(want, (text) => {
    const result = addressIn(family, text, want, otherKey);
    if ('value' in result && NOT_A_HOST.some((prefix) => contains(prefix, result.value))) {
      return { refused: `${want}: no other host can send to this one` };
    }
    return result;
  });
}

/** RFC 6890: this network, loopback, multicast, reserved; of IPv6 unspecified, loopback, link-local, multicast. */
const NOT_A_HOST = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/127',
  'fe80::/10',
  'ff00::/8',
].map((text) => parsePrefix(text));

function addressIn(
  family: Family,
  text: string,
  want: string,
  otherKey: string,
): { readonly value: Address } | Refusal {
  const value = tryParseAddress(text);
  if (value === undefined) return { refused: want };
  return familyOf(value) === family ? { value } : elsewhere(value, want, otherKey);
}

function elsewhere(value: Address, want: string, otherKey: string): Refusal {
  return { refused: want, hint: `${FAMILY_NAME[familyOf(value)]} stands at ${otherKey}` };
}

export function prefixWant(family: Family): string {
  return `must be an ${FAMILY_NAME[family]} prefix such as ${EXAMPLES[family].prefix}`;
}

export function prefix(family: Family, otherKey: string) {
  const want = prefixWant(family);
  return parsed<Prefix>(want, (text) => {
    const given = tryParseInterfaceAddress(text);
    if (given === undefined) return { refused: want };
    if (familyOf(given.address) !== family) return elsewhere(given.address, want, otherKey);
    const value = prefixOf(given.address, given.length);
    if (bitsOf(value) === bitsOf(given.address)) return { value };
    const refused = 'must be the address of a network, without host bits';
    return { refused, hint: `did you mean ${value}?` };
  });
}

function tryParseInterfaceAddress(text: string): ReturnType<typeof parseInterfaceAddress> | undefined {
  try {
    return parseInterfaceAddress(text);
  } catch {
    return undefined;
  }
}

const SECONDS = { s: 1, m: 60, h: 3600, d: 86400 } as const;
type Unit = keyof typeof SECONDS;

/** A duration such as `24h`; the value is in seconds. */
export function durationSeconds(least: string, most: string) {
  const want = `must be a duration from ${least} to ${most}, such as 24h, 10m or 90s`;
  const [leastSeconds = 0, mostSeconds = 0] = [secondsOf(least), secondsOf(most)];
  return parsed<number>(want, (text) => {
    const value = secondsOf(text);
    if (value === undefined || value < leastSeconds || value > mostSeconds) return { refused: want };
    return { value };
  });
}

function secondsOf(text: string): number | undefined {
  const [, amount, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  return amount === undefined ? undefined : Number(amount) * SECONDS[unit as Unit];
}

export function absolutePath() {
  const want = 'must be an absolute path of a file or directory, beginning with /';
  return parsed<string>(want, (text) => {
    // The last part names something: "/run/" or "/run/.." would be a directory in place of a file.
    const named = /^(?:\/+[^/]+)+$/.test(text) && !/\/\.{1,2}$/.test(text);
    return named && isOneLine(text) ? { value: text } : { refused: want };
  });
}

/** One word of a command line. */
export function argument() {
  const want = 'must be one argument of a command, on one line';
  return parsed<string>(want, (text) =>
    text !== '' && isOneLine(text) ? { value: text } : { refused: want },
  );
}

/**
 * etcd keys are joined as flannel joins them: repeated and trailing slashes collapse, and a missing leading
 * slash is not added, since that is another key.
 */
export function keyPrefix() {
  const want = 'must be a path of keys such as /coreos.com/network';
  return parsed<string>(want, (text) => {
    const parts = text.split('/').filter((part) => part !== '');
    const plain = parts.every((part) => part !== '.' && part !== '..');
    if (parts.length === 0 || !plain || !isOneLine(text)) return { refused: want };
    return { value: (text.startsWith('/') ? '/' : '') + parts.join('/') };
  });
}

/** Scheme, host and port and nothing else: etcd has no default port to fall back on. */
export function endpoint() {
  const want = 'must be a URL such as http://10.8.64.10:2379';
  return parsed<string>(want, (text) => {
    const [, scheme, rest = ''] = /^(https?):\/\/([^\s/]*)\/?$/.exec(text) ?? [];
    if (scheme === undefined) {
      const isBare = /^[^\s/:@]+:\d{1,5}$/.test(text);
      return isBare ? { refused: want, hint: `did you mean http://${text}?` } : { refused: want };
    }
    if (rest.includes('@')) {
      return { refused: 'must not hold a password: it goes into the file that passwordFile names' };
    }
    if (!/:\d{1,5}$/.test(rest)) return { refused: `${want}, with its port` };
    return URL.canParse(text) ? { value: `${scheme}://${rest}` } : { refused: want };
  });
}

/** A name that the kernel accepts for an interface (net/core/dev.c, dev_valid_name). */
export function isInterfaceName(text: string): boolean {
  return /^[^\s/:]{1,15}$/.test(text) && isOneLine(text) && text !== '.' && text !== '..';
}

export function interfaceName(example: string) {
  return parsed(`must be an interface name such as ${example}`, (text) =>
    isInterfaceName(text) ? { value: text } : { refused: 'must be an interface name of 1 to 15 characters' },
  );
}

/** No control characters: none of these belongs in a path or a name, and they would garble what is printed. */
export function isOneLine(text: string): boolean {
  return !/\p{Cc}/u.test(text);
}

/** `a`, `a or b`, `a, b or c`. */
export function inWords(words: readonly string[]): string {
  const [last = '', ...before] = words.toReversed();
  return before.length === 0 ? last : `${before.toReversed().join(', ')} or ${last}`;
}
