/** Netlink's conversation with a kernel that misbehaves as scripted. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatMessage } from 'netlink/dist/structs.js';
import { ObserveError, SystemError } from '../../../src/ports.js';
import { type Message, NetlinkChannel } from '../../../src/sys/netlink/channel.js';
import type { Datagrams } from '../../../src/sys/netlink/socket.js';

const ERROR = 2;
const DONE = 3;
const NEWROUTE = 24;
const MULTI = 0x2;
const DUMP_INTERRUPTED = 0x10;
const CAPPED = 0x100;
const ACK_TLVS = 0x200;
const EEXIST = 17;
const EPERM = 1;
const ROUTE: Message = { type: NEWROUTE, flags: 0, body: [Buffer.alloc(13)] };

interface Asked {
  readonly type: number;
  readonly sequence: number;
}

/** Answers each datagram with what `answer` makes of the requests in it. */
class ScriptedKernel implements Datagrams {
  readonly asked: (readonly Asked[])[] = [];
  readonly waiting: (Buffer | SystemError)[] = [];
  readonly #answer: (requests: readonly Asked[], attempt: number) => readonly (Buffer | SystemError)[];

  constructor(answer: (requests: readonly Asked[], attempt: number) => readonly (Buffer | SystemError)[]) {
    this.#answer = answer;
  }

  send(datagram: Uint8Array): void {
    // Linux refuses a list (EBUSY) while another one is half-read.
    assert.equal(this.waiting.length, 0, 'a request while an earlier answer is half-read');
    const requests = requestsIn(Buffer.from(datagram));
    this.asked.push(requests);
    this.waiting.push(...this.#answer(requests, this.asked.length));
  }

  receive(): Buffer | undefined {
    const next = this.waiting.shift();
    if (next instanceof SystemError) throw next;
    return next;
  }
}

/** Walks the messages as the kernel does: each begins at a multiple of four. */
function requestsIn(datagram: Buffer): readonly Asked[] {
  const requests: Asked[] = [];
  for (let offset = 0; offset < datagram.length; ) {
    const bytes = datagram.readUInt32LE(offset);
    requests.push({ type: datagram.readUInt16LE(offset + 4), sequence: datagram.readUInt32LE(offset + 8) });
    offset += Math.ceil(bytes / 4) * 4;
  }
  return requests;
}

function message(type: number, sequence: number, data: Uint8Array, flags = 0): Buffer {
  return Buffer.concat(formatMessage({ type, flags, seq: sequence, port: 0, data }));
}

function part(sequence: number, text: string, flags = MULTI): Buffer {
  return message(NEWROUTE, sequence, Buffer.from(text.padEnd(4)), flags);
}

function errnoBytes(errno: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(-errno);
  return bytes;
}

function done(sequence: number, flags = MULTI): Buffer {
  return message(DONE, sequence, errnoBytes(0), flags);
}

function acknowledgement(sequence: number, errno = 0): Buffer {
  return message(ERROR, sequence, Buffer.concat([errnoBytes(errno), Buffer.alloc(16)]), CAPPED);
}

/** A refusal in words. Without CAPPED it repeats the whole request, here of 29 bytes. */
function refusal(sequence: number, errno: number, text: string, echo: 'capped' | 'whole'): Buffer {
  const echoed = Buffer.alloc(echo === 'capped' ? 16 : 32);
  echoed.writeUInt32LE(29);
  const words = Buffer.from(`${text}\0`);
  const attribute = Buffer.alloc(4);
  attribute.writeUInt16LE(4 + words.length, 0);
  attribute.writeUInt16LE(1, 2);
  const flags = ACK_TLVS | (echo === 'capped' ? CAPPED : 0);
  return message(ERROR, sequence, Buffer.concat([errnoBytes(errno), echoed, attribute, words]), flags);
}

const overrun = new SystemError('Cannot receive: No buffer space available (ENOBUFS)', 'ENOBUFS');

function texts(bodies: readonly Buffer[]): readonly string[] {
  return bodies.map((body) => body.toString().trimEnd());
}

describe('NetlinkChannel requests', () => {
  it('gives one outcome for each message, in order, 64 to a datagram', () => {
    const kernel = new ScriptedKernel((requests) =>
      requests.map(({ sequence }) => acknowledgement(sequence, sequence % 3 === 0 ? EEXIST : 0)),
    );
    const outcomes = new NetlinkChannel(kernel).request(new Array<Message>(150).fill(ROUTE));
    assert.deepEqual(
      kernel.asked.map(({ length }) => length),
      [64, 64, 22],
    );
    assert.deepEqual(
      outcomes,
      outcomes.map((_, index) => ((index + 1) % 3 === 0 ? { errno: EEXIST } : undefined)),
    );
  });

  for (const echo of ['capped', 'whole'] as const) {
    it(`reads the kernel's words behind a ${echo} request`, () => {
      const kernel = new ScriptedKernel(([first]) => [
        refusal(first!.sequence, EEXIST, 'Address already assigned', echo),
      ]);
      assert.deepEqual(new NetlinkChannel(kernel).request([ROUTE]), [
        { errno: EEXIST, text: 'Address already assigned' },
      ]);
    });
  }

  it('counts a request as refused when its acknowledgement is lost', () => {
    const kernel = new ScriptedKernel(([first]) => [acknowledgement(first!.sequence), overrun]);
    const outcomes = new NetlinkChannel(kernel).request([ROUTE, ROUTE]);
    assert.deepEqual(outcomes, [undefined, { errno: 105, text: 'the acknowledgement was lost' }]);
  });

  it('takes no answer for its own that carries another sequence number', () => {
    const kernel = new ScriptedKernel(([first]) => [
      acknowledgement(first!.sequence + 1, EPERM),
      acknowledgement(first!.sequence - 1, EPERM),
      acknowledgement(first!.sequence),
    ]);
    assert.deepEqual(new NetlinkChannel(kernel).request([ROUTE]), [undefined]);
  });

  it('sends nothing for no requests', () => {
    const kernel = new ScriptedKernel(() => []);
    assert.deepEqual(new NetlinkChannel(kernel).request([]), []);
    assert.equal(kernel.asked.length, 0);
  });
});

describe('NetlinkChannel lists', () => {
  const list = (kernel: Datagrams) => new NetlinkChannel(kernel).dump(26, [Buffer.alloc(12)], 'list routes');

  it('joins the parts of a list', () => {
    const kernel = new ScriptedKernel(([{ sequence } = { sequence: 0 }]) => [
      Buffer.concat([part(sequence, 'a'), part(sequence, 'b')]),
      part(sequence, 'c'),
      done(sequence),
    ]);
    assert.deepEqual(texts(list(kernel)), ['a', 'b', 'c']);
  });

  it('reads a list again that changed while it was read', () => {
    const kernel = new ScriptedKernel(([{ sequence } = { sequence: 0 }], attempt) =>
      attempt < 3
        ? [
            part(sequence, 'stale', attempt === 1 ? MULTI | DUMP_INTERRUPTED : MULTI),
            done(sequence, DUMP_INTERRUPTED),
          ]
        : [part(sequence, 'fresh'), done(sequence)],
    );
    assert.deepEqual(texts(list(kernel)), ['fresh']);
    assert.equal(kernel.asked.length, 3);
  });

  it('gives up a list that never holds still', () => {
    const kernel = new ScriptedKernel(([{ sequence } = { sequence: 0 }]) => [
      part(sequence, 'stale', MULTI | DUMP_INTERRUPTED),
      done(sequence),
    ]);
    assert.throws(() => list(kernel), ObserveError);
    assert.ok(kernel.asked.length > 1 && kernel.asked.length <= 10, `${kernel.asked.length} attempts`);
  });

  const broken: readonly [name: string, rest: readonly (Buffer | SystemError)[]][] = [
    ['breaks off', []],
    ['is cut by an overrun', [overrun]],
  ];
  for (const [name, rest] of broken) {
    it(`gives nothing of a list that ${name}`, () => {
      const kernel = new ScriptedKernel(([{ sequence } = { sequence: 0 }]) => [part(sequence, 'a'), ...rest]);
      assert.throws(() => list(kernel), { name: 'ObserveError', message: /broke off after 1 entries/ });
    });
  }

  it('gives nothing of a list that ends in an error', () => {
    const kernel = new ScriptedKernel(([{ sequence } = { sequence: 0 }]) => [
      part(sequence, 'a'),
      message(DONE, sequence, errnoBytes(EPERM), MULTI),
    ]);
    assert.throws(() => list(kernel), {
      name: 'SystemError',
      code: 'EPERM',
      message: /^Cannot list routes: /,
    });
  });

  it('asks again when the rest of a list that was given up comes in between', () => {
    const kernel = new ScriptedKernel(([{ sequence } = { sequence: 0 }], attempt) =>
      attempt === 1
        ? [part(sequence, 'old'), overrun, part(sequence, 'rest'), done(sequence)]
        : [...(attempt === 2 ? [part(sequence - 1, 'late')] : []), part(sequence, 'new'), done(sequence)],
    );
    const channel = new NetlinkChannel(kernel);
    assert.throws(() => channel.dump(26, [], 'list routes'), ObserveError);
    assert.deepEqual(texts(channel.dump(26, [], 'list routes')), ['new']);
    assert.equal(kernel.asked.length, 3);
  });
});

describe('NetlinkChannel questions', () => {
  it('gives the answer, or the refusal', () => {
    const kernel = new ScriptedKernel(([{ sequence } = { sequence: 0 }], attempt) =>
      attempt === 1 ? [part(sequence, 'a', 0)] : [acknowledgement(sequence, 19)],
    );
    const channel = new NetlinkChannel(kernel);
    const answer = channel.get(ROUTE);
    assert.equal(Buffer.isBuffer(answer) && answer.toString().trimEnd(), 'a');
    assert.deepEqual(channel.get(ROUTE), { errno: 19 });
  });

  it('takes what it cannot read for no answer', () => {
    const cut = new ScriptedKernel(([{ sequence } = { sequence: 0 }]) => [
      part(sequence, 'a').subarray(0, 9),
    ]);
    assert.throws(() => new NetlinkChannel(cut).get(ROUTE), ObserveError);
    assert.deepEqual(new NetlinkChannel(cut).request([ROUTE]), [
      { errno: 105, text: 'the acknowledgement was lost' },
    ]);
    assert.throws(() => new NetlinkChannel(cut).dump(26, [], 'list routes'), ObserveError);
  });

  it('gives a refusal whose words cannot be read without them', () => {
    const kernel = new ScriptedKernel(([{ sequence } = { sequence: 0 }]) => {
      const attribute = Buffer.from([0xff, 0xff, 1, 0]);
      const data = Buffer.concat([errnoBytes(EEXIST), Buffer.alloc(16), attribute]);
      return [message(ERROR, sequence, data, CAPPED | ACK_TLVS)];
    });
    assert.deepEqual(new NetlinkChannel(kernel).request([ROUTE]), [{ errno: EEXIST }]);
  });

  it('fails when no answer comes', () => {
    assert.throws(() => new NetlinkChannel(new ScriptedKernel(() => [])).get(ROUTE), ObserveError);
  });
});
