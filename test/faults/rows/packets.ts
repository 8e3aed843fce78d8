/** Packets that must not pass, sent as an attacker or a broken peer would: real datagrams to the real daemon. */
import assert from 'node:assert/strict';
import * as libc from '../../../src/sys/libc.js';
import { type PacketFields, packetOf, UDP } from '../../fakes/packets.js';
import { inNamespaceOf } from '../../lab/namespace.js';
import { PROBE_PORT } from '../probe.js';
import type { Row } from '../row.js';
import type { Scene } from '../scene.js';
import { ASK_EVERY_MS, type Station } from '../station.js';

const PORT = 8285;
const COPIES = { test: 20, standard: 500, full: 5_000 } as const;
const COUNTS = { test: 1, standard: 1, full: 3 };
const ARRIVING = 0.9;
const AF_INET = 2;
const IPPROTO_RAW = 255;

type Bad = (scene: Places) => Uint8Array;

/** Container addresses of the three hosts, and the subnet of the first. */
interface Places {
  readonly a: string;
  readonly c: string;
  readonly e: string;
}

interface Forgery {
  readonly from: 'second' | 'stranger';
  readonly packets: readonly Bad[];
  /** The counter that must have counted them; absent where the kernel ends them before the daemon sees them. */
  readonly drop?: string | RegExp;
}

function refused(row: Pick<Row, 'id' | 'fault' | 'expected'>, forgery: Forgery): Row {
  return {
    ...row,
    bar: { lost: 0 },
    counts: COUNTS,
    inject: (scene, size) => isRefused(scene, forgery, COPIES[size]),
  };
}

/** To the probe's own port: what got through would be counted as gone astray. */
function datagram(fields: PacketFields): Uint8Array {
  const payload = new Uint8Array(8 + 16);
  const view = new DataView(payload.buffer);
  view.setUint16(0, 9);
  view.setUint16(2, PROBE_PORT);
  view.setUint16(4, payload.length);
  return packetOf({ protocol: UDP, payload, ...fields });
}

const spoilt =
  (change: (bytes: Uint8Array) => Uint8Array): Bad =>
  ({ a, c }) =>
    change(datagram({ source: c, destination: a }));
const withByte = (at: number, value: number) =>
  spoilt((bytes) => {
    bytes[at] = value;
    return bytes;
  });

export const PACKET_ROWS: readonly Row[] = [
  refused(
    {
      id: 'U1',
      fault: 'a packet comes from an address that is no peer',
      expected: 'It ends before the socket: no stranger costs the daemon anything.',
    },
    {
      from: 'stranger',
      packets: [({ a, c }) => datagram({ source: c, destination: a })],
    },
  ),
  refused(
    {
      id: 'U2',
      fault: "a peer sends with the address of another peer's container, or of nobody's",
      expected: 'Dropped, counted as `spoofed_source`.',
    },
    {
      from: 'second',
      packets: [
        ({ a, e }) => datagram({ source: e, destination: a }),
        ({ a }) => datagram({ source: '192.0.2.1', destination: a }),
      ],
      drop: 'spoofed_source',
    },
  ),
  refused(
    {
      id: 'U3',
      fault: 'a peer sends what is for another host, or for nobody in the network',
      expected: 'Dropped, counted as `not_local`: no host is a way to another.',
    },
    {
      from: 'second',
      packets: [
        ({ c, e }) => datagram({ source: c, destination: e }),
        ({ c }) => datagram({ source: c, destination: '10.8.65.2' }),
      ],
      drop: 'not_local',
    },
  ),
  refused(
    { id: 'U4', fault: 'a packet comes with TTL 1 or 0', expected: 'Dropped, counted as `ttl_expired`.' },
    {
      from: 'second',
      packets: [
        ({ a, c }) => datagram({ source: c, destination: a, ttl: 1 }),
        ({ a, c }) => datagram({ source: c, destination: a, ttl: 0 }),
      ],
      drop: 'ttl_expired',
    },
  ),
  refused(
    {
      id: 'U5',
      fault: 'a packet is short, of another version, or lies about its header, length or checksum',
      expected: 'Dropped, counted by what is wrong.',
    },
    {
      from: 'second',
      packets: [
        spoilt((bytes) => bytes.subarray(0, 19)),
        withByte(0, 0x44),
        withByte(0, 0x4f),
        withByte(0, 0x65),
        withByte(3, 0xff),
        withByte(10, 0x00),
      ],
      drop: /^malformed_/,
    },
  ),
  refused(
    {
      id: 'U6',
      fault: 'a packet is longer than the MTU',
      expected: 'Dropped, counted as `oversize`; never cut.',
    },
    {
      from: 'second',
      packets: [
        ({ a, c }) =>
          packetOf({ source: c, destination: a, protocol: UDP, payload: new Uint8Array(1473 - 20) }),
      ],
      drop: 'oversize',
    },
  ),
  {
    id: 'U7',
    fault: 'a container sends what has to be fragmented',
    expected: 'The fragments pass unchanged and are put together by whom they are for.',
    bar: { lost: 0 },
    counts: COUNTS,
    inject: fragments,
  },
  {
    id: 'U8',
    fault: "a packet's inner destination is the public address of a peer",
    expected: 'Dropped at the first host: no packet goes round.',
    bar: { lost: 0 },
    counts: COUNTS,
    inject: (scene, size) =>
      isRefused(
        scene,
        {
          from: 'second',
          packets: [({ c }) => datagram({ source: c, destination: '10.8.65.3' })],
          drop: 'not_local',
        },
        COPIES[size],
      ),
  },
  {
    id: 'U12',
    fault: 'a container sends to a subnet that nobody has',
    expected: 'It is told so by ICMP, ten times a second at most.',
    bar: { lost: 0 },
    counts: COUNTS,
    inject: nobodysSubnet,
  },
];

async function isRefused(scene: Scene, { from, packets, drop }: Forgery, copies: number) {
  const { first, second, third, cluster } = scene;
  const places: Places = {
    a: first.container.address,
    c: second.container.address,
    e: third.container.address,
  };
  const sender =
    from === 'second'
      ? { pid: second.host.pid, address: second.member.address }
      : { pid: cluster.etcd.pid, address: '10.8.64.10' };
  const before = drop === undefined ? 0 : await dropsOf(first, drop);
  const sent = packets.flatMap((packet) => Array<Uint8Array>(copies).fill(packet(places)));
  const socket = await inNamespaceOf(sender.pid, async () => new RawSocket(first.member.address));
  try {
    for (const [index, payload] of sent.entries()) {
      for (const packet of outer(sender.address, first.member.address, payload, index)) socket.send(packet);
      // Not faster than a socket buffer is emptied.
      if (index % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 2));
    }
  } finally {
    socket.close();
  }
  if (drop !== undefined) {
    await first.until(
      'they are counted',
      0,
      // Some may not have arrived: nothing holds the sender back.
      async () => assert.ok((await dropsOf(first, drop)) - before >= sent.length * ARRIVING),
      ASK_EVERY_MS,
    );
  }
  return { times: sent.length };
}

async function dropsOf(station: Station, drop: string | RegExp): Promise<number> {
  const { drops } = (await station.status()).traffic;
  const counted = Object.entries(drops).filter(([name]) =>
    typeof drop === 'string' ? name === drop : drop.test(name),
  );
  return counted.reduce((sum, [, packets]) => sum + packets, 0);
}

/** The datagram as the sender's own daemon would send it, from its port; in two fragments where the underlay is too small for it. */
function outer(
  source: string,
  destination: string,
  inner: Uint8Array,
  identification: number,
): readonly Uint8Array[] {
  const payload = new Uint8Array(8 + inner.length);
  const view = new DataView(payload.buffer);
  view.setUint16(0, PORT);
  view.setUint16(2, PORT);
  view.setUint16(4, payload.length);
  payload.set(inner, 8);
  const fields = { source, destination, protocol: UDP, identification: identification & 0xffff };
  if (payload.length <= FRAGMENT_BYTES) return [packetOf({ ...fields, payload })];
  return [
    packetOf({ ...fields, fragment: MORE_FRAGMENTS, payload: payload.subarray(0, FRAGMENT_BYTES) }),
    packetOf({ ...fields, fragment: FRAGMENT_BYTES / 8, payload: payload.subarray(FRAGMENT_BYTES) }),
  ];
}

/** What the underlay's MTU of 1,500 leaves. */
const FRAGMENT_BYTES = 1_480;
const MORE_FRAGMENTS = 0x2000;

/** Sends whole IPv4 packets (raw(7)). */
class RawSocket {
  readonly #fd: number;

  constructor(to: string) {
    this.#fd = libc.socket(AF_INET, libc.SOCK_RAW, IPPROTO_RAW, 'open a raw socket');
    const address = new Uint8Array(16); // struct sockaddr_in
    new Uint16Array(address.buffer)[0] = AF_INET;
    address.set(to.split('.').map(Number), 4);
    libc.connect(this.#fd, address, `send to ${to}`);
  }

  send(packet: Uint8Array): void {
    libc.send(this.#fd, packet, 'send a packet');
  }

  close(): void {
    libc.close(this.#fd);
  }
}

async function fragments({ first, second }: Scene) {
  const ping = ['ping', '-n', '-i', '0.02', '-c', '50', '-s', '8000', '-p', 'a5', second.container.address];
  assert.match(await first.container.output(ping), / 0% packet loss/);
  return { times: 50 };
}

const SECONDS = 2;
const MOST_ANSWERS_PER_SECOND = 10;

async function nobodysSubnet({ first }: Scene) {
  const { stdout } = await first.container.run([
    'ping',
    '-n',
    '-i',
    '0.005',
    '-c',
    String(SECONDS * 200),
    '-W',
    '1',
    '4.0.254.9',
  ]);
  const answers = stdout.split('\n').filter((line) => /Destination Net Unreachable/.test(line)).length;
  assert.ok(answers > 0 && answers <= (SECONDS + 2) * MOST_ANSWERS_PER_SECOND, `${answers} answers`);
  return { times: SECONDS * 200 };
}
