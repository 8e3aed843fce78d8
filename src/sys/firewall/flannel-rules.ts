/**
 * flannel's rules for masquerading, found by the names that it gives them. Of iptables over nf_tables and of nft itself both
 * families are one question to nft, which lists chains without their rules: this is asked all the time, and mostly in vain.
 */
import { FAMILIES, type Family } from '../../model/address.js';
import type { FlannelRulesState } from '../../model/objects.js';
import { ObserveError } from '../../ports.js';
import type { ProgramOutput, RunProgram } from '../run-program.js';
import { outputIfInstalled } from './installed-program.js';
import { type ChainListing, parseListing, removal } from './iptables-chain.js';
import { legacyTables } from './legacy-tables.js';
import { NFT_FAMILY, removal as tableRemoval } from './nft-table.js';
import { readError, writeError } from './program-errors.js';

const CHAIN = 'FLANNEL-POSTRTG';
const TABLE = { ipv4: 'flannel-ipv4', ipv6: 'flannel-ipv6' } as const satisfies Record<Family, string>;
const LEGACY = { ipv4: 'iptables-legacy', ipv6: 'ip6tables-legacy' } as const satisfies Record<
  Family,
  string
>;
const WAIT = ['-w', '5'];

/** As nft lists them (libnftables-json(5)). */
interface NftChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
}
interface NftRule {
  readonly chain: string;
  readonly handle: number;
  readonly expr: readonly {
    readonly jump?: { readonly target: string };
    readonly goto?: { readonly target: string };
  }[];
}

export class FlannelRules {
  readonly #run: RunProgram;

  constructor(run: RunProgram) {
    this.#run = run;
  }

  /** A program that is not installed has made nothing. */
  async find(signal: AbortSignal): Promise<readonly FlannelRulesState[]> {
    const chains = await this.#nftChains(signal);
    const found: FlannelRulesState[] = [];
    for (const family of FAMILIES) {
      const ofFamily = chains.filter((chain) => chain.family === NFT_FAMILY[family]);
      if (ofFamily.some(({ table, name }) => table === 'nat' && name === CHAIN))
        found.push({ family, place: 'iptables', name: CHAIN });
      if ((await this.#legacyListing(family, signal)) !== undefined)
        found.push({ family, place: 'iptables-legacy', name: CHAIN });
      if (ofFamily.some(({ table }) => table === TABLE[family]))
        found.push({ family, place: 'nft', name: TABLE[family] });
    }
    return found;
  }

  async remove({ family, place, name }: FlannelRulesState, signal: AbortSignal): Promise<void> {
    if (place === 'nft') return this.#change(tableRemoval(family, name), `delete table ${name}`, signal);
    if (place === 'iptables') return this.#removeChain(family, signal);
    const listing = await this.#legacyListing(family, signal);
    if (listing === undefined) return;
    const program = `${LEGACY[family]}-restore`;
    const input = removal(name, listing, 'nat');
    const output = await outputIfInstalled(
      this.#run,
      { program, args: ['--noflush', ...WAIT], input },
      signal,
    );
    if (output?.code !== 0) throw writeError(`delete chain ${name} with ${program}`, output ?? NOT_INSTALLED);
  }

  /** Through nft, by the numbers of the rules: which of its names iptables has here does not matter then. */
  async #removeChain(family: Family, signal: AbortSignal): Promise<void> {
    const chains = await this.#nftChains(signal);
    const at = { family: NFT_FAMILY[family], table: 'nat' };
    if (
      !chains.some((chain) => chain.family === at.family && chain.table === at.table && chain.name === CHAIN)
    )
      return;
    const rules = await this.#nftList<NftRule>(
      'rule',
      ['--handle', 'list', 'table', at.family, at.table],
      signal,
    );
    const leadThere = rules.filter(({ expr }) =>
      expr.some(({ jump, goto }) => jump?.target === CHAIN || goto?.target === CHAIN),
    );
    const chain = { chain: { ...at, name: CHAIN } };
    const commands = [
      ...leadThere.map(({ chain, handle }) => ({ delete: { rule: { ...at, chain, handle } } })),
      { flush: chain },
      { delete: chain },
    ];
    await this.#change(JSON.stringify({ nftables: commands }), `delete chain ${CHAIN}`, signal);
  }

  #nftChains(signal: AbortSignal): Promise<readonly NftChain[]> {
    return this.#nftList<NftChain>('chain', ['list', 'chains'], signal);
  }

  async #nftList<T>(what: string, args: readonly string[], signal: AbortSignal): Promise<readonly T[]> {
    const output = await outputIfInstalled(this.#run, { program: 'nft', args: ['--json', ...args] }, signal);
    if (output === undefined) return [];
    const action = `nft ${args.join(' ')}`;
    if (output.code !== 0) throw readError(action, output);
    try {
      const { nftables } = JSON.parse(output.stdout) as {
        nftables: readonly { readonly [key: string]: unknown }[];
      };
      return nftables.flatMap((object) => (object[what] === undefined ? [] : [object[what] as T]));
    } catch (cause) {
      throw new ObserveError(`Cannot ${action}: nft printed something else`, { cause });
    }
  }

  async #change(commands: string, action: string, signal: AbortSignal): Promise<void> {
    const output = await outputIfInstalled(this.#run, { program: 'nft', args: ['--json', commands] }, signal);
    if (output?.code !== 0) throw writeError(action, output ?? NOT_INSTALLED);
  }

  /** Undefined where the chain is not, and where there are no such tables. */
  async #legacyListing(family: Family, signal: AbortSignal): Promise<ChainListing | undefined> {
    if (!legacyTables(family).includes('nat')) return undefined;
    const program = LEGACY[family];
    const output = await outputIfInstalled(
      this.#run,
      { program, args: [...WAIT, '-t', 'nat', '-S'] },
      signal,
    );
    if (output === undefined) return undefined;
    if (output.code !== 0) throw readError(`list the rules of ${program}`, output);
    return parseListing(output.stdout, CHAIN);
  }
}

const NOT_INSTALLED: ProgramOutput = { code: 1, stdout: '', stderr: 'the program is not installed' };
