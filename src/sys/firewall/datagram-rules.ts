/**
 * Whether the host has a rule for the datagrams between the hosts that whoever carries them past the firewall would pass by: at all
 * hooks but those for forwarded packets. In doubt a rule is one.
 */
import { ObserveError } from '../../ports.js';
import type { RunProgram } from '../run-program.js';
import type { Datagrams } from './datagrams.js';
import { outputIfInstalled } from './installed-program.js';
import { iptablesHarm } from './iptables-datagrams.js';
import { certainLegacyTables } from './legacy-tables.js';
import { type NftChain, nftHarm } from './nft-datagrams.js';
import { readError } from './program-errors.js';
import { type SavedRules, savedRules } from './rule-programs.js';

export class DatagramRules {
  readonly #run: RunProgram;
  readonly #legacyTables: () => readonly string[];

  /** `legacyTables` names those of the kernel. */
  constructor(run: RunProgram, legacyTables = () => certainLegacyTables('ipv4')) {
    this.#run = run;
    this.#legacyTables = legacyTables;
  }

  /**
   * The first rule that could do something to such datagrams, in the words of the program that made it: `iptables -t raw -A PREROUTING
   * -p udp -j DROP`, `nft inet filter input policy drop`. Undefined when there is none. A program that is not installed has made no
   * rule. Rejects with ObserveError or PrivilegeError when one does not tell its rules.
   */
  async find(question: Datagrams, signal: AbortSignal): Promise<string | undefined> {
    const [saved, listing] = await Promise.all([savedRules(this.#run, signal), this.#nft(signal)]);
    requireAll(this.#legacyTables(), saved);
    for (const { program, tables } of saved) {
      const harm = iptablesHarm(tables, question);
      if (harm !== undefined) return `${program} ${harm}`;
    }
    if (listing === undefined) return undefined;
    try {
      const harm = nftHarm(listing, question, (chain) => saved.some((rules) => isShownBy(rules, chain)));
      return harm && `nft ${harm}`;
    } catch (cause) {
      throw new ObserveError('Cannot list the ruleset: nft printed something else', { cause });
    }
  }

  /** Undefined when nft is not installed. */
  async #nft(signal: AbortSignal): Promise<string | undefined> {
    const command = { program: 'nft', args: ['--json', 'list', 'ruleset'] };
    const output = await outputIfInstalled(this.#run, command, signal);
    if (output !== undefined && output.code !== 0) throw readError('list the ruleset', output);
    return output?.stdout;
  }
}

/** Somebody has made them, with a program that is not installed here. */
function requireAll(legacyTables: readonly string[], saved: readonly SavedRules[]): void {
  const isPrinted = (name: string) => saved.some(({ isOfNft, tables }) => !isOfNft && tables.has(name));
  const unknown = legacyTables.filter((name) => !isPrinted(name));
  if (unknown.length > 0)
    throw new ObserveError(
      `Cannot read the legacy tables ${unknown.join(', ')}: no program prints them; install iptables-legacy`,
    );
}

/** iptables-save prints a table without the chains that it does not know how to read, and nft knows less of those that it does. */
function isShownBy({ tables, isOfNft }: SavedRules, { family, table, name }: NftChain): boolean {
  return isOfNft && family === 'ip' && tables.get(table)?.has(name) === true;
}
