/**
 * A host between others: the calling thread's fresh namespace, with three hosts of the lab plugged into it.
 *
 *   container 10.5.34.2 ──── cni 10.5.34.1 ┐
 *                                          host ── wan 192.0.2.10 ──── outside 192.0.2.7
 *   remote    10.5.72.4 ──── vpn 10.5.34.0 ┘
 */
import type { Family } from '../../src/model/address.js';
import { Host } from './host.js';
import { inFreshNamespace } from './namespace.js';
import { outputOf } from './process.js';

export const ADDRESSES = {
  ipv4: {
    network: '10.5.0.0/16',
    subnet: '10.5.34.0/24',
    container: '10.5.34.2',
    bridge: '10.5.34.1',
    tunnel: '10.5.34.0',
    remote: '10.5.72.4',
    wan: '192.0.2.10',
    outside: '192.0.2.7',
    group: '239.1.2.3',
  },
  ipv6: {
    network: 'fd00:5::/48',
    subnet: 'fd00:5:0:22::/64',
    container: 'fd00:5:0:22::2',
    bridge: 'fd00:5:0:22::1',
    tunnel: 'fd00:5:0:22::',
    remote: 'fd00:5:0:48::4',
    wan: '2001:db8::10',
    outside: '2001:db8::7',
    group: 'ff0e::123',
  },
} as const satisfies Record<Family, Record<string, string>>;
const LENGTH = { ipv4: { subnet: 24, host: 32 }, ipv6: { subnet: 64, host: 128 } } as const;
export interface Neighbours {
  readonly container: Host;
  readonly remote: Host;
  readonly outside: Host;
}

/** Runs `body` on the host in the middle, with its neighbours plugged in. */
export async function withNeighbours(
  family: Family,
  body: (neighbours: Neighbours) => Promise<void>,
): Promise<void> {
  await inFreshNamespace(async () => {
    const hosts: Host[] = [];
    const start = async (name: string) => {
      const host = await Host.start(name);
      hosts.push(host);
      return host;
    };
    try {
      const container = await start('container');
      const remote = await start('remote');
      const outside = await start('outside');
      await plugIn(family, { container, remote, outside });
      await body({ container, remote, outside });
    } finally {
      for (const host of hosts) await host.close();
    }
  });
}

async function plugIn(family: Family, { container, remote, outside }: Neighbours): Promise<void> {
  const at = ADDRESSES[family];
  const { subnet, host } = LENGTH[family];
  const ip = family === 'ipv4' ? 'ip -4' : 'ip -6';
  // Duplicate address detection would keep IPv6 addresses back for a second.
  const noDetection = 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad';
  for (const host of [container, remote, outside]) await host.script(noDetection);
  await script(`
${noDetection}
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
ip link set lo up
ip link add cni type veth peer name eth0 netns ${container.pid}
ip link add vpn type veth peer name eth0 netns ${remote.pid}
ip link add wan type veth peer name eth0 netns ${outside.pid}
ip link set cni up
ip link set vpn up
ip link set wan up
ip address add ${at.bridge}/${subnet} dev cni
ip address add ${at.tunnel}/${host} dev vpn
ip address add ${at.wan}/${subnet} dev wan
${ip} route add ${at.network} dev vpn`);
  await container.script(`
ip link set eth0 up
ip address add ${at.container}/${subnet} dev eth0
${ip} route add default via ${at.bridge}`);
  await remote.script(`
ip link set eth0 up
ip address add ${at.remote}/${host} dev eth0
${ip} route add ${at.tunnel} dev eth0
${ip} route add default via ${at.tunnel} dev eth0`);
  await outside.script(`
ip link set eth0 up
ip address add ${at.outside}/${subnet} dev eth0
${ip} route add ${at.network} via ${at.wan}`);
}

/** Runs a shell script on the host in the middle. */
export async function script(text: string): Promise<void> {
  await outputOf(['sh', '-euc', text]);
}
