/** What is wanted, given by hand where a test is not about how it is computed. */
import type { Desired } from '../../src/model/diff.js';
import { type DesiredObjects, KINDS, type SysctlState } from '../../src/model/objects.js';
import type { ResourceKey } from '../../src/model/plan.js';

/** Nothing but `some`. */
export function desiredObjects(some: Partial<DesiredObjects> = {}): DesiredObjects {
  const nothing = Object.fromEntries(KINDS.map((kind) => [kind, []])) as unknown as DesiredObjects;
  return { ...nothing, ...some };
}

export function desiredSysctl(
  name: string,
  value: string,
  requires: readonly ResourceKey[] = [],
): Desired<SysctlState> {
  return { key: `sysctl:${name}`, state: { name, value }, requires };
}
