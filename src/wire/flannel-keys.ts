/** flannel's keys below `subnets/`, read back. Writing them is model/keys.ts. */
import {
  type Address,
  FAMILY_BITS,
  type Family,
  type Prefix,
  prefixOf,
  tryParseAddress,
} from '../model/address.js';
import { subnetKey } from '../model/keys.js';
import type { Subnets } from '../model/lease.js';

/** The longest key there can be has 62 characters. The bound also keeps the pattern's running time small. */
const MOST_CHARACTERS = 64;

/** As flannel reads it (pkg/subnet/subnet.go): anchored at the end alone, so that what stands before is skipped. */
const KEY = /(\d+\.\d+\.\d+\.\d+)-(\d+)(?:&([a-f\d:]+)-(\d+))?$/;

/** flannel writes this for the absent IPv4 part of an IPv6 subnet. */
const NO_IPV4 = '0.0.0.0-0';

/** What a key names; with `error` nobody may hold it, though `subnets` says what it was meant to be. */
export function subnetsOfKey(
  key: string,
): { readonly subnets: Subnets } | { readonly error: string; readonly subnets?: Subnets } {
  const match = key.length > MOST_CHARACTERS ? null : KEY.exec(key);
  if (match === null) return { error: 'the key is no subnet, want for example 10.5.34.0-24' };
  const [, ipv4Text = '', ipv4Length = '', ipv6Text, ipv6Length = ''] = match;
  try {
    const isIpv6Only = ipv6Text !== undefined && `${ipv4Text}-${ipv4Length}` === NO_IPV4;
    const subnets: Subnets = {
      ...(!isIpv6Only && { ipv4: prefix('ipv4', ipv4Text, ipv4Length) }),
      ...(ipv6Text !== undefined && { ipv6: prefix('ipv6', ipv6Text, ipv6Length) }),
    };
    const canonical = subnetKey(subnets);
    return canonical === key
      ? { subnets }
      : { error: `the key is not in canonical form, must be ${canonical}`, subnets };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

function prefix(family: Family, text: string, lengthText: string): Prefix {
  const address: Address | undefined = tryParseAddress(text);
  if (address === undefined) throw new Error(`the key holds "${text}", which is no ${family} address`);
  // flannel's limits: a single address is no subnet, and neither is everything.
  const most = FAMILY_BITS[family] - 1;
  const length = Number(lengthText);
  if (length < 1 || length > most) throw new Error(`the key holds length ${length}, must be 1 to ${most}`);
  return prefixOf(address, length);
}
