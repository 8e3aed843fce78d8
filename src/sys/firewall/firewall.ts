/** The host's firewall: nft for what we own as a table, iptables for what must stand in the filter table. */
import { existsSync } from 'node:fs';
import type { Family } from '../../model/address.js';
import type { BridgeFirewall } from '../../model/docker/bridge.js';
import type { FlannelRulesState, ForwardState, MasqueradeState } from '../../model/objects.js';
import {
  type BridgeQuestion,
  type Firewall,
  type FirewallPlace,
  type FoundForward,
  SystemError,
} from '../../ports.js';
import { type RunProgram, runProgram } from '../run-program.js';
import { BridgeRules } from './bridge-rules.js';
import { FlannelRules } from './flannel-rules.js';
import { IptablesChains } from './iptables.js';
import { NftTables } from './nft.js';
import { watchRuleEvents } from './rule-events.js';

/**
 * A program that is not installed has made nothing, so reading through it finds nothing; writing then rejects
 * with ENOENT naming it. The same holds for IPv6 in a kernel without it.
 */
export class HostFirewall implements Firewall {
  readonly #tables: NftTables;
  readonly #chains: IptablesChains;
  readonly #flannel: FlannelRules;
  readonly #bridges: BridgeRules;

  constructor(run: RunProgram = runProgram) {
    this.#tables = new NftTables(run);
    this.#chains = new IptablesChains(run);
    this.#flannel = new FlannelRules(run);
    this.#bridges = new BridgeRules(run);
  }

  async masquerade(family: Family, table: string, signal: AbortSignal): Promise<MasqueradeState | undefined> {
    return unlessUnable(family, () => this.#tables.read(family, table, signal));
  }

  replaceMasquerade(state: MasqueradeState, signal: AbortSignal): Promise<void> {
    return this.#tables.replace(state, signal);
  }

  deleteMasquerade(family: Family, table: string, signal: AbortSignal): Promise<void> {
    return this.#tables.remove(family, table, signal);
  }

  async forward(family: Family, chain: string, signal: AbortSignal): Promise<FoundForward | undefined> {
    return unlessUnable(family, () => this.#chains.read(family, chain, signal));
  }

  replaceForward(state: ForwardState, signal: AbortSignal): Promise<void> {
    return this.#chains.replace(state, signal);
  }

  deleteForward(family: Family, chain: string, signal: AbortSignal): Promise<void> {
    return this.#chains.remove(family, chain, signal);
  }

  async copyOf({ what, family, name }: FirewallPlace, signal: AbortSignal): Promise<string | undefined> {
    const place = what === 'masquerade' ? this.#tables : this.#chains;
    return unlessUnable(family, () => place.copyOf(family, name, signal));
  }

  putBack(
    { what, family, name }: FirewallPlace,
    copy: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const place = what === 'masquerade' ? this.#tables : this.#chains;
    return copy === undefined
      ? place.remove(family, name, signal)
      : place.putBack(family, name, copy, signal);
  }

  flannelRules(signal: AbortSignal): Promise<readonly FlannelRulesState[]> {
    return this.#flannel.find(signal);
  }

  deleteFlannelRules(state: FlannelRulesState, signal: AbortSignal): Promise<void> {
    return this.#flannel.remove(state, signal);
  }

  bridgeFirewall(question: BridgeQuestion, signal: AbortSignal): Promise<BridgeFirewall> {
    return this.#bridges.read(question, signal);
  }

  watch(wake: () => void, signal: AbortSignal): void {
    watchRuleEvents(wake, signal);
  }
}

async function unlessUnable<T>(family: Family, read: () => Promise<T | undefined>): Promise<T | undefined> {
  // Absent when IPv6 was left out of the kernel or switched off at its command line (ipv6.disable=1).
  if (family === 'ipv6' && !existsSync('/proc/thread-self/net/if_inet6')) return undefined;
  try {
    return await read();
  } catch (error) {
    if (error instanceof SystemError && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
