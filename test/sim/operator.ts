/** What somebody with access to etcd does there by hand. */
import type { Random } from '../../src/ports.js';
import type { Fleet } from './fleet.js';

export function leaseOf(address: string): string {
  return `{"PublicIP":"${address.split('/')[0]}","PublicIPv6":null}`;
}

export function freeKey({ server }: Fleet, random: Random): string {
  for (;;) {
    const key = `subnets/10.5.${1 + Math.floor(random.next() * 254)}.0-24`;
    if (server.entry(key) === undefined) return key;
  }
}

/** As any client could: unconditionally and on no lease. */
export function write({ server, tell }: Fleet, key: string, value: string): void {
  tell(`somebody puts ${key} ${value.slice(0, 80)}`);
  server.put({ key, value, expected: server.entry(key)?.modRevision ?? 0n, lease: '0' });
}

export function removeKey({ server, tell }: Fleet, key: string): void {
  tell(`somebody deletes ${key}`);
  server.delete(key, server.entry(key)?.modRevision ?? 0n);
}
