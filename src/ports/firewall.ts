/** What masquerades, forwards and drops on this host. */
import type { Family, Prefix } from '../model/address.js';
import type { BridgeFirewall } from '../model/docker/bridge.js';
import type { FlannelRulesState, ForwardState, MasqueradeState } from '../model/objects.js';

export interface FoundForward {
  readonly state: ForwardState;
  /** Read from the comments of the rules: flanneld's chain has the same name. */
  readonly ours: boolean;
}

/** A table of masquerade rules, or a chain of the filter table. */
export interface FirewallPlace {
  readonly what: 'masquerade' | 'forward';
  readonly family: Family;
  readonly name: string;
}

export interface BridgeQuestion {
  readonly bridge: string;
  /** Of the containers on the bridge. */
  readonly subnet: Prefix;
  /** Where packets of other hosts' containers come in. */
  readonly devices: readonly string[];
}

/** Reads reject with ObserveError, writes with SystemError, both with PrivilegeError or with the signal's reason. */
export interface Firewall {
  /** Undefined when the table is absent. */
  masquerade(
    family: MasqueradeState['family'],
    table: string,
    signal: AbortSignal,
  ): Promise<MasqueradeState | undefined>;
  /** Replaces the whole table in one transaction; `masquerade` then gives `state` back. EINVAL for a state with unreadable parts. */
  replaceMasquerade(state: MasqueradeState, signal: AbortSignal): Promise<void>;
  /** Gone already is success. */
  deleteMasquerade(family: MasqueradeState['family'], table: string, signal: AbortSignal): Promise<void>;
  /** Undefined when the chain is absent. */
  forward(
    family: ForwardState['family'],
    chain: string,
    signal: AbortSignal,
  ): Promise<FoundForward | undefined>;
  /** Replaces the chain, whoever made it, and makes or removes the jump, at once; `forward` then gives `state` back. EINVAL for a state with unreadable parts. */
  replaceForward(state: ForwardState, signal: AbortSignal): Promise<void>;
  /** Removes every jump to the chain, and the chain. Gone already is success. */
  deleteForward(family: ForwardState['family'], chain: string, signal: AbortSignal): Promise<void>;
  /** All that stands there, whoever wrote it, in words of the program; two of the same rules are equal. Undefined when it is absent. */
  copyOf(place: FirewallPlace, signal: AbortSignal): Promise<string | undefined>;
  /** Makes it what `copy` says, at once; the place of a jump among others is not kept. */
  putBack(place: FirewallPlace, copy: string | undefined, signal: AbortSignal): Promise<void>;
  /** What flannel has left that masquerades, in every place where it may be. */
  flannelRules(signal: AbortSignal): Promise<readonly FlannelRulesState[]>;
  /** Removes it, and every rule that leads there. Gone already is success. */
  deleteFlannelRules(state: FlannelRulesState, signal: AbortSignal): Promise<void>;
  /** What Docker's rules, and the others on the way, do to the packets of a bridge. Read only. */
  bridgeFirewall(question: BridgeQuestion, signal: AbortSignal): Promise<BridgeFirewall>;
  /** Wakes on any change of the ruleset made through nf_tables, until `signal` aborts. */
  watch(wake: () => void, signal: AbortSignal): void;
}
