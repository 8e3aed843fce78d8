/** The end of a VXLAN tunnel: its MAC, and what a lease says of it. */
import { type Address, bitsOf, familyOf } from '../address.js';
import type { JsonValue } from '../lease.js';

/** A MAC of our own making begins so: locally administered, of one host; "f" and "l" in ASCII. */
const OUR_FIRST = 0x66;
const OUR_SECOND = 0x6c;

/**
 * The same at each start, and different for every host of a network: the other hosts need not learn it anew. Of an IPv4
 * address it holds all 32 bits, of an IPv6 address a digest of 40.
 */
export function vtepMac(publicIp: Address): string {
  const bits = bitsOf(publicIp);
  const [second, low] =
    familyOf(publicIp) === 'ipv4'
      ? [OUR_SECOND, bits]
      : [Number(digest40(bits) >> 32n), digest40(bits) & 0xffff_ffffn];
  const bytes = [OUR_FIRST, second, ...[24n, 16n, 8n, 0n].map((shift) => Number((low >> shift) & 0xffn))];
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** FNV-1a of 64 bits over the 16 bytes, folded. */
function digest40(bits: bigint): bigint {
  let hash = 0xcbf29ce484222325n;
  for (let shift = 120n; shift >= 0n; shift -= 8n) {
    hash = ((hash ^ ((bits >> shift) & 0xffn)) * 0x100000001b3n) & 0xffff_ffff_ffff_ffffn;
  }
  return (hash ^ (hash >> 24n)) & 0xff_ffff_ffffn;
}

/** flannel's BackendData of vxlan, to the byte. */
export function vxlanData(vni: number, mac: string): JsonValue {
  return { VNI: vni, VtepMAC: mac };
}

/** The MAC in such data, in lower case with colons; undefined when there is none, or none that one host can have. */
export function macIn(data: JsonValue | undefined): string | undefined {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return undefined;
  // Names of fields match whatever their case, and the last of several counts, as in Go.
  const text = Object.entries(data).findLast(([name]) => name.toLowerCase() === 'vtepmac')?.[1];
  if (typeof text !== 'string' || !SPELLINGS.some((spelling) => spelling.test(text))) return undefined;
  const digits = text.toLowerCase().replace(/[^0-9a-f]/g, '');
  const isMulticast = (Number.parseInt(digits.slice(0, 2), 16) & 1) === 1;
  if (isMulticast || /^0+$/.test(digits)) return undefined;
  return digits.replace(/(..)(?!$)/g, '$1:');
}

/** Those that Go's net.ParseMAC takes. */
const SPELLINGS = [
  /^[\da-f]{2}(:[\da-f]{2}){5}$/i,
  /^[\da-f]{2}(-[\da-f]{2}){5}$/i,
  /^[\da-f]{4}(\.[\da-f]{4}){2}$/i,
];
