/**
 * What a host's firewall does with one known packet: the rules of iptables and of nft are followed as the kernel does. A rule
 * that asks for something else than the packet's addresses, devices and ports decides nothing here.
 */
import { type Address, contains, type Prefix } from '../address.js';

export type Hook = 'input' | 'output' | 'forward';

/** The first packet of a conversation. */
export interface KnownPacket {
  readonly hook: Hook;
  readonly in?: string;
  readonly out?: string;
  readonly source: Address;
  readonly destination: Address;
  readonly protocol: 'udp' | 'tcp';
  readonly port: number;
}

export interface FirewallFacts {
  /** The program of each rule set, such as `iptables` or `iptables-legacy`, with what its `-save` prints. */
  readonly iptables: readonly { readonly program: string; readonly saved: string }[];
  readonly nft?: NftListing;
}

/** What `nft --json list ruleset` has under `nftables`: a table, a chain or a rule each (libnftables-json(5)). */
export type NftListing = readonly { readonly [key: string]: unknown }[];

/** Where a packet ends. */
export interface FirewallDrop {
  /** In words, as its program prints it: `-A INPUT -p udp -j DROP`, or `policy DROP of INPUT`. */
  readonly rule: string;
  /** The chain that the hook begins with: what is put first in there comes before the drop. */
  readonly base:
    | { readonly program: string; readonly chain: string }
    | { readonly program: 'nft'; readonly family: string; readonly table: string; readonly chain: string };
}

export type Verdict = 'accept' | 'drop' | 'return' | undefined;

/** True, false, or undefined for what cannot be told. */
export type Answer = boolean | undefined;

/** All must hold. */
export function all(answers: readonly Answer[]): Answer {
  if (answers.includes(false)) return false;
  return answers.includes(undefined) ? undefined : true;
}

export function isIn(prefix: Prefix | undefined, address: Address): Answer {
  return prefix === undefined ? undefined : contains(prefix, address);
}

/** `+` at the end of a name stands for anything with iptables, `*` with nft. */
export function isNamed(pattern: string, name: string | undefined): boolean {
  if (name === undefined) return false;
  return /[+*]$/.test(pattern) ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
