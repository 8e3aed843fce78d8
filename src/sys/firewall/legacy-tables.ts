/** The tables that the kernel has for the iptables of before nf_tables. Asking the programs would make one. */
import { readFileSync } from 'node:fs';
import type { Family } from '../../model/address.js';

const NAMES = { ipv4: 'ip_tables_names', ipv6: 'ip6_tables_names' } as const satisfies Record<Family, string>;

/** Empty as well when only root may know; then the programs themselves ask for the privilege. */
export function legacyTables(family: Family): readonly string[] {
  try {
    // The thread's own network namespace, not the process's.
    const names = readFileSync(`/proc/thread-self/net/${NAMES[family]}`, 'utf8');
    return names.split('\n').filter((name) => name !== '');
  } catch {
    return [];
  }
}
