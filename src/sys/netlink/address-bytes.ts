/** Addresses as the kernel has them: 4 or 16 bytes in network order, 6 of a MAC. */
import { Buffer } from 'node:buffer';
import {
  type Address,
  addressFromBits,
  bitsOf,
  FAMILY_BITS,
  type Family,
  familyOf,
} from '../../model/address.js';

/** AF_INET and AF_INET6. */
export const FAMILY_NUMBER = { ipv4: 2, ipv6: 10 } as const satisfies Record<Family, number>;

export const FAMILY_BYTES = { ipv4: 4, ipv6: 16 } as const satisfies Record<Family, number>;

export function familyOfNumber(number: number): Family | undefined {
  return number === FAMILY_NUMBER.ipv4 ? 'ipv4' : number === FAMILY_NUMBER.ipv6 ? 'ipv6' : undefined;
}

export function addressBytes(address: Address): Buffer {
  const hexDigits = FAMILY_BITS[familyOf(address)] / 4;
  return Buffer.from(bitsOf(address).toString(16).padStart(hexDigits, '0'), 'hex');
}

/** `bytes` is 4 or 16 bytes long. */
export function addressFromBytes(bytes: Buffer): Address {
  // Dotted quads come by the thousand, and are canonical as they are.
  if (bytes.length === 4) return bytes.join('.') as Address;
  return addressFromBits('ipv6', BigInt(`0x${bytes.toString('hex')}`));
}

/** `mac` is six pairs of hexadecimal digits with colons between. */
export function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

export function macFromBytes(bytes: Buffer): string {
  return bytes.toString('hex').replace(/(..)(?!$)/g, '$1:');
}
