/**
 * The kinds of values that the YAML file holds. Each error is the allowed alone (`must be 1 to 65535`):
 * mistakes.ts puts the offending value before it.
 */
import { z } from 'zod';
import {
  type Address,
  bitsOf,
  contains,
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

const IPV4_ONLY = 'must be IPv4, the udp backend carries nothing else';

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

export function ipv4Address() {
  const want = 'must be an IPv4 address such as 10.8.65.66';
  return parsed(want, (text) => ipv4(text, want));
}

/** An address that other hosts can send to. */
export function hostAddress() {
  const want = "must be a host's IPv4 address such as 10.8.65.66";
  return parsed(want, (text) => {
    const result = ipv4(text, want);
    if ('value' in result && NOT_A_HOST.some((prefix) => contains(prefix, result.value))) {
      return { refused: `${want}: no other host can send to this one` };
    }
    return result;
  });
}

/** RFC 6890: this network, loopback, multicast, reserved. */
const NOT_A_HOST = ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/4', '240.0.0.0/4'].map((text) =>
  parsePrefix(text),
);

function ipv4(text: string, want: string): { readonly value: Address } | Refusal {
  const address = tryParseAddress(text);
  if (address === undefined) return { refused: want };
  return familyOf(address) === 'ipv4' ? { value: address } : { refused: IPV4_ONLY };
}

export function ipv4Prefix() {
  const want = 'must be an IPv4 prefix such as 4.0.0.0/16';
  return parsed<Prefix>(want, (text) => {
    const given = tryParseInterfaceAddress(text);
    if (given === undefined) return { refused: want };
    if (familyOf(given.address) !== 'ipv4') return { refused: IPV4_ONLY };
    const prefix = prefixOf(given.address, given.length);
    if (bitsOf(prefix) === bitsOf(given.address)) return { value: prefix };
    const refused = 'must be the address of a network, without host bits';
    return { refused, hint: `did you mean ${prefix}?` };
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

/** No control characters: none of these belongs in a path or a name, and they would garble what is printed. */
export function isOneLine(text: string): boolean {
  return !/\p{Cc}/u.test(text);
}

/** `a`, `a or b`, `a, b or c`. */
export function inWords(words: readonly string[]): string {
  const [last = '', ...before] = words.toReversed();
  return before.length === 0 ? last : `${before.toReversed().join(', ')} or ${last}`;
}
