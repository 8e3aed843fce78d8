import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { showProgress } from '../../../src/sys/progress.js';

/** What is written while work takes `ms`. */
function writtenDuring(
  t: TestContext,
  ms: number,
  { isTTY = true, columns = 80, terminal = 'xterm' } = {},
): string[] {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const written: string[] = [];
  const write = (text: string) => written.push(text) > 0;
  let packets = 0;
  const stop = showProgress(() => `${++packets} packets`, { isTTY, columns, write }, terminal);
  t.mock.timers.tick(ms);
  stop();
  t.mock.timers.tick(5_000);
  t.mock.timers.reset();
  return written;
}

test('one line says what goes on and for how long, and goes with the result', (t) => {
  assert.deepEqual(writtenDuring(t, 2_500), [
    '\r\x1b[K1 packets ... 1 s',
    '\r\x1b[K2 packets ... 2 s',
    '\r\x1b[K',
  ]);
  assert.deepEqual(writtenDuring(t, 1_500, { columns: 10 }), ['\r\x1b[K1 packets', '\r\x1b[K']);
  assert.equal(writtenDuring(t, 1_500, { columns: 0 })[0], '\r\x1b[K1 packets ... 1 s');
});

test('quick work shows nothing, nor does any where no line can be taken away', (t) => {
  assert.deepEqual(writtenDuring(t, 900), []);
  assert.deepEqual(writtenDuring(t, 2_500, { isTTY: false }), []);
  assert.deepEqual(writtenDuring(t, 2_500, { terminal: 'dumb' }), []);
});
