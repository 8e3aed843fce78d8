/** Where to look for objects of ours whose mark alone does not say so. */
import type { Prefix } from '../model/address.js';
import type { Subnets } from '../model/lease.js';

/** What belongs to this instance; read anew in every round, since the network can change while we run. */
export interface Scope {
  readonly devices: readonly string[];
  readonly networks: readonly Prefix[];
  /** What the file names, which is not in force while the store refuses it. */
  readonly declared?: readonly Prefix[];
  /** This host's own in them; absent while not decided. */
  readonly subnets?: Subnets;
}
