/**
 * What dockerd makes of its network options, without Docker: the bridge docker0, the firewall rules around
 * it, and containers that are network namespaces with one veth into it.
 */
import {
  addressAt,
  lengthOf,
  type Prefix,
  parseInterfaceAddress,
  prefixOf,
} from '../../src/model/address.js';
import { Holder, startKeeper } from './holder.js';
import type { Host } from './host.js';
import type { LongProcess } from './process.js';

export interface DockerOptions {
  /** Address and length of docker0, for example 4.0.100.1/24. */
  readonly bip: string;
  readonly ipMasq: boolean;
  /** Bytes. */
  readonly mtu: number;
}

/** Reads the file that systemd hands to dockerd as its environment (`EnvironmentFile=/run/flannel/docker`). */
export function parseDockerOptions(file: string): DockerOptions {
  const option = (name: string): string => {
    const value = new RegExp(`--${name}=([^\\s"]+)`).exec(file)?.[1];
    if (value === undefined) throw new Error(`Cannot read Docker's options: no --${name} in "${file}"`);
    return value;
  };
  return { bip: option('bip'), ipMasq: option('ip-masq') === 'true', mtu: Number(option('mtu')) };
}

export class DockerBridge {
  readonly #host: Host;
  readonly #options: DockerOptions;

  private constructor(host: Host, options: DockerOptions) {
    this.#host = host;
    this.#options = options;
  }

  /** The state in which dockerd 20.10 leaves a host that forwarded nothing before it came. */
  static async start(host: Host, options: DockerOptions): Promise<DockerBridge> {
    const { subnet } = subnetOf(options);
    await host.script(`
ip link add docker0 type bridge
ip link set docker0 mtu ${options.mtu} up
ip address add ${options.bip} dev docker0
echo 1 >/proc/sys/net/ipv4/ip_forward
iptables -w 5 -P FORWARD DROP
iptables -w 5 -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -w 5 -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
iptables -w 5 -A FORWARD -i docker0 -o docker0 -j ACCEPT`);
    if (options.ipMasq) {
      await host.script(`iptables -w 5 -t nat -A POSTROUTING -s ${subnet} ! -o docker0 -j MASQUERADE`);
    }
    return new DockerBridge(host, options);
  }

  /** Starts a container whose address is the `number`-th of the host's subnet: 3 is 4.0.100.3. */
  async addContainer(name: string, number: number): Promise<Container> {
    const { subnet, gateway } = subnetOf(this.#options);
    const address = addressAt(subnet, number);
    const container = this.#host.own(await Container.start(this.#host, name, address));
    const { mtu } = this.#options;
    await this.#host.script(`
ip link add veth${number} mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${container.pid}
ip link set veth${number} master docker0 up`);
    await container.script(`
ip address add ${address}/${lengthOf(subnet)} dev eth0
ip link set eth0 up
ip route add default via ${gateway}`);
    return container;
  }
}

/** A container as far as its network goes: a network namespace on a host, with the host's files. */
export class Container extends Holder {
  private constructor(
    keeper: LongProcess,
    readonly name: string,
    readonly address: string,
  ) {
    super(keeper);
  }

  static async start(host: Host, name: string, address: string): Promise<Container> {
    const keeper = await startKeeper(['--net', '--uts'], `ip link set lo up\nhostname ${name}`, host);
    return new Container(keeper, name, address);
  }
}

function subnetOf(options: DockerOptions): { readonly subnet: Prefix; readonly gateway: string } {
  const { address, length } = parseInterfaceAddress(options.bip);
  return { subnet: prefixOf(address, length), gateway: address };
}
