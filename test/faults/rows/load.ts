/** Packets under load, with what their headers say, and while the socket refuses them. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAddress, parsePrefix } from '../../../src/model/address.js';
import { withPair } from '../../lab/data-plane-pair.js';
import { eventually } from '../../lab/eventually.js';
import { percentile } from '../result.js';
import type { Row, Size } from '../row.js';
import type { Scene } from '../scene.js';
import { HEALED_MS, type Station } from '../station.js';

const PORT = 8285;
/** Nobody listens there. */
const CLOSED_PORT = 9;
const PAIRS = { test: 1, standard: 5, full: 15 } as const;
/** One pair on a machine that does other things beside says little. */
const LEAST_SHARE = { test: 0.5, standard: 0.9, full: 0.9 } as const;
const FLOOD_SECONDS = 1;
const REFUSED_MS = { test: 300, standard: 2_000, full: 10_000 } as const;
const CHANGES = { test: 50, standard: 500, full: 5_000 } as const;

export const LOAD_ROWS: readonly Row[] = [
  {
    id: 'U9',
    fault: 'a flood of datagrams comes from a stranger, as fast as he can',
    expected:
      'It ends before the socket: other hosts have nine tenths at least of what they have while the same flood hits a closed port.',
    bar: {},
    counts: { test: 1, standard: 1, full: 1 },
    inject: flooded,
  },
  {
    id: 'U10',
    fault: 'packets have ECN, DSCP and DF set in all ways',
    expected:
      'They arrive as they were sent. Nothing of it is copied to the packets around them, as in flannel.',
    bar: { lost: 0 },
    counts: { test: 1, standard: 1, full: 1 },
    inject: marked,
  },
  {
    id: 'U11',
    fault: 'the kernel refuses to send: EPERM, EHOSTUNREACH, EACCES, EINVAL',
    expected:
      'Each packet is counted, none is tried again. The time is from the end of that to packets flowing.',
    bar: { healedMs: 1_000, cpuPercent: 50 },
    counts: { test: 1, standard: 3, full: 10 },
    inject: refusedByKernel,
  },
  {
    id: 'U13',
    fault: 'the table of peers changes while packets come at line rate',
    expected: 'A change is in force at once: it does not wait for the packets.',
    bar: { healedMs: 10 },
    counts: { test: 1, standard: 1, full: 1 },
    inject: changedUnderLoad,
  },
];

async function flooded({ first, second, cluster }: Scene, size: Size) {
  const server = first.container.spawn(['iperf3', '--server', '--forceflush']);
  await server.waitForLine(/listening/i, HEALED_MS);
  const shares: number[] = [];
  try {
    for (let pair = 0; pair < PAIRS[size]; pair++) {
      const closed = await throughputDuring(CLOSED_PORT);
      shares.push((await throughputDuring(PORT)) / closed);
    }
  } finally {
    await server.stop();
  }
  const share = percentile(shares, 50);
  assert.ok(share >= LEAST_SHARE[size], `${share} of what is there beside a flood at a closed port`);
  return { times: PAIRS[size] };

  /** Bits a second from the second host's container, while a stranger floods that port. */
  async function throughputDuring(port: number): Promise<number> {
    const target = `/dev/udp/${first.member.address}/${port}`;
    // A refused datagram ends dd: from a closed port that is told now and then.
    const flood = cluster.etcd.spawn([
      'bash',
      '-c',
      `while :; do dd if=/dev/zero of=${target} bs=64 2>/dev/null; done`,
    ]);
    try {
      const printed = await second.container.output([
        ...['iperf3', '--client', first.container.address, '--time', String(FLOOD_SECONDS), '--json'],
      ]);
      return (JSON.parse(printed) as { end: { sum_received: { bits_per_second: number } } }).end.sum_received
        .bits_per_second;
    } finally {
      flood.signal('SIGKILL');
      await flood.exited;
      await first.until('the flood is over', 0, () =>
        cluster.etcd.script('! pgrep -x --ns $$ --nslist net dd'),
      );
    }
  }
}

/** ECN of all four kinds, with no DSCP, with Expedited Forwarding and with all bits. */
const TOS = [0x00, 0xb8, 0xfc].flatMap((dscp) => [0, 1, 2, 3].map((ecn) => dscp | ecn));

async function marked({ first, second }: Scene) {
  const from = first.container.address;
  const sent = TOS.flatMap((tos) =>
    ['do', 'dont'].map((fragmenting) => ({ tos, isDf: fragmenting === 'do', fragmenting })),
  );
  const filter = `src ${from} and icmp[icmptype] == icmp-echo`;
  const capture = second.container.spawn([
    'tcpdump',
    '-l',
    '-n',
    '-v',
    '-i',
    'eth0',
    '-c',
    String(sent.length),
    filter,
  ]);
  await capture.waitForLine(/listening on/, HEALED_MS);
  for (const { tos, fragmenting } of sent) {
    await first.container.output([
      'ping',
      '-n',
      '-c',
      '1',
      '-W',
      '2',
      '-Q',
      String(tos),
      '-M',
      fragmenting,
      second.container.address,
    ]);
  }
  await capture.exited;
  const seen = capture.lines.flatMap((line) => {
    const [, tos, flags] = /\(tos (0x[0-9a-f]+).*flags \[([^\]]*)\]/.exec(line) ?? [];
    return tos === undefined ? [] : [{ tos: Number(tos), isDf: flags?.includes('DF') === true }];
  });
  assert.deepEqual(
    seen,
    sent.map(({ tos, isDf }) => ({ tos, isDf })),
  );
  return { times: sent.length };
}

const REFUSALS: readonly (readonly [errno: string, begin: string, end: string])[] = [
  [
    'EPERM',
    `nft 'table ip refusal { chain output { type filter hook output priority 0; udp dport ${PORT} drop; }; }'`,
    'nft delete table ip refusal',
  ],
  ...(
    [
      ['EHOSTUNREACH', 'unreachable'],
      ['EACCES', 'prohibit'],
      ['EINVAL', 'blackhole'],
    ] as const
  ).map(
    ([errno, type]) =>
      [errno, `ip route add ${type} 10.8.65.2`, `ip route delete ${type} 10.8.65.2`] as const,
  ),
];

async function refusedByKernel({ first, probe }: Scene, size: Size) {
  const times: number[] = [];
  let faultMs = 0;
  for (const [errno, begin, end] of REFUSALS) {
    await first.settle();
    const none = await sendDrops(first);
    await first.shell.run(begin);
    await eventually('a packet is refused', HEALED_MS, async () =>
      assert.notEqual(await sendDrops(first), none, errno),
    );
    const [before, start] = [await sendDrops(first), performance.now()];
    await sleep(REFUSED_MS[size]);
    const dropped = (await sendDrops(first)) - before;
    await first.shell.run(end);
    assert.ok(
      dropped >= REFUSED_MS[size] / 2,
      `${errno}: ${dropped} packets counted in ${REFUSED_MS[size]} ms`,
    );
    faultMs += performance.now() - start;
    const healed = performance.now();
    await probe.since(probe.mark(), HEALED_MS);
    times.push(performance.now() - healed);
  }
  return { healedMs: Math.max(...times), faultMs, times: REFUSALS.length };
}

async function sendDrops(station: Station): Promise<number> {
  const { drops } = (await station.status()).traffic;
  return Object.entries(drops).reduce(
    (sum, [name, packets]) => sum + (name.startsWith('send_') ? packets : 0),
    0,
  );
}

async function changedUnderLoad(_: Scene, size: Size) {
  return withPair(async ({ a, b }) => {
    const server = b.container.spawn(['iperf3', '--server', '--forceflush']);
    await server.waitForLine(/listening/i, HEALED_MS);
    const load = [
      'iperf3',
      '--udp',
      '--bitrate',
      '0',
      '--length',
      '64',
      '--bidir',
      '--time',
      '120',
      '--forceflush',
      '--client',
    ];
    const client = a.container.spawn([...load, b.container.address]);
    await client.waitForLine(/connected to/, HEALED_MS);
    const peer = { subnet: parsePrefix('10.1.99.0/24'), publicIp: parseAddress('198.18.0.12'), port: PORT };
    const times = await a.dataPlane.timeChanges(peer, CHANGES[size]);
    for (const process of [client, server]) await process.stop();
    // What is late once on a machine that does other things beside says little.
    return { healedMs: percentile(times, size === 'test' ? 50 : 99), times: times.length };
  });
}
