import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import test from 'node:test';
import { promisify } from 'node:util';
import { silentLog } from '../../../src/sys/log.js';
import { withScript } from './script.js';

test('the log is JSON lines on standard error, and the last one before an exit is not lost', async () => {
  const lines = `
const log = sys.systemLog('json');
log.debug({}, 'not said');
log.info({ subnet: '4.0.100.0/24' }, 'ready');
log.warn({ failures: 2n.toString() }, 'round failed');
for (let n = 0; n < 1000; n++) log.info({ n }, 'changed');
log.error({ error: 'broken' }, 'configuration kept');
process.exit(3);
`;
  await withScript('log', lines, async (script) => {
    assert.equal(await script.ended(), 3);
    assert.equal(script.stdout, '');
    const said = script.stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.equal(said.length, 1_003);
    const { time, ...first } = said[0];
    assert.deepEqual(first, { level: 30, subnet: '4.0.100.0/24', msg: 'ready' });
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual([said[1].level, said[1].msg], [40, 'round failed']);
    assert.deepEqual([said.at(-1).level, said.at(-1).error], [50, 'broken']);
  });
});

test('for people it is a line for each, which steers no terminal', async () => {
  const lines = `
const log = sys.systemLog('human');
log.debug({}, 'not said');
log.info({ subnet: '4.0.100.0/24', reason: 'own lease' }, 'ready');
sys.systemLog('human', 'debug').debug({ n: 1 }, 'round');
log.error({ error: 'a\\u001b[2J\\nb' }, 'configuration kept');
process.exit(3);
`;
  await withScript('log', lines, async (script) => {
    assert.equal(await script.ended(), 3);
    const said = script.stderr.replaceAll(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/gm, 'TIME');
    assert.equal(
      said,
      `TIME  info   ready  subnet=4.0.100.0/24  reason="own lease"
TIME  debug  round  n=1
TIME  error  configuration kept  error="a\\u001b[2J\\nb"
`,
    );
  });
});

test('by itself it is for people on a terminal alone', async () => {
  await withScript('log', "sys.systemLog('auto').info({}, 'said');", async (script) => {
    assert.equal(await script.ended(), 0);
    assert.equal(JSON.parse(script.stderr).msg, 'said');
  });
  const module = new URL('../../../src/sys/log.js', import.meta.url);
  const program = `import { systemLog } from "${module}"; systemLog("auto").info({}, "said");`;
  // script(1) runs it on a terminal of its own.
  const command = `${process.execPath} --input-type=module --eval '${program}'`;
  const { stdout } = await promisify(execFile)('script', ['-qefc', command, '/dev/null']);
  assert.match(stdout, /^\S+Z {2}info {3}said\r\n$/);
});

test('the log of one-shot commands says nothing', async () => {
  const lines = `for (const say of Object.values(sys.silentLog)) say({ a: 1 }, 'said');`;
  await withScript('log', lines, async (script) => {
    assert.equal(await script.ended(), 0);
    assert.equal(script.stdout + script.stderr, '');
  });
  assert.deepEqual(Object.keys(silentLog), ['debug', 'info', 'warn', 'error']);
});
