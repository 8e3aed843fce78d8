/**
 * IP addresses and prefixes as values. A value is its canonical text (dotted quad; RFC 5952 for IPv6), so
 * equality is `===`, and a Map key, a plan in JSON and a log line need no conversion. The family is read off
 * the text. Arithmetic goes through `bits`, an unsigned integer of 32 or 128 bits.
 */

export type Family = 'ipv4' | 'ipv6';
declare const canonical: unique symbol;
/** Canonical text of one address, for example `10.5.34.1`. */
export type Address = string & { readonly [canonical]: 'address' };
/** Canonical text of one prefix without host bits, for example `10.5.34.0/24`. */
export type Prefix = string & { readonly [canonical]: 'prefix' };

export class AddressError extends Error {
  override readonly name = 'AddressError';
}

/** In flannel's order: that of a lease's key and of subnet.env. */
export const FAMILIES = ['ipv4', 'ipv6'] as const satisfies readonly Family[];

/** For people. */
export const FAMILY_NAME = { ipv4: 'IPv4', ipv6: 'IPv6' } as const satisfies Record<Family, string>;

export const FAMILY_BITS = { ipv4: 32, ipv6: 128 } as const satisfies Record<Family, number>;

export function familyOf(value: Address | Prefix): Family {
  return value.includes(':') ? 'ipv6' : 'ipv4';
}

/** The address as an unsigned integer in host order. A prefix gives its network address. */
export function bitsOf(value: Address | Prefix): bigint {
  const slash = value.indexOf('/');
  const text = slash === -1 ? value : value.slice(0, slash);
  const bits = familyOf(value) === 'ipv4' ? ipv4Bits(text) : ipv6Bits(text);
  if (bits === undefined) throw new AddressError(`Cannot read address "${value}": not in canonical form`);
  return bits;
}

/** Throws AddressError naming what is wrong. Accepts any valid spelling, returns the canonical one. */
export function parseAddress(text: string): Address {
  const address = tryParseAddress(text);
  if (address === undefined) {
    throw new AddressError(
      `Cannot parse address "${text}": want an IPv4 address such as 10.5.0.1 or an IPv6 address such as fd00::1`,
    );
  }
  return address;
}

export function tryParseAddress(text: string): Address | undefined {
  const family = text.includes(':') ? 'ipv6' : 'ipv4';
  const bits = family === 'ipv4' ? ipv4Bits(text) : ipv6Bits(text);
  return bits === undefined ? undefined : addressFromBits(family, bits);
}

/** Throws AddressError naming what is wrong; host bits are an error (see `prefixOf` to mask them). */
export function parsePrefix(text: string): Prefix {
  const { address, length } = parseInterfaceAddress(text);
  const prefix = prefixOf(address, length);
  if (bitsOf(prefix) !== bitsOf(address)) {
    throw new AddressError(`Cannot parse prefix "${text}": host bits are set, did you mean "${prefix}"?`);
  }
  return prefix;
}

export function tryParsePrefix(text: string): Prefix | undefined {
  try {
    return parsePrefix(text);
  } catch {
    return undefined;
  }
}

/** An address with the length of its network, as in `10.5.34.1/24`. Host bits are kept. */
export function parseInterfaceAddress(text: string): { readonly address: Address; readonly length: number } {
  const [addressText = '', lengthText, ...rest] = text.split('/');
  const address = tryParseAddress(addressText);
  if (address === undefined || lengthText === undefined || rest.length > 0 || !/^\d{1,3}$/.test(lengthText)) {
    throw new AddressError(`Cannot parse prefix "${text}": want ADDRESS/LENGTH such as 10.5.0.0/16`);
  }
  const length = Number(lengthText);
  const most = FAMILY_BITS[familyOf(address)];
  if (length > most) {
    throw new AddressError(`Cannot parse prefix "${text}": length is ${length}, must be 0 to ${most}`);
  }
  return { address, length };
}

/** The prefix of `length` that holds `address`; host bits are cleared. */
export function prefixOf(address: Address, length: number): Prefix {
  const family = familyOf(address);
  const width = BigInt(FAMILY_BITS[family] - length);
  return `${addressFromBits(family, (bitsOf(address) >> width) << width)}/${length}` as Prefix;
}

export function addressFromBits(family: Family, bits: bigint): Address {
  return (family === 'ipv4' ? ipv4Text(bits) : ipv6Text(bits)) as Address;
}

export function lengthOf(prefix: Prefix): number {
  return Number(prefix.slice(prefix.indexOf('/') + 1));
}

/** The network address: `10.5.34.0` of `10.5.34.0/24`. */
export function baseOf(prefix: Prefix): Address {
  return prefix.slice(0, prefix.indexOf('/')) as Address;
}

/** The address `offset` after the network address; 1 is what flannel gives to the bridge. */
export function addressAt(prefix: Prefix, offset: number | bigint): Address {
  return addressFromBits(familyOf(prefix), bitsOf(prefix) + BigInt(offset));
}

/** First and last address as integers, both inclusive. */
export function rangeOf(prefix: Prefix): { readonly first: bigint; readonly last: bigint } {
  const first = bitsOf(prefix);
  return { first, last: first + (1n << BigInt(FAMILY_BITS[familyOf(prefix)] - lengthOf(prefix))) - 1n };
}

export function contains(outer: Prefix, inner: Address | Prefix): boolean {
  if (familyOf(outer) !== familyOf(inner)) return false;
  const { first, last } = rangeOf(outer);
  const start = bitsOf(inner);
  const end = inner.includes('/') ? rangeOf(inner as Prefix).last : start;
  return first <= start && end <= last;
}

export function overlaps(left: Prefix, right: Prefix): boolean {
  return contains(left, right) || contains(right, left);
}

function ipv4Bits(text: string): bigint | undefined {
  // No leading zeros: some readers take them for octal (RFC 6943, section 3.1.1).
  const match = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/.exec(text);
  if (match === null) return undefined;
  // As numbers: big integers cost several times as much, and every look at a route table comes through here.
  let bits = 0;
  for (let octet = 1; octet <= 4; octet++) {
    const value = Number(match[octet]);
    if (value > 255) return undefined;
    bits = bits * 256 + value;
  }
  return BigInt(bits);
}

function ipv4Text(bits: bigint): string {
  const number = Number(bits);
  return [number / 2 ** 24, number / 2 ** 16, number / 2 ** 8, number].map((part) => part & 255).join('.');
}

function ipv6Bits(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  // RFC 4291, section 2.2 (3): the last 32 bits may be written as a dotted quad.
  const end = halves.length === 2 ? tail : head;
  const quadText = end.at(-1);
  if (quadText?.includes('.')) {
    const quad = ipv4Bits(quadText);
    if (quad === undefined) return undefined;
    end.splice(-1, 1, (quad >> 16n).toString(16), (quad & 0xffffn).toString(16));
  }
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  let bits = 0n;
  for (const group of [...head, ...new Array<string>(missing).fill('0'), ...tail]) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
    bits = (bits << 16n) | BigInt(`0x${group}`);
  }
  return bits;
}

/** RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups (the first such) as `::`. */
function ipv6Text(bits: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((bits >> BigInt(112 - 16 * index)) & 0xffffn).toString(16),
  );
  let [start, run] = [0, 0];
  for (let from = 0; from < 8; from++) {
    let length = 0;
    while (groups[from + length] === '0') length++;
    if (length > run) [start, run] = [from, length];
  }
  if (run < 2) return groups.join(':');
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + run).join(':')}`;
}
