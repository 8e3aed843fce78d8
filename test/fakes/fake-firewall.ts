/** A firewall in memory, as strict as the programs: the contract suite runs over both. */
import { type Family, familyOf, type Prefix } from '../../src/model/address.js';
import type { BridgeFirewall } from '../../src/model/docker/bridge.js';
import type { FlannelRulesState, ForwardState, MasqueradeState } from '../../src/model/objects.js';
import { flannelRulesKey } from '../../src/model/traffic-rules.js';
import {
  type BridgeQuestion,
  type Firewall,
  type FirewallPlace,
  type FoundForward,
  SystemError,
} from '../../src/ports.js';

interface Chain {
  readonly accept: readonly Prefix[];
  /** Rules of other forms, as text. */
  readonly others: readonly string[];
  /** The comments of its rules. */
  readonly comments: readonly string[];
  /** The comments of the jumps from FORWARD. */
  readonly jumps: readonly string[];
}

const OUR_COMMENT = 'flannelette';
const EMPTY_CHAIN: Chain = { accept: [], others: [], comments: [], jumps: [] };
/** iptables(8): "must be under 29 chars". */
const LONGEST_CHAIN_NAME = 28;

export class FakeFirewall implements Firewall {
  readonly #tables = new Map<string, MasqueradeState>();
  readonly #chains = new Map<string, Chain>();
  readonly #bridges = new Map<string, BridgeFirewall>();
  /** By their keys. */
  readonly #flannelRules = new Map<string, FlannelRulesState>();
  readonly #watchers = new Set<() => void>();
  /** How often something was written, by whomever: steady state writes nothing. */
  writes = 0;
  /** While set, every read or every write rejects with it. */
  failure: { readonly reads?: Error; readonly writes?: Error } = {};

  async masquerade(family: Family, table: string, signal: AbortSignal): Promise<MasqueradeState | undefined> {
    this.#enter(signal, this.failure.reads);
    return structuredClone(this.#tables.get(nameOf(family, table)));
  }

  async replaceMasquerade(state: MasqueradeState, signal: AbortSignal): Promise<void> {
    this.#enter(signal, this.failure.writes);
    const { family, table, rules, unreadable } = state;
    refuseUnreadable(unreadable);
    for (const { source, destination } of rules) {
      for (const match of [source, destination]) if (match !== undefined) refuseOther(family, match.prefix);
    }
    this.#tables.set(nameOf(family, table), structuredClone(state));
    this.#changed();
  }

  async deleteMasquerade(family: Family, table: string, signal: AbortSignal): Promise<void> {
    this.#enter(signal, this.failure.writes);
    this.#tables.delete(nameOf(family, table));
    this.#changed();
  }

  async forward(family: Family, chain: string, signal: AbortSignal): Promise<FoundForward | undefined> {
    this.#enter(signal, this.failure.reads);
    const found = this.#chains.get(nameOf(family, chain));
    if (found === undefined) return undefined;
    const { accept, others, comments, jumps } = found;
    const marks = [...comments, ...jumps];
    return {
      state: { family, chain, accept: [...accept], jump: jumps.length > 0, unreadable: [...others] },
      ours: marks.length === 0 || marks.includes(OUR_COMMENT),
    };
  }

  async replaceForward(state: ForwardState, signal: AbortSignal): Promise<void> {
    this.#enter(signal, this.failure.writes);
    const { family, chain, accept, jump, unreadable } = state;
    refuseUnreadable(unreadable);
    for (const prefix of accept) refuseOther(family, prefix);
    if (chain.length > LONGEST_CHAIN_NAME) throw new SystemError(`chain name "${chain}" too long`, 'EINVAL');
    const { jumps } = this.#chains.get(nameOf(family, chain)) ?? EMPTY_CHAIN;
    this.#chains.set(nameOf(family, chain), {
      accept: [...accept],
      others: [],
      comments: accept.map(() => OUR_COMMENT),
      jumps: !jump ? [] : jumps.length > 0 ? jumps : [OUR_COMMENT],
    });
    this.#changed();
  }

  async deleteForward(family: Family, chain: string, signal: AbortSignal): Promise<void> {
    this.#enter(signal, this.failure.writes);
    this.#chains.delete(nameOf(family, chain));
    this.#changed();
  }

  async copyOf({ what, family, name }: FirewallPlace, signal: AbortSignal): Promise<string | undefined> {
    this.#enter(signal, this.failure.reads);
    const places: ReadonlyMap<string, unknown> = what === 'masquerade' ? this.#tables : this.#chains;
    const there = places.get(nameOf(family, name));
    return there === undefined ? undefined : JSON.stringify(there);
  }

  async putBack(
    { what, family, name }: FirewallPlace,
    copy: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    this.#enter(signal, this.failure.writes);
    const places: Map<string, unknown> = what === 'masquerade' ? this.#tables : this.#chains;
    if (copy === undefined) places.delete(nameOf(family, name));
    else places.set(nameOf(family, name), JSON.parse(copy));
    this.#changed();
  }

  async flannelRules(signal: AbortSignal): Promise<readonly FlannelRulesState[]> {
    this.#enter(signal, this.failure.reads);
    return [...this.#flannelRules.values()];
  }

  async deleteFlannelRules(state: FlannelRulesState, signal: AbortSignal): Promise<void> {
    this.#enter(signal, this.failure.writes);
    this.#flannelRules.delete(flannelRulesKey(state));
    this.#changed();
  }

  async bridgeFirewall({ bridge }: BridgeQuestion, signal: AbortSignal): Promise<BridgeFirewall> {
    this.#enter(signal, this.failure.reads);
    return this.#bridges.get(bridge) ?? { masquerades: false, drops: [] };
  }

  watch(wake: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#watchers.add(wake);
    signal.addEventListener('abort', () => this.#watchers.delete(wake), { once: true });
  }

  /** Everything in it, as sorted lines; a rule of ours shows by its comment. */
  lines(): readonly string[] {
    const tables = [...this.#tables].flatMap(([name, { rules, unreadable }]) => [
      `table ${name}`,
      ...rules.map((rule, index) => `table ${name} rule ${index + 1} ${JSON.stringify(rule)}`),
      ...unreadable.map((text) => `table ${name} ${text}`),
    ]);
    const chains = [...this.#chains].flatMap(([name, { accept, others, comments, jumps }]) => [
      `chain ${name}${comments.length === 0 ? '' : ` by ${[...new Set(comments)].join(' and ')}`}`,
      ...accept.map((network) => `chain ${name} accepts ${network}`),
      ...others.map((rule) => `chain ${name} ${rule}`),
      ...jumps.map((comment) => `chain ${name} jump by ${comment}`),
    ]);
    return [...tables, ...chains, ...this.#flannelRules.keys()].sort();
  }

  // ---- what others do to it ------------------------------------------------------------------------------

  /** What Docker does to the packets of its bridge. */
  setBridge(bridge: string, rules: BridgeFirewall): void {
    this.#bridges.set(bridge, rules);
    this.#changed();
  }

  /** A rule that is none of ours, in a table of ours. */
  addNatRule(family: Family, table: string): void {
    const name = nameOf(family, table);
    const state = this.#tables.get(name);
    if (state === undefined) throw new Error(`Cannot add a rule: no table ${name}`);
    this.#tables.set(name, { ...state, unreadable: [...state.unreadable, 'rule {"expr":[{"drop":null}]}'] });
    this.#changed();
  }

  /** A rule that is none of ours, in our chain. */
  addForwardRule(family: Family, chain: string): void {
    const found = this.#chains.get(nameOf(family, chain)) ?? EMPTY_CHAIN;
    const others = [...found.others, `-A ${chain} -j LOG`];
    this.#chains.set(nameOf(family, chain), { ...found, others, comments: [...found.comments, 'somebody'] });
    this.#changed();
  }

  /** A chain as flanneld makes it. */
  makeFlanneldChain(chain: string, network: Prefix): void {
    const comments = ['flanneld forward', 'flanneld forward'];
    this.#chains.set(nameOf(familyOf(network), chain), {
      ...EMPTY_CHAIN,
      accept: [network],
      comments,
      jumps: ['flanneld forward'],
    });
    this.#changed();
  }

  /** What flannel masqueraded by. */
  makeFlannelRules(state: FlannelRulesState): void {
    this.#flannelRules.set(flannelRulesKey(state), state);
    this.#changed();
  }

  /** `iptables -F FORWARD`. */
  flushForward(family: Family): void {
    for (const [name, chain] of this.#chains) {
      if (name.startsWith(`${family} `)) this.#chains.set(name, { ...chain, jumps: [] });
    }
    this.#changed();
  }

  /** `nft flush ruleset`. */
  flushRuleset(): void {
    this.#tables.clear();
    this.#chains.clear();
    // The legacy tables are none of nft's.
    for (const [key, { place }] of this.#flannelRules)
      if (place !== 'iptables-legacy') this.#flannelRules.delete(key);
    this.#changed();
  }

  #enter(signal: AbortSignal, failure: Error | undefined): void {
    signal.throwIfAborted();
    if (failure !== undefined) throw failure;
  }

  #changed(): void {
    this.writes++;
    for (const wake of this.#watchers) wake();
  }
}

function nameOf(family: Family, name: string): string {
  return `${family} ${name}`;
}

function refuseUnreadable(unreadable: readonly string[]): void {
  if (unreadable.length > 0) throw new SystemError(`it would lose ${unreadable.join(', ')}`, 'EINVAL');
}

function refuseOther(family: Family, prefix: Prefix): void {
  if (familyOf(prefix) !== family) throw new SystemError(`${prefix} is not of family ${family}`, 'EINVAL');
}
