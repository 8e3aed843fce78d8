/** Names of hosts, as every program on this host knows them. */
import { lookup } from 'node:dns/promises';

/** IPv4 where there is one; undefined when nobody knows `name`. */
export async function addressOf(name: string): Promise<string | undefined> {
  try {
    return (await lookup(name, { verbatim: false })).address;
  } catch {
    return undefined;
  }
}
