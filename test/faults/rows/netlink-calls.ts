/** Each call of netlink fails once, in its turn: a host is set up all the same, on the real kernel. */
import assert from 'node:assert/strict';
import type { Config } from '../../../src/model/config.js';
import { type Netlink, ObserveError, SystemError } from '../../../src/ports.js';
import { KernelNetlink } from '../../../src/sys/netlink/netlink.js';
import { kernelSysctls } from '../../../src/sys/sysctls.js';
import { kernelTuns } from '../../../src/sys/tun.js';
import { FakeCommands } from '../../fakes/fake-commands.js';
import { FakeFiles } from '../../fakes/fake-files.js';
import { FakeFirewall } from '../../fakes/fake-firewall.js';
import { FakeStore } from '../../fakes/fake-store.js';
import { worldDifference } from '../../lab/host-world.js';
import { inFreshNamespace } from '../../lab/namespace.js';
import { outputOf } from '../../lab/process.js';
import { configReading, hastyClock, runFlannelette } from '../../worlds/command-line.js';
import { openSession } from '../../worlds/session.js';
import type { Row, Size } from '../row.js';
import type { Scene } from '../scene.js';

/** Every so many of the calls. */
const EVERY = { test: 4, standard: 1, full: 1 } as const;
/** More tries than this would be no retry. */
const MOST_TRIES = 2;

export const NETLINK_CALL_ROWS: readonly Row[] = [
  {
    id: 'N4',
    fault: 'each netlink call fails once',
    expected: 'It is done at the next try, and what is set up then is the same as ever.',
    bar: { lost: 0 },
    counts: { test: 1, standard: 1, full: 1 },
    inject: eachFailsOnce,
  },
];

const BACKENDS: readonly (readonly [backend: string, peer: string])[] = [
  ['{ type: udp }', '{"PublicIP":"10.8.65.53"}'],
  [
    '{ type: vxlan }',
    '{"PublicIP":"10.8.65.53","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:01"}}',
  ],
  ['{ type: host-gw }', '{"PublicIP":"10.8.65.53","BackendType":"host-gw"}'],
];

async function eachFailsOnce(_: Scene, size: Size) {
  let times = 0;
  for (const [backend, peer] of BACKENDS) {
    const { calls, lines } = await setUp(backend, peer, undefined);
    assert.ok(lines.length > 5, lines.join('\n'));
    for (let failing = 1; failing <= calls; failing += EVERY[size], times++) {
      const outcome = await setUp(backend, peer, failing);
      const difference = worldDifference(lines.join('\n'), outcome.lines.join('\n'));
      assert.deepEqual(difference, [], `${backend}, call ${failing} of ${calls}: ${difference.join('; ')}`);
    }
  }
  return { times };
}

/** In a namespace of its own; resolves with what the kernel has then, and how many calls that took. */
function setUp(backend: string, peer: string, failing: number | undefined) {
  return inFreshNamespace(async () => {
    await outputOf(['ip', '-batch', '-'], { input: `${UPLINK.join('\n')}\n` });
    const netlink = new KernelNetlink();
    try {
      const faulty = new FaultyNetlink(netlink, failing);
      const store = new FakeStore();
      await store.put('subnets/10.5.7.0-24', peer);
      const ports = {
        netlink: faulty.port,
        tuns: kernelTuns,
        sysctls: kernelSysctls,
        firewall: new FakeFirewall(),
        files: new FakeFiles(),
        commands: new FakeCommands(),
        clock: hastyClock(),
      };
      const text = `network: { cidr: 10.5.0.0/16, backend: ${backend} }
store: { etcd: { endpoints: ["http://127.0.0.1:1"] } }
`;
      const host = {
        clock: ports.clock,
        desk: new Map<string, string>(),
        files: ports.files,
        readText: async () => text,
        readConfig: async (path: string) => configReading(text, path),
        openSession: (config: Config) => openSession(config, ports, store),
      };
      let answer = { exitCode: -1, stderr: '' };
      for (let attempt = 0; attempt < MOST_TRIES && answer.exitCode !== 0; attempt++) {
        answer = await runFlannelette(host, ['apply', '-f', '/flannelette.yaml']);
      }
      assert.equal(answer.exitCode, 0, `call ${failing} of ${backend}: ${answer.stderr}`);
      return { calls: faulty.calls, lines: await kernelLinesOf(netlink) };
    } finally {
      netlink.close();
    }
  });
}

const UPLINK = [
  'link set lo up',
  'link add eth0 address 02:00:00:00:00:66 type veth peer name eth1',
  'link set eth0 up',
  'link set eth1 up',
  'address add 10.8.65.66/16 dev eth0',
  'route add default via 10.8.0.1',
];

/** Of what was set up: without what differs from one namespace to the next, and what the kernel makes of itself in IPv6. */
async function kernelLinesOf(netlink: Netlink): Promise<readonly string[]> {
  const links = (await netlink.links()).map(({ name, kind, mtu, up, alias }) => ({
    name,
    kind,
    mtu,
    up,
    alias,
  }));
  const named = links.filter(({ name }) => name.startsWith('flannel'));
  const objects = [
    ...links,
    ...(await netlink.addresses()),
    ...(await netlink.routes()),
    ...(await Promise.all(named.map(({ name }) => netlink.neighbours(name)))).flat(),
    ...(await Promise.all(named.map(({ name }) => netlink.fdb(name)))).flat(),
  ];
  const lines = objects.map((object) => JSON.stringify(object));
  return lines.filter((line) => !/"(address|destination)":"[^"]*:/.test(line)).sort();
}

/** Counts the calls; the one whose number is `failing` fails, of several requests the first. */
class FaultyNetlink {
  calls = 0;
  readonly port: Netlink;

  constructor(real: Netlink, failing: number | undefined) {
    const isTurn = () => ++this.calls === failing;
    const busy = new SystemError('Cannot ask the kernel: EBUSY', 'EBUSY');
    this.port = new Proxy(real, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function' || name === 'watch') return method;
        if (name === 'request') {
          return async (requests: Parameters<Netlink['request']>[0]) => {
            if (requests.length === 0 || !isTurn()) return target.request(requests);
            return [busy, ...(await target.request(requests.slice(1)))];
          };
        }
        return async (...parameters: unknown[]) => {
          if (!isTurn()) return method.apply(target, parameters);
          throw name === 'setTxChecksumOffload' ? busy : new ObserveError('Cannot ask the kernel: EBUSY');
        };
      },
    });
  }
}
