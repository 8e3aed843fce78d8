/** What a process that lacks one privilege is told, how soon, and that etcd hears nothing of it. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import test from 'node:test';
import { Host } from '../lab/host.js';
import { inNamespaceOf } from '../lab/namespace.js';
import { flannelette } from '../lab/repository.js';

const TEST_MS = 180_000;
/** Time on the processor, since a busy machine says nothing about us; there is nothing to wait for. */
const TOLD_CPU_MS = 1_000;
const READY_MS = 30_000;
const ETCD_PORT = 2379;
const CONFIG = '/run/flannelette.yaml';
const USER = '65534';

const ETCD_CONFIG = `network: { cidr: 4.0.0.0/16, subnetLength: 24 }
store: { etcd: { endpoints: ["http://127.0.0.1:${ETCD_PORT}"] } }
`;
const STATIC_CONFIG = `network: { cidr: 4.0.0.0/16, subnetLength: 24 }
host: { interface: eth0, publicIP: 10.8.65.1, subnet: 4.0.1.0/24 }
store: { static: { peers: [{ subnet: 4.0.1.0/24, publicIP: 10.8.65.1 }] } }
`;

/** The command line that runs `argv` as an ordinary user with these capabilities, and no way to others. */
function asUser(capabilities: readonly string[], argv: readonly string[]): readonly string[] {
  const set = ['-all', ...capabilities.map((name) => `+${name}`)].join(',');
  const sets = [`--bounding-set=${set}`, `--inh-caps=${set}`, `--ambient-caps=${set}`];
  return [
    'setpriv',
    `--reuid=${USER}`,
    `--regid=${USER}`,
    '--clear-groups',
    '--no-new-privs',
    ...sets,
    ...argv,
  ];
}

const LEGACY_SHOWN = `iptables-legacy -P FORWARD DROP\nchgrp ${USER} /proc/net/ip_tables_names`;

const CASES: readonly {
  readonly name: string;
  /** Makes the host so, as root. */
  readonly setup?: string;
  readonly run: (argv: readonly string[]) => readonly string[];
  readonly missing: string;
}[] = [
  { name: 'any capability', run: (argv) => asUser([], argv), missing: 'CAP_NET_ADMIN' },
  {
    name: 'CAP_NET_ADMIN among all others',
    run: (argv) => ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin', ...argv],
    missing: 'CAP_NET_ADMIN',
  },
  {
    name: 'a TUN device',
    setup: 'rm /dev/net/tun',
    run: (argv) => asUser(['net_admin'], argv),
    missing: '/dev/net/tun',
  },
  {
    name: 'access to the TUN device',
    setup: 'chmod 600 /dev/net/tun',
    run: (argv) => asUser(['net_admin'], argv),
    missing: '/dev/net/tun',
  },
  {
    // As in a container without root whose network is the host's: the capability is there, but not over this network.
    name: 'power over the network namespace',
    run: (argv) => ['unshare', '--user', '--map-root-user', ...argv],
    missing: 'CAP_NET_ADMIN',
  },
  {
    name: 'CAP_NET_RAW where iptables-legacy is in use',
    setup: `${LEGACY_SHOWN}\nchmod 666 /run/xtables.lock`,
    run: (argv) => asUser(['net_admin'], argv),
    missing: 'CAP_NET_ADMIN and CAP_NET_RAW',
  },
  {
    name: 'access to the lock where iptables-legacy is in use',
    setup: `${LEGACY_SHOWN}\nchmod 600 /run/xtables.lock`,
    run: (argv) => asUser(['net_admin', 'net_raw'], argv),
    missing: 'write access to /run/xtables.lock',
  },
];

for (const { name, setup, run, missing } of CASES) {
  test(`without ${name} it says so at once, and asks etcd nothing`, { timeout: TEST_MS }, () =>
    onHost(async (host) => {
      await host.writeFile(CONFIG, ETCD_CONFIG);
      if (setup !== undefined) await host.script(setup);
      const connections = await countConnections(host, async () => {
        const { code, stderr } = await host.run(timed(run(flannelette('run', '-f', CONFIG))));
        assert.equal(code, 77, stderr);
        assert.ok(stderr.includes(missing), stderr);
        const cpuMs = 1_000 * Number(/^CPU (\S+)$/m.exec(stderr)?.[1]);
        assert.ok(cpuMs < TOLD_CPU_MS, `${cpuMs} ms`);
      });
      assert.equal(connections, 0);
    }),
  );
}

test('with CAP_NET_ADMIN alone an ordinary user does everything', { timeout: TEST_MS }, () =>
  onHost(async (host) => {
    await host.writeFile(CONFIG, STATIC_CONFIG);
    // As the unit does it.
    await host.script(`
ip link add eth0 type veth peer name uplink
ip address add 10.8.65.1/16 dev eth0
ip link set eth0 up
ip link set uplink up
mkdir /run/flannel /run/flannelette /var/lib/flannelette
chown ${USER} /run/flannel /run/flannelette /var/lib/flannelette`);
    const command = async (verb: string, want: number) => {
      const { code, stdout, stderr } = await host.run(
        asUser(['net_admin'], flannelette(verb, '-f', CONFIG)),
        {
          timeoutMs: READY_MS,
        },
      );
      assert.equal(code, want, `${verb}: ${stdout}${stderr}`);
    };
    await command('diff', 1);
    await command('apply', 0);
    await command('diff', 0);
    const daemon = host.spawn(asUser(['net_admin'], flannelette('run', '-f', CONFIG)));
    await daemon.waitForLine(/"msg":"ready"/, READY_MS);
    await command('status', 0);
    await command('apply', 0);
    assert.equal(await daemon.stop(), 0);
    await command('destroy', 0);
  }),
);

/** Prints how long the processor was at it, in seconds, after everything else. */
function timed(argv: readonly string[]): readonly string[] {
  return ['bash', '-c', 'TIMEFORMAT="CPU %U"; time "$@"', 'bash', ...argv];
}

async function onHost(body: (host: Host) => Promise<void>): Promise<void> {
  const host = await Host.start('host');
  try {
    // With the mode that udev gives it; without udev it is root's alone.
    await host.script('mount -t tmpfs tmpfs /dev/net\nmknod -m 666 /dev/net/tun c 10 200');
    await body(host);
  } finally {
    await host.close();
  }
}

/** How many came to where the file says that etcd is, while `body` ran. */
async function countConnections(host: Host, body: () => Promise<void>): Promise<number> {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  await inNamespaceOf(host.pid, async () => {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(ETCD_PORT, '127.0.0.1', resolve);
    });
  });
  try {
    await body();
    return connections;
  } finally {
    server.close();
  }
}
