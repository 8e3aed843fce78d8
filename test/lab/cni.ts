/** CNI as a container runtime does it (the CNI specification, 0.3.1): a list of plugins run one after the other. */
import { Holder, startKeeper } from './holder.js';
import type { Host } from './host.js';
import type { LongProcess } from './process.js';

const PLUGINS = '/usr/lib/cni';

export interface PluginConfig {
  readonly type: string;
  readonly [key: string]: unknown;
}

export interface NetworkList {
  readonly cniVersion: string;
  readonly name: string;
  readonly plugins: readonly PluginConfig[];
}

interface CniResult {
  readonly ips?: readonly { readonly address: string; readonly gateway?: string }[];
}

/** A network namespace on a host, given its network by plugins. */
export class CniContainer extends Holder {
  #address = '';

  private constructor(
    keeper: LongProcess,
    readonly host: Host,
    readonly name: string,
  ) {
    super(keeper);
  }

  /** Rejects, quoting the plugin, when one of them fails. */
  static async start(host: Host, name: string, list: NetworkList): Promise<CniContainer> {
    const keeper = await startKeeper(['--net', '--uts'], `ip link set lo up\nhostname ${name}`, host);
    const container = host.own(new CniContainer(keeper, host, name));
    const { ips = [] } = await container.#runPlugins('ADD', list.plugins, list);
    container.#address = ips[0]?.address.split('/')[0] ?? '';
    return container;
  }

  get address(): string {
    return this.#address;
  }

  /** Takes the network away, in the opposite order. */
  async remove(list: NetworkList): Promise<void> {
    await this.#runPlugins('DEL', list.plugins.toReversed(), list);
  }

  async #runPlugins(
    command: 'ADD' | 'DEL',
    plugins: readonly PluginConfig[],
    { cniVersion, name }: NetworkList,
  ): Promise<CniResult> {
    let prevResult: CniResult | undefined;
    for (const { capabilities: _, ...plugin } of plugins) {
      const input = JSON.stringify({ cniVersion, name, ...plugin, ...(prevResult && { prevResult }) });
      const environment = {
        CNI_COMMAND: command,
        CNI_CONTAINERID: this.name,
        CNI_NETNS: `/proc/${this.pid}/ns/net`,
        CNI_IFNAME: 'eth0',
        CNI_PATH: PLUGINS,
      };
      const printed = await this.host.run([`${PLUGINS}/${plugin.type}`], { input, environment });
      if (printed.code !== 0)
        throw new Error(`Plugin ${plugin.type} failed: ${printed.stdout}${printed.stderr}`);
      if (printed.stdout.trim() !== '') prevResult = JSON.parse(printed.stdout);
    }
    return prevResult ?? {};
  }
}
