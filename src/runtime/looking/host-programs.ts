/** The programs of a host that tell what no port does: rules of routing and of firewalls, sockets, echoes. Read only. */
import type { Address } from '../../model/address.js';
import type { RoutingRule } from '../../model/doctor/facts.js';
import type { FirewallFacts } from '../../model/doctor/packet-way.js';
import { type Commands, SystemError } from '../../ports.js';
import { listenerOf, nftListing, routingRules } from '../../wire/program-output.js';

const DEADLINE_MS = 10_000;

export class HostPrograms {
  readonly #commands: Commands;

  constructor(commands: Commands) {
    this.#commands = commands;
  }

  async rules(signal: AbortSignal): Promise<readonly RoutingRule[]> {
    return routingRules(await this.#output(['ip', '-json', 'rule', 'list'], signal));
  }

  /** A program that is not installed has made no rule. */
  async firewall(signal: AbortSignal): Promise<FirewallFacts> {
    const [iptables, legacy, nft] = await Promise.all([
      this.#outputOf(['iptables-save'], signal),
      this.#outputOf(['iptables-legacy-save'], signal),
      this.#outputOf(['nft', '--json', 'list', 'ruleset'], signal),
    ]);
    const saved = [
      { program: 'iptables', saved: iptables },
      // Where iptables is the legacy one itself, both print the same.
      ...(legacy === iptables ? [] : [{ program: 'iptables-legacy', saved: legacy }]),
    ];
    return {
      iptables: saved.flatMap(({ program, saved }) => (saved === undefined ? [] : [{ program, saved }])),
      ...(nft !== undefined && { nft: nftListing(nft) }),
    };
  }

  /** Undefined when nobody listens. */
  async udpListener(port: number, signal: AbortSignal): Promise<ReturnType<typeof listenerOf>> {
    const argv = ['ss', '--no-header', '--udp', '--listening', '--numeric', '--processes'];
    return listenerOf(await this.#output([...argv, `sport = :${port}`], signal));
  }

  /** What becomes of one echo request of `bytes`, with the order not to fragment it. `known`: the kernel knows that it is too large. */
  async echo(to: Address, bytes: number, signal: AbortSignal): Promise<'answered' | 'silent' | 'known'> {
    const payload = String(bytes - ECHO_HEADERS);
    const argv = ['ping', '-n', '-q', '-c', '1', '-W', '1', '-M', 'do', '-s', payload, to];
    // Of its own, since many are sent at once: so many listeners on one signal look like a leak to Node.
    const { code, stderr } = await this.#commands.run(argv, DEADLINE_MS, AbortSignal.any([signal]));
    if (code === 0) return 'answered';
    return /too long/.test(stderr) ? 'known' : 'silent';
  }

  async #outputOf(argv: readonly string[], signal: AbortSignal): Promise<string | undefined> {
    try {
      return await this.#output(argv, signal);
    } catch (error) {
      if (error instanceof SystemError && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #output(argv: readonly string[], signal: AbortSignal): Promise<string> {
    const { code, stdout, stderr } = await this.#commands.run(argv, DEADLINE_MS, signal);
    if (code === 0) return stdout;
    throw new SystemError(`${argv.join(' ')} ended with ${code}: ${stderr.trim()}`, 'EIO');
  }
}

/** IPv4 without options, and ICMP. */
const ECHO_HEADERS = 28;
