/** What counts as the same header again: all that a verdict looks at must be as it was. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { PacketMemory, plainSummedMemory } from '../../../src/dataplane/packet-memory.js';
import { RepeatedHeader } from '../../../src/dataplane/repeated-header.js';
import { readU16Be, writeU16Be } from '../../../src/wire/big-endian.js';
import { checksum } from '../../../src/wire/checksum.js';
import { IPV4, IPV4_HEADER_BYTES } from '../../../src/wire/ipv4.js';
import { packetOf } from '../../fakes/packets.js';

const FIRST = 0;
const SECOND = 2048;
const SENDER = 7;
const PORT = 8285;
const packet = packetOf({ source: '10.1.40.2', destination: '10.1.63.2' });

const memory = new PacketMemory(4096, plainSummedMemory);
let header: RepeatedHeader;

beforeEach(() => {
  memory.bytes.fill(0);
  memory.bytes.set(packet, FIRST);
  memory.bytes.set(packet, SECOND);
  header = new RepeatedHeader(memory);
  header.keep(FIRST, packet.length, SENDER, PORT);
});

const repeats = () => header.repeats(SECOND, packet.length, SENDER, PORT);

function makeChecksum(at: number): void {
  writeU16Be(memory.bytes, at + IPV4.HEADER_CHECKSUM, 0);
  writeU16Be(memory.bytes, at + IPV4.HEADER_CHECKSUM, checksum(memory.bytes, at, IPV4_HEADER_BYTES));
}

test('the next packet of a flow repeats it, whatever its identification', () => {
  assert.equal(repeats(), true);
  for (const identification of [0, 1, 0x1234, 0xfffe, 0xffff]) {
    writeU16Be(memory.bytes, SECOND + IPV4.IDENTIFICATION, identification);
    makeChecksum(SECOND);
    assert.equal(repeats(), true, String(identification));
  }
});

test('a header whose checksum is wrong repeats nothing', () => {
  const right = readU16Be(memory.bytes, SECOND + IPV4.HEADER_CHECKSUM);
  for (let bit = 0; bit < 16; bit++) {
    writeU16Be(memory.bytes, SECOND + IPV4.HEADER_CHECKSUM, right ^ (1 << bit));
    assert.equal(repeats(), false, `bit ${bit}`);
  }
});

for (let at = 0; at < IPV4_HEADER_BYTES; at++) {
  if (at === IPV4.IDENTIFICATION || at === IPV4.IDENTIFICATION + 1) continue;
  if (at === IPV4.HEADER_CHECKSUM || at === IPV4.HEADER_CHECKSUM + 1) continue;
  test(`a header that differs in byte ${at} repeats nothing, though its checksum is right`, () => {
    memory.bytes[SECOND + at] = (memory.bytes[SECOND + at] as number) ^ 1;
    makeChecksum(SECOND);
    assert.equal(repeats(), false);
  });
}

test('another length, sender or port repeats nothing', () => {
  assert.equal(header.repeats(SECOND, packet.length - 1, SENDER, PORT), false);
  assert.equal(header.repeats(SECOND, packet.length, SENDER + 1, PORT), false);
  assert.equal(header.repeats(SECOND, packet.length, SENDER, PORT + 1), false);
});

test('nothing is repeated of a header with options, and after it was forgotten', () => {
  header.forget();
  assert.equal(repeats(), false);
  for (const at of [FIRST, SECOND]) memory.bytes[at] = 0x46;
  header.keep(FIRST, packet.length, SENDER, PORT);
  assert.equal(repeats(), false);
});
