/** The value of a lease key: flannel's JSON, to the byte (pkg/subnet/subnet.go, LeaseAttrs). */
import { type Address, type Family, familyOf, tryParseAddress } from '../model/address.js';
import type { LeaseAttributes } from '../model/lease.js';
import {
  type Fields,
  field,
  parseFields,
  quoted,
  StoredValueError,
  stringField,
  unknownFields,
} from './flannel-json.js';

const KNOWN = ['PublicIP', 'PublicIPv6', 'BackendType', 'BackendData', 'BackendV6Data'] as const;

/** flannel's decoder rejects null for PublicIP and drops the lease: this stands for none. */
const NO_IPV4 = '0.0.0.0';
const UNSPECIFIED: readonly string[] = [NO_IPV4, '::'];

/** What flannel writes, in its order; fields that it does not know follow. */
export function leaseJson(attributes: LeaseAttributes): string {
  const { publicIps, backendType, backendData, backendV6Data } = attributes;
  return JSON.stringify({
    PublicIP: publicIps.ipv4 ?? NO_IPV4,
    PublicIPv6: publicIps.ipv6 ?? null,
    ...(backendType !== '' && { BackendType: backendType }),
    ...(backendData !== undefined && { BackendData: backendData }),
    ...(backendV6Data !== undefined && { BackendV6Data: backendV6Data }),
    ...attributes.unknownFields,
  });
}

/** Throws StoredValueError. Addresses are read, not judged: see model/public-ip.ts. */
export function parseLeaseJson(text: string): LeaseAttributes {
  const fields = parseFields(text);
  const ipv4 = addressField(fields, 'PublicIP', 'ipv4');
  const ipv6 = addressField(fields, 'PublicIPv6', 'ipv6');
  const backendData = field(fields, 'BackendData') ?? undefined;
  const backendV6Data = field(fields, 'BackendV6Data') ?? undefined;
  const unknown = unknownFields(fields, KNOWN);
  return {
    publicIps: { ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }) },
    backendType: stringField(fields, 'BackendType') ?? '',
    ...(backendData !== undefined && { backendData }),
    ...(backendV6Data !== undefined && { backendV6Data }),
    ...(unknown && { unknownFields: unknown }),
  };
}

function addressField(fields: Fields, name: string, family: Family): Address | undefined {
  const text = stringField(fields, name);
  if (text === undefined) return undefined;
  const address = tryParseAddress(text);
  if (address === undefined || familyOf(address) !== family) {
    throw new StoredValueError(
      `${name} is ${quoted(text)}, must be an ${family === 'ipv4' ? 'IPv4' : 'IPv6'} address`,
    );
  }
  return UNSPECIFIED.includes(address) ? undefined : address;
}
