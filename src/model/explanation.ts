/** Why an object is there, or is to be: what `explain OBJECT` tells. */
import type { KindName } from './objects.js';
import type { Origin } from './origin.js';
import type { ResourceKey, Verb } from './plan.js';
import type { ObjectState } from './status.js';

export interface Explanation {
  readonly key: ResourceKey;
  readonly kind: KindName;
  /** Absent for an object that nothing asks for. */
  readonly origin?: Origin;
  /** Managed fields, as they are wanted. */
  readonly wanted?: unknown;
  readonly requires: readonly ResourceKey[];
  /** Managed fields, as they were found just now. */
  readonly found?: { readonly state: unknown; readonly ours: boolean };
  /** As the daemon's last round left it; absent without a daemon. Times are RFC 3339 in UTC. */
  readonly status?: {
    readonly state: ObjectState;
    readonly reason: string;
    readonly since: string;
    readonly nextTryAt?: string;
  };
  /** What a daemon did to it last, since it was started. */
  readonly lastChange?: {
    readonly at: string;
    readonly verb: Verb;
    readonly reason: string;
    readonly outcome: string;
  };
}
