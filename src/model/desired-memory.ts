/** What the desired state was made of last, lease by lease. */
import { PeersMemory } from './backends/backend.js';
import { DerivedList } from './derived-list.js';
import type { Lease } from './lease.js';

export class DesiredMemory {
  /** The leases of other hosts. */
  readonly others = new DerivedList<Lease, Lease>();
  readonly backend = new PeersMemory();
}
