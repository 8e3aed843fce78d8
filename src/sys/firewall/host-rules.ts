/** What on the host would have to see the datagrams between the hosts. Asked again and again, it asks the programs only when need be. */
import { ingressQdisc } from '../ingress-qdisc.js';
import { linkIndex } from '../packet-devices.js';
import { type RunProgram, runProgram } from '../run-program.js';
import { DatagramRules } from './datagram-rules.js';
import type { Datagrams } from './datagrams.js';
import { legacyTables } from './legacy-tables.js';
import { watchRuleEvents } from './rule-events.js';

export class HostRules {
  readonly #rules: DatagramRules;
  #isWatching = false;
  /** What was found last; undefined once it may be otherwise. */
  #last: { readonly question: string; readonly found: string | undefined } | undefined;
  #changes = 0;

  constructor(run: RunProgram = runProgram) {
    this.#rules = new DatagramRules(run);
  }

  /**
   * A rule as DatagramRules finds it, or `tc qdisc clsact on eth0`. Undefined when there is nothing. Rejects as that does, and with
   * SystemError when the kernel does not say what qdiscs there are.
   */
  async look(question: Datagrams, signal: AbortSignal): Promise<string | undefined> {
    const qdisc = ingressQdisc(linkIndex(question.link));
    if (qdisc !== undefined) return `tc qdisc ${qdisc} on ${question.link}`;
    const { address, port, link } = question;
    const asked = `${address} ${port} ${link}`;
    if (this.#last?.question === asked && this.#hearsOfChanges()) return this.#last.found;
    const before = this.#changes;
    const found = await this.#rules.find(question, signal);
    // A change in the meantime may have come too late for the programs.
    this.#last = this.#changes === before ? { question: asked, found } : undefined;
    return found;
  }

  /** Wakes when the rules may have changed, until `signal` aborts; not on changes of legacy tables and of qdiscs, of which nobody tells. */
  watch(wake: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    const onChange = () => {
      this.#changes++;
      this.#last = undefined;
      wake();
    };
    watchRuleEvents(onChange, signal);
    this.#isWatching = true;
    this.#last = undefined;
    signal.addEventListener(
      'abort',
      () => {
        this.#isWatching = false;
      },
      { once: true },
    );
  }

  #hearsOfChanges(): boolean {
    return this.#isWatching && legacyTables('ipv4').length === 0;
  }
}
