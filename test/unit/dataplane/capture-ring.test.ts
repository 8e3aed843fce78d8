import assert from 'node:assert/strict';
import test from 'node:test';
import { DIRECTION } from '../../../src/dataplane/capture-filter.js';
import { type CaptureRecord, CaptureRing, captureMemory } from '../../../src/dataplane/capture-ring.js';

const RECORD: CaptureRecord = {
  epochMs: 1_795_000_000_000.25,
  direction: DIRECTION.IN,
  drop: 3,
  isAnswer: false,
  isDatagram: true,
  row: 65_535,
  address: -1,
  port: 65_535,
  packetBytes: 5,
};

function put(ring: CaptureRing, bytes: Uint8Array, snapBytes = 65_535): boolean {
  if (!ring.begin({ ...RECORD, packetBytes: bytes.length }, snapBytes)) return false;
  ring.append(bytes, 0, bytes.length);
  ring.end();
  return true;
}

test('a packet comes out as it was put in, in pieces or as one, and cut where it is too long', () => {
  const memory = captureMemory();
  const [loop, control] = [new CaptureRing(memory), new CaptureRing(memory)];
  assert.ok(loop.begin(RECORD, 4));
  loop.append(Uint8Array.of(9, 1, 2), 1, 2);
  assert.deepEqual(control.take(), [], 'not before it is whole');
  loop.append(Uint8Array.of(3, 4, 5), 0, 3);
  loop.end();
  const own = { ...RECORD, direction: DIRECTION.OUT, isAnswer: true, isDatagram: false, drop: 0, row: -1 };
  assert.ok(loop.begin({ ...own, packetBytes: 0 }, 4));
  loop.end();
  assert.deepEqual(control.take(), [
    { ...RECORD, bytes: Uint8Array.of(1, 2, 3, 4) },
    { ...own, packetBytes: 0, bytes: new Uint8Array() },
  ]);
  assert.deepEqual(control.take(), []);
});

test('what does not fit is counted and left out, and there is room again once it was read', () => {
  const memory = captureMemory();
  const [loop, control] = [new CaptureRing(memory), new CaptureRing(memory)];
  let [kept, tried] = [0, 0];
  while (tried < 5_000)
    if (put(loop, Uint8Array.of(...new Array<number>(1_500).fill(tried++ & 0xff)))) kept++;
  assert.ok(kept > 2_000 && kept < 3_000, `${kept}`);
  assert.equal(control.takeMissed(), tried - kept);
  assert.equal(control.takeMissed(), 0);
  const taken = control.take();
  assert.deepEqual(
    taken.map(({ bytes }) => bytes[1_499]),
    taken.map((_, index) => index & 0xff),
  );
  assert.equal(taken.length, kept);
  assert.ok(put(loop, Uint8Array.of(1)));
});

test('goes round for as long as one likes: every packet comes once, in order', () => {
  const memory = captureMemory();
  const [loop, control] = [new CaptureRing(memory), new CaptureRing(memory)];
  let expected = 0;
  // 30 MB through 4 MB, of all lengths.
  for (let number = 0; number < 20_000; number++) {
    const bytes = new Uint8Array(((number * 37) % 3_000) + 4);
    new DataView(bytes.buffer).setInt32(bytes.length - 4, number);
    assert.ok(put(loop, bytes));
    if (number % 700 !== 699) continue;
    for (const { bytes } of control.take()) {
      assert.equal(new DataView(bytes.buffer).getInt32(bytes.length - 4), expected++);
    }
  }
  assert.equal(expected + control.take().length, 20_000);
  assert.equal(control.takeMissed(), 0);
});
