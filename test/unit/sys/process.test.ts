import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import test from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { lastingAbort } from '../../../src/sys/process.js';
import { type Script, withScript } from './script.js';

/** Waits for a signal, says which came, and goes on. */
const WAITING = `
const signal = sys.terminationSignal();
signal.addEventListener('abort', () => sys.stdoutText(signal.reason.message + '\\n'));
setInterval(() => {}, 60_000);
sys.stdoutText('waiting\\n');
`;

for (const [first, second] of [
  ['SIGTERM', 'SIGTERM'],
  ['SIGINT', 'SIGINT'],
  ['SIGINT', 'SIGTERM'],
  ['SIGTERM', 'SIGINT'],
] as const) {
  test(`${first} aborts, and ${second} after it ends the process at once`, async () => {
    await withScript('process', WAITING, async (script) => {
      await script.saying('waiting\n');
      script.signal(first);
      await script.saying(`Received ${first}\n`);
      script.signal(second);
      assert.equal(await script.ended(), second);
    });
  });
}

test('the end waits for what was written, and for nothing else', async () => {
  const lines = `
setInterval(() => {}, 60_000);
sys.stdoutText('o'.repeat(1_000_000));
sys.stderrText('e'.repeat(1_000_000));
await sys.endProcess(6);
`;
  await withScript('process', lines, async (script) => {
    assert.equal(await script.ended(), 6);
    assert.equal(script.stdout.length + script.stderr.length, 2_000_000);
  });
});

for (const [rest, code] of [
  ['setInterval(() => sys.stdoutText("again\\n"), 10);', 0],
  ['sys.stdoutText("result\\n"); await sys.endProcess(7);', 7],
] as const) {
  test(`without a reader the process ends quietly, with ${code}`, async () => {
    const lines = `
sys.endWithOutput(2);
process.on('SIGHUP', () => { clearInterval(waiting); go(); });
const waiting = setInterval(() => {}, 60_000);
sys.stdoutText('waiting\\n');
async function go() { ${rest} }
`;
    await withScript('process', lines, async (script) => {
      await script.saying('waiting\n');
      script.stopReading();
      script.signal('SIGHUP');
      assert.equal(await script.ended(), code);
      assert.equal(script.stderr, '');
    });
  });
}

test('output that cannot be written ends the process with its failure and its cause', async () => {
  const lines = `
sys.endWithOutput(2);
setInterval(() => {}, 60_000);
sys.stdoutText('result');
`;
  const body = async (script: Script) => {
    assert.equal(await script.ended(), 2);
    assert.match(script.stderr, /^Cannot write to standard output: ENOSPC: .*\n$/);
  };
  await withScript('process', lines, body, '/dev/full');
});

test('SIGHUP calls each time, and is what it was once nobody listens', async () => {
  const lines = `
let count = 0;
const stop = new AbortController();
sys.onHangUp(() => {
  if (++count === 2) stop.abort();
  sys.stdoutText('reload ' + count + '\\n');
}, stop.signal);
setInterval(() => {}, 60_000);
sys.stdoutText('waiting\\n');
`;
  await withScript('process', lines, async (script) => {
    await script.saying('waiting\n');
    script.signal('SIGHUP');
    await script.saying('reload 1\n');
    script.signal('SIGHUP');
    await script.saying('reload 2\n');
    script.signal('SIGHUP');
    assert.equal(await script.ended(), 'SIGHUP');
  });
});

test('a lasting abort follows its parent, and can be aborted without it', () => {
  const parent = new AbortController();
  const [first, second] = [lastingAbort(parent.signal), lastingAbort(parent.signal)];
  first.abort();
  assert.deepEqual([second.signal.aborted, parent.signal.aborted], [false, false]);
  parent.abort(new Error('stop'));
  assert.equal(second.signal.reason.message, 'stop');
  assert.equal(lastingAbort(parent.signal).signal.reason.message, 'stop');
  assert.equal(lastingAbort().signal.aborted, false);
});

test('any number of listeners on it is no leak', async () => {
  const warnings: string[] = [];
  const onWarning = ({ message }: Error) => warnings.push(message);
  process.on('warning', onWarning);
  const { signal } = lastingAbort();
  for (let n = 0; n < 100; n++) signal.addEventListener('abort', () => {});
  await setImmediate(); // Warnings are told in a later turn.
  process.off('warning', onWarning);
  assert.equal(getEventListeners(signal, 'abort').length, 100);
  assert.deepEqual(warnings, []);
});
