/** Masquerade tables through the nft program. */
import type { Family } from '../../model/address.js';
import type { MasqueradeState } from '../../model/objects.js';
import { ObserveError, SystemError } from '../../ports.js';
import type { ProgramOutput, RunProgram } from '../run-program.js';
import { copyOf, NFT_FAMILY, parseTable, removal, replacement, restoration } from './nft-table.js';
import { readError, writeError } from './program-errors.js';

const DEADLINE_MS = 10_000;

export class NftTables {
  readonly #run: RunProgram;
  /** Whether nft and the kernel know `fully-random`; undefined until the first write asks them. */
  #fullyRandom: boolean | undefined;

  constructor(run: RunProgram) {
    this.#run = run;
  }

  /** Undefined when the table is absent. */
  async read(family: Family, table: string, signal: AbortSignal): Promise<MasqueradeState | undefined> {
    return this.#listed(family, table, signal, (listing) => parseTable(listing, family, table));
  }

  /** Undefined when the table is absent. */
  async copyOf(family: Family, table: string, signal: AbortSignal): Promise<string | undefined> {
    return this.#listed(family, table, signal, copyOf);
  }

  async putBack(family: Family, table: string, copy: string, signal: AbortSignal): Promise<void> {
    const output = await this.#nft([restoration(family, table, copy)], signal);
    if (output.code !== 0) throw writeError(`put back table ${NFT_FAMILY[family]} ${table}`, output);
  }

  async #listed<T>(
    family: Family,
    table: string,
    signal: AbortSignal,
    read: (listing: string) => T,
  ): Promise<T | undefined> {
    const action = `list table ${NFT_FAMILY[family]} ${table}`;
    const output = await this.#nft(['list', 'table', NFT_FAMILY[family], table], signal);
    if (output.code !== 0) {
      if (output.stderr.includes('No such file or directory')) return undefined;
      throw readError(action, output);
    }
    try {
      return read(output.stdout);
    } catch (cause) {
      throw new ObserveError(`Cannot ${action}: nft printed something else`, { cause });
    }
  }

  async replace(state: MasqueradeState, signal: AbortSignal): Promise<void> {
    const action = `replace table ${NFT_FAMILY[state.family]} ${state.table}`;
    if (state.unreadable.length > 0) {
      throw new SystemError(`Cannot ${action}: it would lose ${state.unreadable.join(', ')}`, 'EINVAL');
    }
    const fullyRandom = await this.#knowsFullyRandom(state, signal);
    const output = await this.#nft([replacement(state, fullyRandom)], signal);
    if (output.code !== 0) throw writeError(action, output);
  }

  async remove(family: Family, table: string, signal: AbortSignal): Promise<void> {
    const output = await this.#nft([removal(family, table)], signal);
    if (output.code !== 0) throw writeError(`delete table ${NFT_FAMILY[family]} ${table}`, output);
  }

  /**
   * Asked once, by a dry run with and one without. A state does not hold the flag, and both spellings read back
   * as `masquerade`: where the flag is refused, the plan after a write is empty all the same.
   */
  async #knowsFullyRandom(state: MasqueradeState, signal: AbortSignal): Promise<boolean> {
    if (this.#fullyRandom === undefined) {
      const isAccepted = async (fullyRandom: boolean) =>
        (await this.#nft(['--check', replacement(state, fullyRandom)], signal)).code === 0;
      if (await isAccepted(true)) this.#fullyRandom = true;
      else if (await isAccepted(false)) this.#fullyRandom = false;
    }
    // Refused both ways: the flag is not the reason, and the write itself will tell which one is.
    return this.#fullyRandom ?? true;
  }

  // The JSON goes in as an argument, at most 128 KiB of it (a table of ours takes 2): nft opens /dev/stdin by
  // its name, which fails on the socket that Node gives a child.
  #nft(args: readonly string[], signal: AbortSignal): Promise<ProgramOutput> {
    return this.#run({ program: 'nft', args: ['--json', ...args], deadlineMs: DEADLINE_MS }, signal);
  }
}
