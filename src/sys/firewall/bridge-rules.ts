/**
 * What the firewall does to the packets of Docker's bridge. Rules are read and never written: Docker's are Docker's. The
 * programs that print whole rulesets are asked, since they make no table by asking.
 */
import { overlaps, tryParsePrefix } from '../../model/address.js';
import type { BridgeDrop, BridgeFirewall } from '../../model/docker/bridge.js';
import { type BridgeQuestion, ObserveError } from '../../ports.js';
import type { RunProgram } from '../run-program.js';
import {
  DOCKER_TABLE,
  type NftRule,
  drops as nftDrops,
  masquerades as nftMasquerades,
  nftRules,
} from './docker-nft.js';
import { outputIfInstalled } from './installed-program.js';
import { words } from './iptables-chain.js';
import { readError } from './program-errors.js';
import { savedRules } from './rule-programs.js';
import { dropsOnWay } from './rule-walk.js';
import type { SavedTables } from './saved-tables.js';

export class BridgeRules {
  readonly #run: RunProgram;

  constructor(run: RunProgram) {
    this.#run = run;
  }

  /** A program that is not installed has made no rule. */
  async read(question: BridgeQuestion, signal: AbortSignal): Promise<BridgeFirewall> {
    const [saved, rules] = await Promise.all([savedRules(this.#run, signal), this.#docker(signal)]);
    return {
      masquerades:
        saved.some(({ tables }) => isMasqueraded(tables, question)) || nftMasquerades(rules, question),
      drops: [
        ...saved.flatMap(({ tables }) => iptablesDrops(tables, question)),
        ...nftDrops(rules, question),
      ],
    };
  }

  async #docker(signal: AbortSignal): Promise<readonly NftRule[]> {
    const args = ['--json', 'list', 'table', 'ip', DOCKER_TABLE];
    const output = await outputIfInstalled(this.#run, { program: 'nft', args }, signal);
    if (output === undefined || output.stderr.includes('No such file or directory')) return [];
    if (output.code !== 0) throw readError(`list table ip ${DOCKER_TABLE}`, output);
    try {
      return nftRules(output.stdout);
    } catch (cause) {
      throw new ObserveError(`Cannot list table ip ${DOCKER_TABLE}: nft printed something else`, { cause });
    }
  }
}

/** As Docker writes it: `-A POSTROUTING -s 4.0.100.0/24 ! -o docker0 -j MASQUERADE`. */
function isMasqueraded(tables: SavedTables, { bridge, subnet }: BridgeQuestion): boolean {
  return (tables.get('nat')?.get('POSTROUTING')?.rules ?? []).some((rule) => {
    const [, , match, source = '', ...rest] = words(rule);
    const prefix = match === '-s' ? tryParsePrefix(source) : undefined;
    const isOfBridge = rest.join(' ').startsWith(`! -o ${bridge} -j `);
    const isTranslated = ['MASQUERADE', 'SNAT'].includes(rest[rest.indexOf('-j') + 1] ?? '');
    return prefix !== undefined && overlaps(prefix, subnet) && isOfBridge && isTranslated;
  });
}

/** Docker's alone: before routing it names its bridge as the only way in, while forwarding its chains are called after it. */
function iptablesDrops(
  tables: SavedTables,
  { bridge, subnet, devices }: BridgeQuestion,
): readonly BridgeDrop[] {
  const found = devices.flatMap((device) => [
    ...dropsOnWay(tables.get('raw') ?? new Map(), 'PREROUTING', { in: device, to: subnet })
      .filter(({ rule }) => rule.includes(` ! -i ${bridge} `))
      .map(({ rule }) => ({ at: 'prerouting' as const, rule: `-t raw ${rule}` })),
    ...dropsOnWay(tables.get('filter') ?? new Map(), 'FORWARD', { in: device, out: bridge, to: subnet })
      .filter(({ chain }) => chain.startsWith('DOCKER') && chain !== 'DOCKER-USER')
      .map(({ rule }) => ({ at: 'forward' as const, rule })),
  ]);
  const distinct = new Map(found.map((drop) => [drop.rule, { ...drop, by: 'iptables' as const }]));
  return [...distinct.values()];
}
