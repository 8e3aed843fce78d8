/** The tables that the kernel has for the iptables of before nf_tables. Asking the programs would make one. */
import { readFileSync } from 'node:fs';
import type { Family } from '../../model/address.js';
import { SystemError } from '../../ports.js';

const NAMES = { ipv4: 'ip_tables_names', ipv6: 'ip6_tables_names' } as const satisfies Record<Family, string>;

/** Empty as well when only root may know; then the programs themselves ask for the privilege. */
export function legacyTables(family: Family): readonly string[] {
  try {
    return certainLegacyTables(family);
  } catch {
    return [];
  }
}

/** Throws SystemError when only root may know. */
export function certainLegacyTables(family: Family): readonly string[] {
  // The thread's own network namespace, not the process's.
  const path = `/proc/thread-self/net/${NAMES[family]}`;
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((name) => name !== '');
  } catch (cause) {
    const { code = 'EIO', message } = cause as NodeJS.ErrnoException;
    // The kernel has no such tables, and nobody has had any made yet.
    if (code === 'ENOENT') return [];
    throw new SystemError(`Cannot list the tables of iptables-legacy: ${message}`, code, { cause });
  }
}
