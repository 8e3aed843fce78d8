/**
 * The network under the overlay: one bridge in a namespace of its own, hosts plugged into it.
 *
 *          gateway 10.8.0.1/16
 *        ┌─────── underlay ───────┐        a bridge; watch it with tcpdump -i underlay
 *      port1       port2       port3
 *        │           │           │
 *      eth0        eth0        eth0        one host each, default route via the gateway
 */
import { Holder, startKeeper } from './holder.js';
import { Host } from './host.js';
import { Machine } from './machine.js';
import type { LongProcess } from './process.js';

export interface UnderlayOptions {
  /** The bridge's own address, which the hosts have as their default gateway. Its length is theirs. */
  readonly gateway?: string;
  readonly mtu?: number;
}

export class Underlay extends Holder {
  #ports = 0;
  readonly #gateway: string;
  readonly #mtu: number;

  private constructor(keeper: LongProcess, gateway: string, mtu: number) {
    super(keeper);
    this.#gateway = gateway;
    this.#mtu = mtu;
  }

  static async start({ gateway = '10.8.0.1/16', mtu = 1500 }: UnderlayOptions = {}): Promise<Underlay> {
    const setup = `
ip link set lo up
ip link add underlay type bridge
ip link set underlay mtu ${mtu} up
ip address add ${gateway} dev underlay`;
    const keeper = await startKeeper(['--net', '--mount', '--uts'], setup, undefined);
    return new Underlay(keeper, gateway, mtu);
  }

  /** Plugs in a new host; `address` is the one of its eth0, for example 10.8.65.66. */
  async addHost(name: string, address: string): Promise<Host> {
    const host = this.own(await Host.start(name));
    await this.plugIn(host, address);
    return host;
  }

  /** The same with a machine that systemd booted. */
  async addMachine(name: string, address: string): Promise<Machine> {
    const machine = this.own(await Machine.boot(name));
    await this.plugIn(machine, address);
    return machine;
  }

  /** Also one whose eth0 was deleted: it has another one then, at another port. */
  async plugIn(host: Holder, address: string): Promise<void> {
    const port = `port${++this.#ports}`;
    const [gateway, length] = this.#gateway.split('/');
    await this.script(`
ip link add ${port} mtu ${this.#mtu} type veth peer name eth0 mtu ${this.#mtu} netns ${host.pid}
ip link set ${port} master underlay up`);
    await host.script(`
ip address add ${address}/${length} dev eth0
ip link set eth0 up
ip route add default via ${gateway}`);
  }
}

/** An underlay for the length of `body`: everything in it is gone afterwards, also when `body` fails. */
export async function onUnderlay<T>(
  body: (underlay: Underlay) => Promise<T>,
  options?: UnderlayOptions,
): Promise<T> {
  const underlay = await Underlay.start(options);
  let result: T;
  try {
    result = await body(underlay);
  } catch (error) {
    // What the body met is the news; that its processes had to be swept up follows from it.
    await underlay.close().catch(() => {});
    throw error;
  }
  await underlay.close();
  return result;
}
