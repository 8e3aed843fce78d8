/** All rules of iptables, as iptables-save prints them. */

export interface SavedChain {
  /** What becomes of packets that no rule decided about: `ACCEPT` or `DROP`; `-` of a chain that others jump to. */
  readonly policy: string;
  /** Each as printed: `-A INPUT -p udp -j DROP`. */
  readonly rules: readonly string[];
}

/** Chains by name. */
export type SavedTable = ReadonlyMap<string, SavedChain>;

/** By name; only those that were ever used. */
export type SavedTables = ReadonlyMap<string, SavedTable>;

/** Throws SyntaxError when it is nothing that iptables-save prints. */
export function savedTables(text: string): SavedTables {
  const tables = new Map<string, Map<string, { policy: string; rules: string[] }>>();
  let chains = new Map<string, { policy: string; rules: string[] }>();
  let isWhole = true;
  for (const line of text.split('\n')) {
    const [first = '', second = ''] = line.split(' ');
    if (line.startsWith('*')) {
      chains = new Map();
      tables.set(line.slice(1), chains);
      isWhole = false;
    } else if (line.startsWith(':')) chains.set(first.slice(1), { policy: second, rules: [] });
    else if (first === '-A') chains.get(second)?.rules.push(line);
    else if (line === 'COMMIT') isWhole = true;
    else if (!/^(#.*|)$/.test(line)) throw new SyntaxError(`"${line}" is no rule`);
  }
  if (!isWhole) throw new SyntaxError('it ends in the middle of a table');
  return tables;
}
