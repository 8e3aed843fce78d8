/** What comes over netlink sockets: the objects of lists, and whole conversations. */
import assert from 'node:assert/strict';
import { ObserveError, SystemError } from '../../src/ports.js';
import { parseAddress, parseLink, parseRoute } from '../../src/sys/netlink/answers.js';
import { NetlinkChannel } from '../../src/sys/netlink/channel.js';
import type { Chance } from './chance.js';
import type { FuzzTarget } from './target.js';

const READERS = [
  { name: 'link', headerBytes: 16, read: parseLink },
  { name: 'address', headerBytes: 8, read: parseAddress },
  { name: 'route', headerBytes: 12, read: parseRoute },
] as const;

/** Attributes that are read, and some that are not, with the bytes that they have. */
const ATTRIBUTES: readonly (readonly [type: number, bytes: readonly number[]])[] = [
  [1, [4, 16, 6, 0]],
  [2, [4, 16]],
  [3, [8, 16, 1]],
  [4, [4]],
  [5, [4, 16]],
  [6, [4, 20]],
  [7, [4, 16]],
  [8, [4]],
  [9, [8, 16]],
  [15, [4]],
  [18, [6, 18, 12, 40]],
  [20, [5, 20]],
  [33, [1]],
  [99, [0, 3, 7]],
];

function attribute(type: number, data: Uint8Array): number[] {
  const length = 4 + data.length;
  const padding = new Array<number>((4 - (length % 4)) % 4).fill(0);
  return [length & 0xff, length >> 8, type, 0, ...data, ...padding];
}

function someAttributes(chance: Chance): number[] {
  return Array.from({ length: chance.int(0, 6) }, () => {
    const [type, lengths] = chance.pick(ATTRIBUTES);
    const isText = type === 3 || type === 20;
    const length = chance.pick(lengths);
    const data = chance.bytes(length);
    if (isText) data.fill(chance.int(97, 122), 0, length - 1).fill(0, length - 1);
    return attribute(type, chance.is(0.95) ? data : chance.bytes(chance.int(0, 20)));
  }).flat();
}

/** The kind, then the object's bytes as they stand behind the header of a message. */
export const objectTarget: FuzzTarget = {
  name: 'netlink-object',
  share: 80_000,
  make(chance) {
    const kind = chance.int(0, 2);
    const header = chance.bytes(READERS[kind]?.headerBytes ?? 0);
    header[0] = chance.pick([2, 10, 2, 10, 7]);
    if (kind !== 0) header[1] = chance.pick([24, 32, 64, 128, 0, chance.int(0, 255)]);
    const bytes = Uint8Array.from([kind, ...header, ...someAttributes(chance)]);
    return chance.is(0.2) ? chance.spoilt(bytes) : bytes;
  },
  run(input) {
    const { name, headerBytes, read } = READERS[(input[0] ?? 0) % 3] as (typeof READERS)[number];
    const body = Buffer.from(input.subarray(1));
    let found: ReturnType<typeof read>;
    try {
      found = read(body);
    } catch (error) {
      assert.ok(error instanceof Error);
      return `${name} refused`;
    }
    if (found === undefined) return `${name} passed over`;
    agreeWithSlowReading(found, body, headerBytes);
    return `${name} read`;
  },
};

/** Looks each attribute up by itself, the last of several counting, and compares what it says. */
function agreeWithSlowReading(found: object, body: Buffer, headerBytes: number): void {
  const last = new Map<number, Buffer>();
  for (let at = headerBytes; at + 4 <= body.length; ) {
    const length = body.readUInt16LE(at);
    last.set(body.readUInt16LE(at + 2) & 0x3fff, body.subarray(at + 4, at + length));
    at += Math.ceil(length / 4) * 4;
  }
  const u32 = (type: number) => last.get(type)?.readUInt32LE(0);
  // The last byte is a NUL; the kernel writes no other.
  const text = (type: number) => last.get(type)?.toString().slice(0, -1);
  if ('carrier' in found) {
    const { index, mtu, name } = found as NonNullable<ReturnType<typeof parseLink>>;
    assert.deepEqual({ index, mtu, name }, { index: body.readInt32LE(4), mtu: u32(4) ?? 0, name: text(3) });
  } else if ('permanent' in found) {
    const { link, length, address } = found as NonNullable<ReturnType<typeof parseAddress>>;
    assert.deepEqual({ link, length }, { link: body.readUInt32LE(4), length: body[1] });
    const bytes = last.get(2) ?? last.get(1);
    if (bytes?.length === 4) assert.equal(address, [...bytes].join('.'));
  } else {
    const { table, metric, tos, protocol, link } = found as NonNullable<ReturnType<typeof parseRoute>>;
    assert.deepEqual(
      { table, metric, tos, protocol, link },
      { table: u32(15) ?? body[4], metric: u32(6) ?? 0, tos: body[3], protocol: body[5], link: u32(4) },
    );
  }
}

const TYPES = [2, 3, 24, 24, 24, 16, 0, 255]; // NLMSG_ERROR, NLMSG_DONE, RTM_NEWROUTE...
const FLAGS = [0, 2, 2, 2, 0x12, 0x100, 0x302, 0xffff];

/** Datagrams behind their lengths, two bytes each: what the kernel answers to the first question. */
export const conversationTarget: FuzzTarget = {
  name: 'netlink-conversation',
  share: 40_000,
  make(chance) {
    const datagrams = Array.from({ length: chance.int(0, 3) }, () => {
      const bytes = Array.from({ length: chance.int(0, 4) }, () => someMessage(chance)).flat();
      return chance.is(0.2) ? chance.spoilt(Uint8Array.from(bytes)) : Uint8Array.from(bytes);
    });
    return Uint8Array.from(datagrams.flatMap((bytes) => [bytes.length >> 8, bytes.length & 0xff, ...bytes]));
  },
  run(input) {
    const outcomes = [
      spoken(input, (channel) => channel.dump(26, [Buffer.alloc(12)], 'list routes')),
      spoken(input, (channel) => channel.request([{ type: 24, flags: 0, body: [Buffer.alloc(12)] }])),
      spoken(input, (channel) => channel.get({ type: 26, flags: 0, body: [Buffer.alloc(12)] })),
    ];
    return outcomes.join(', ');
  },
};

function someMessage(chance: Chance): number[] {
  const data = chance.pick([
    [],
    [0, 0, 0, 0],
    [255, 255, 255, 255],
    [0xef, 0xff, 0xff, 0xff, ...chance.bytes(20)],
  ]);
  const body = chance.is(0.3) ? [...chance.bytes(chance.int(0, 24))] : data;
  const padded = [...body, ...new Array<number>((4 - (body.length % 4)) % 4).fill(0)];
  const head = Buffer.alloc(16);
  head.writeUInt32LE(16 + body.length, 0);
  head.writeUInt16LE(chance.pick(TYPES), 4);
  head.writeUInt16LE(chance.pick(FLAGS), 6);
  head.writeUInt32LE(chance.pick([1, 1, 1, 1, 0, 2]), 8);
  return [...head, ...padded];
}

/** Typed errors alone may come out of it; a list is whole or refused. */
function spoken(input: Uint8Array, ask: (channel: NetlinkChannel) => unknown): string {
  let waiting: Buffer[] = [];
  const channel = new NetlinkChannel({
    send: () => {
      waiting = datagramsIn(input);
    },
    receive: () => waiting.shift(),
  });
  try {
    ask(channel);
    return 'answered';
  } catch (error) {
    if (error instanceof ObserveError) return 'not observed';
    if (error instanceof SystemError) return 'refused';
    throw error;
  }
}

function datagramsIn(input: Uint8Array): Buffer[] {
  const datagrams: Buffer[] = [];
  for (let at = 0; at + 2 <= input.length; ) {
    const length = (input[at] as number) * 256 + (input[at + 1] as number);
    datagrams.push(Buffer.from(input.slice(at + 2, at + 2 + length)));
    at += 2 + length;
  }
  return datagrams;
}
