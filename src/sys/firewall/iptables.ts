/**
 * Forward chains through the host's own iptables commands. The exception from a DROP policy works only in the
 * table that has the policy, so the chain is kept in every filter table that is in use.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Family } from '../../model/address.js';
import type { ForwardState } from '../../model/objects.js';
import { type FoundForward, SystemError } from '../../ports.js';
import type { RunProgram } from '../run-program.js';
import {
  type ChainListing,
  forwardOf,
  parseListing,
  removal,
  replacement,
  restoration,
} from './iptables-chain.js';
import { legacyTables } from './legacy-tables.js';
import { readError, writeError } from './program-errors.js';

const PROGRAMS = {
  ipv4: { usual: 'iptables', legacy: 'iptables-legacy' },
  ipv6: { usual: 'ip6tables', legacy: 'ip6tables-legacy' },
} as const satisfies Record<Family, object>;

/** How long iptables waits for others who hold its lock. */
const WAIT = ['-w', '5'];
const DEADLINE_MS = 10_000;

export class IptablesChains {
  readonly #run: RunProgram;

  constructor(run: RunProgram) {
    this.#run = run;
  }

  /** Undefined when the chain is absent. The state is that of the usual filter table; where the legacy one differs, `unreadable` says so. */
  async read(family: Family, chain: string, signal: AbortSignal): Promise<FoundForward | undefined> {
    const [usual, legacy] = await this.#commandsInUse(family, signal);
    const found = await this.#find(usual, family, chain, signal);
    if (legacy === undefined) return found;
    const other = await this.#find(legacy, family, chain, signal);
    if (isDeepStrictEqual(found?.state, other?.state)) {
      return found && other && { state: found.state, ours: found.ours && other.ours };
    }
    const state = found?.state ?? { family, chain, accept: [], jump: false, unreadable: [] };
    const difference = `${other === undefined ? 'no' : 'another'} ${chain} in ${legacy}`;
    return {
      state: { ...state, unreadable: [...state.unreadable, difference] },
      ours: (found?.ours ?? true) && (other?.ours ?? true),
    };
  }

  async replace(state: ForwardState, signal: AbortSignal): Promise<void> {
    const { family, chain, unreadable } = state;
    if (unreadable.length > 0) {
      throw new SystemError(
        `Cannot replace chain ${chain}: it would lose ${unreadable.join(', ')}`,
        'EINVAL',
      );
    }
    for (const command of await this.#commandsInUse(family, signal)) {
      const listing = await this.#list(command, chain, signal);
      await this.#restore(command, replacement(state, listing), `replace chain ${chain}`, signal);
    }
  }

  async remove(family: Family, chain: string, signal: AbortSignal): Promise<void> {
    for (const command of await this.#commandsInUse(family, signal)) {
      const listing = await this.#list(command, chain, signal);
      if (listing === undefined) continue;
      await this.#restore(command, removal(chain, listing), `delete chain ${chain}`, signal);
    }
  }

  /** Undefined when no filter table has the chain. */
  async copyOf(family: Family, chain: string, signal: AbortSignal): Promise<string | undefined> {
    const listings: (readonly [command: string, listing: ChainListing])[] = [];
    for (const command of await this.#commandsInUse(family, signal)) {
      const listing = await this.#list(command, chain, signal);
      if (listing !== undefined) listings.push([command, listing]);
    }
    return listings.length === 0 ? undefined : JSON.stringify(listings);
  }

  async putBack(family: Family, chain: string, copy: string, signal: AbortSignal): Promise<void> {
    const were = new Map(JSON.parse(copy) as readonly (readonly [string, ChainListing])[]);
    for (const command of await this.#commandsInUse(family, signal)) {
      const [was, now] = [were.get(command), await this.#list(command, chain, signal)];
      if (was === undefined && now === undefined) continue;
      const input = was ? restoration(chain, was, now) : removal(chain, now ?? { rules: [], jumps: [] });
      await this.#restore(command, input, `put back chain ${chain}`, signal);
    }
  }

  /**
   * The host's usual command and, beside it, the legacy one when the kernel has a legacy filter table too: a
   * DROP in either is final, and neither shows whose packets it drops.
   */
  async #commandsInUse(family: Family, signal: AbortSignal): Promise<readonly [string, ...string[]]> {
    const { usual, legacy } = PROGRAMS[family];
    if (!legacyTables(family).includes('filter')) return [usual];
    const version = await this.#versionOf(usual, signal);
    // Programs before 1.8 do not name what they work through: it was the legacy tables.
    if (!version?.includes('nf_tables')) return [usual];
    return (await this.#versionOf(legacy, signal)) === undefined ? [usual] : [usual, legacy];
  }

  /** Undefined when the program is not installed. */
  async #versionOf(program: string, signal: AbortSignal): Promise<string | undefined> {
    try {
      return (await this.#run({ program, args: ['-V'], deadlineMs: DEADLINE_MS }, signal)).stdout;
    } catch (error) {
      if (error instanceof SystemError && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #find(
    command: string,
    family: Family,
    chain: string,
    signal: AbortSignal,
  ): Promise<FoundForward | undefined> {
    const listing = await this.#list(command, chain, signal);
    return listing && forwardOf(listing, family, chain);
  }

  async #list(command: string, chain: string, signal: AbortSignal): Promise<ChainListing | undefined> {
    // The whole table, since an absent chain asked for by name looks like one that cannot be shown. One rule that
    // only nft can express makes iptables refuse it (and unable to find our jump): then nothing can be done.
    const output = await this.#run(
      { program: command, args: [...WAIT, '-S'], deadlineMs: DEADLINE_MS },
      signal,
    );
    if (output.code !== 0) throw readError(`list the rules of ${command}`, output);
    return parseListing(output.stdout, chain);
  }

  async #restore(command: string, input: string, action: string, signal: AbortSignal): Promise<void> {
    const program = `${command}-restore`;
    const args = ['--noflush', ...WAIT];
    const output = await this.#run({ program, args, input, deadlineMs: DEADLINE_MS }, signal);
    if (output.code !== 0) throw writeError(`${action} with ${program}`, output);
  }
}
