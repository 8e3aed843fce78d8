/** How large packets pass to other hosts, by echo requests that nobody on the way may cut. */
import type { Address } from '../../model/address.js';
import type { PathFacts } from '../../model/doctor/facts.js';
import type { HostPrograms } from './host-programs.js';

/** Bytes of IP packets: what tunnels, providers and clouds leave of 9000 and 1500. The least is IPv6's (RFC 8200, 5). */
const USUAL = [8951, 8500, 4000, 1492, 1480, 1476, 1460, 1450, 1440, 1420, 1400, 1380, 1350, 1300, 1280, 576];
/** Passes wherever anything does (RFC 791). */
const SMALLEST = 68;

/** A host that answers no echo, even the smallest, tells nothing. All sizes are tried at once. */
export function pathsTo(
  hosts: readonly Address[],
  mtu: number,
  programs: Pick<HostPrograms, 'echo'>,
  signal: AbortSignal,
): Promise<readonly PathFacts[]> {
  return Promise.all(hosts.map((to) => pathTo(to, mtu, programs, signal)));
}

async function pathTo(
  to: Address,
  mtu: number,
  programs: Pick<HostPrograms, 'echo'>,
  signal: AbortSignal,
): Promise<PathFacts> {
  if ((await programs.echo(to, SMALLEST, signal)) === 'silent') return { to, tried: mtu };
  // Twice, since one may be lost. What the kernel knows to be too large, it cuts: that is no hole.
  const largest = await Promise.all([1, 2].map(() => programs.echo(to, mtu, signal)));
  if (largest.some((answer) => answer !== 'silent')) return { to, passes: mtu, tried: mtu };
  const sizes = USUAL.filter((size) => size < mtu);
  const answers = await Promise.all(sizes.map((size) => programs.echo(to, size, signal)));
  const passing = sizes.find((_, index) => answers[index] !== 'silent');
  return { to, ...(passing !== undefined && { passes: passing }), tried: mtu };
}
