/**
 * Two hosts set up as those on which the real flanneld 0.20.2 was captured (test/captures/): the same addresses, the
 * same network in etcd, the same subnets. What flanneld left in kernel, files and etcd there stands here too.
 *
 *    etcd 198.18.0.10      host a 198.18.0.11      host b 198.18.0.12
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { Member } from '../lab/cluster.js';
import { startEtcdOn } from '../lab/etcd-host.js';
import { eventually } from '../lab/eventually.js';
import type { Host } from '../lab/host.js';
import { repositoryRoot } from '../lab/repository.js';
import { onUnderlay } from '../lab/underlay.js';

const ETCD = '198.18.0.10';
const ETCD_URL = `http://${ETCD}:2379`;
const HOSTS = { a: '198.18.0.11', b: '198.18.0.12' } as const;
type HostName = keyof typeof HOSTS;
const NETWORK_KEY = '/coreos.com/network/config';
const SETTLED_MS = 10_000;

/** What a host is asked, by the heading of the capture. */
const COMMANDS = {
  'ip addr': ['ip', 'addr'],
  'ip -d link': ['ip', '-d', 'link'],
  'ip route': ['ip', 'route'],
  'ip route show table local': ['ip', 'route', 'show', 'table', 'local'],
  'ip rule': ['ip', 'rule'],
  'ip neigh': ['ip', 'neigh'],
  'bridge fdb': ['bridge', 'fdb'],
  'iptables-save': ['iptables-save'],
  'sysctl net.ipv4.ip_forward': ['sysctl', 'net.ipv4.ip_forward'],
} as const;
type Asked = keyof typeof COMMANDS;

/**
 * The lines of a command that tell of what flannel manages, without what is another on every host or kernel: numbers of
 * links, counters, and what each of the two has by design: our number on routes, comments, and rules that masquerade,
 * of which ours stand in a table of their own.
 */
const MANAGED: Readonly<Record<Asked, (printed: string) => readonly string[]>> = {
  'ip addr': (printed) => [
    ...device(printed).flatMap((line) => /<\S+> mtu \d+/.exec(line) ?? []),
    ...device(printed).flatMap((line) => /inet .*/.exec(line) ?? []),
  ],
  // Of a TUN only that it is one: ours outlives its daemon and takes super-packets.
  'ip -d link': (printed) =>
    device(printed).flatMap((line) => /tun type tun pi off|vxlan id .* noudp6zerocsumrx/.exec(line) ?? []),
  'ip route': (printed) =>
    lines(printed)
      .filter((line) => line.startsWith('10.1.'))
      .map((line) => line.replace(' proto 77', '')),
  'ip route show table local': (printed) => lines(printed).filter((line) => line.includes(' dev flannel')),
  'ip rule': lines,
  'ip neigh': (printed) => lines(printed).filter((line) => line.includes(' dev flannel')),
  'bridge fdb': (printed) => lines(printed).filter((line) => line.includes(' dev flannel')),
  'iptables-save': (printed) =>
    lines(printed)
      .filter((line) => line.includes('FLANNEL-FWD'))
      .map((line) => line.replace(/ -m comment --comment ("[^"]*"|\S+)/, '')),
  'sysctl net.ipv4.ip_forward': lines,
};

/** One file of test/captures/: sections under headings, with each host's hardware address called by its name. */
class Capture {
  /** etcd's keys and values. */
  readonly store: ReadonlyMap<string, string>;
  readonly #sections: ReadonlyMap<string, string>;

  constructor(text: string) {
    const sections = text.split(/^## /m).slice(1);
    const plain = new Map(
      sections.map((section) => [section.split('\n', 1)[0] ?? '', section.replace(/^.*\n/, '')]),
    );
    const macs = new Map<string, HostName>();
    for (const name of ['a', 'b'] as const) macs.set(macIn(plain.get(`host ${name} $ ip addr`) ?? ''), name);
    this.#sections = new Map([...plain].map(([heading, content]) => [heading, named(content, macs)]));
    const entries = this.#section('etcd after both started').matchAll(/^(\/\S+)\n(.*)$/gm);
    this.store = new Map([...entries].map(([, key = '', value = '']) => [key, value]));
  }

  printed(host: HostName, asked: Asked): string {
    return this.#section(`host ${host} $ ${asked}`);
  }

  subnetEnv(host: HostName): string {
    return this.#section(`host ${host} subnet.env`).replace(/^# mode .*\n+/m, '');
  }

  subnetOf(host: HostName): string {
    const keys = [...this.store]
      .filter(([, value]) => value.includes(`"${HOSTS[host]}"`))
      .map(([key]) => key);
    return keys[0]?.replace(/.*\//, '').replace('-', '/') ?? '';
  }

  #section(heading: string): string {
    const content = this.#sections.get(heading);
    if (content === undefined) throw new Error(`Cannot find "${heading}" in the capture`);
    return content;
  }
}

for (const backend of ['udp', 'vxlan', 'host-gw']) {
  const capture = new Capture(
    readFileSync(join(repositoryRoot(), `test/captures/flanneld-0.20.2-${backend}.txt`), 'utf8'),
  );

  test(`${backend}: hosts are as flanneld leaves them`, { timeout: 120_000 }, async () => {
    await onUnderlay(
      async (underlay) => {
        const etcd = await underlay.addHost('etcd', ETCD);
        await startEtcdOn(etcd, ETCD_URL);
        const etcdctl = (...argv: readonly string[]) =>
          etcd.output(['etcdctl', '--endpoints', ETCD_URL, ...argv]);
        await etcdctl('put', NETWORK_KEY, capture.store.get(NETWORK_KEY) ?? '');
        const members = new Map<HostName, Member>();
        for (const name of ['a', 'b'] as const) {
          const member = new Member(await underlay.addHost(name, HOSTS[name]), HOSTS[name]);
          await member.host.writeFile(member.configPath, configOf(capture.subnetOf(name)));
          await member.run();
          members.set(name, member);
        }
        await eventually('everything is as captured', SETTLED_MS, async () => {
          const macs = new Map<string, HostName>();
          for (const [name, { host }] of members) macs.set(await macOf(host), name);
          for (const [name, { host }] of members)
            for (const asked of Object.keys(COMMANDS) as Asked[])
              assert.deepEqual(
                MANAGED[asked](named(await host.output(COMMANDS[asked]), macs)),
                MANAGED[asked](capture.printed(name, asked)),
                `${asked} on host ${name}`,
              );
          for (const [key, value] of capture.store)
            assert.equal(named(await etcdctl('get', '--print-value-only', key), macs), `${value}\n`, key);
        });
        for (const [name, { host }] of members) {
          assert.equal(await host.readFile('/run/flannel/subnet.env'), capture.subnetEnv(name));
          assert.equal(
            await host.output(['stat', '--format', '%A', '/run/flannel/subnet.env']),
            '-rw-r--r--\n',
          );
        }
      },
      { gateway: '198.18.0.1/24' },
    );
  });
}

function configOf(subnet: string): string {
  return `network: { ipMasq: true }
host: { interface: eth0, subnet: ${subnet} }
store: { etcd: { endpoints: ["${ETCD_URL}"] } }
docker: { mode: "off" }
`;
}

async function macOf(host: Host): Promise<string> {
  return macIn(await host.output(['ip', 'addr']));
}

/** Of flannel's device; a string that is nowhere for one without. */
function macIn(printed: string): string {
  return device(printed).flatMap((line) => /link\/ether (\S+)/.exec(line)?.[1] ?? [])[0] ?? 'none';
}

/** Each host draws its own hardware address: it is called by the host's name. */
function named(printed: string, macs: ReadonlyMap<string, HostName>): string {
  let text = printed;
  for (const [mac, name] of macs) text = text.replaceAll(mac, `MAC of ${name}`);
  return text;
}

/** What `ip` says of flannel's device. */
function device(printed: string): readonly string[] {
  const all = printed.split('\n');
  const first = all.findIndex((line) => /^\d+: flannel/.test(line));
  const next = all.findIndex((line, index) => index > first && /^\d/.test(line));
  return first < 0 ? [] : all.slice(first, next < 0 ? undefined : next);
}

/** Sorted, since the kernel lists some things in the order in which they were made. */
function lines(printed: string): readonly string[] {
  return printed
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .sort();
}
