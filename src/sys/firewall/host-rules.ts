/** What on the host would have to see the datagrams between the hosts. Asked again and again, it asks the programs only when need be. */
import { ingressQdisc } from '../ingress-qdisc.js';
import { linkIndex } from '../packet-devices.js';
import { type RunProgram, runProgram } from '../run-program.js';
import { DatagramRules } from './datagram-rules.js';
import type { Datagrams } from './datagrams.js';
import { certainLegacyTables } from './legacy-tables.js';
import { watchRuleEvents } from './rule-events.js';

export class HostRules {
  readonly #rules: DatagramRules;
  readonly #signal: AbortSignal;
  /** What was found last; undefined once it may be otherwise. */
  #last: { readonly question: string; readonly found: string | undefined } | undefined;
  #changes = 0;

  /** It hears of changes until `signal` aborts. Throws SystemError when the kernel does not tell of them. */
  constructor(signal: AbortSignal, run: RunProgram = runProgram) {
    this.#rules = new DatagramRules(run);
    this.#signal = signal;
    const onChange = () => {
      this.#changes++;
      this.#last = undefined;
    };
    watchRuleEvents(onChange, signal);
  }

  /**
   * A rule as DatagramRules finds it, or `tc qdisc clsact on eth0`. Undefined when there is nothing. Rejects as that does, and with
   * SystemError when the kernel does not say what qdiscs there are.
   */
  async look(question: Datagrams): Promise<string | undefined> {
    const qdisc = ingressQdisc(linkIndex(question.link));
    if (qdisc !== undefined) return `tc qdisc ${qdisc} on ${question.link}`;
    const { address, port, link } = question;
    const asked = `${address} ${port} ${link}`;
    // Of changes in legacy tables nobody tells.
    const hasLegacy = certainLegacyTables('ipv4').length > 0;
    if (this.#last?.question === asked && !hasLegacy) return this.#last.found;
    const before = this.#changes;
    const found = await this.#rules.find(question, this.#signal);
    // A change in the meantime may have come too late for the programs.
    this.#last = this.#changes === before ? { question: asked, found } : undefined;
    return found;
  }
}
