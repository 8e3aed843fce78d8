/** How our devices are known again. */

/** An alias: `ip link` shows it. */
export function linkAlias(instance: string): string {
  return `flannelette ${instance}`;
}
