/** Where a capture is written to: what was there has no say in who may read it. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { openOutput } from '../../../src/sys/byte-output.js';
import { withScript } from './script.js';

test('a file is new, for its owner alone, and a link is not followed', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flannelette-'));
  try {
    const [others, open, link] = ['others', 'open', 'link'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    await writeFile(others, 'kept');
    await writeFile(open, 'old');
    await chmod(open, 0o666);
    await symlink(others, link);
    for (const path of [open, link, join(directory, 'new')]) {
      const output = await openOutput(path);
      await output.write([Uint8Array.of(0x61), Uint8Array.of(0x62)]);
      await output.close();
      assert.equal(await readFile(path, 'utf8'), 'ab');
      assert.equal((await stat(path)).mode & 0o7777, 0o600);
    }
    assert.equal(await readFile(others, 'utf8'), 'kept');
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('what is no file stays what it is', async () => {
  const output = await openOutput('/dev/null');
  await output.write([Uint8Array.of(0)]);
  await output.close();
  assert.ok((await stat('/dev/null')).isCharacterDevice());
});

test('a reader that is gone is told to who writes, and ends no process', async () => {
  const lines = `
const output = await sys.openOutput('-');
process.on('SIGHUP', async () => {
  const error = await output.write([Uint8Array.of(1)]).catch((error) => error);
  process.stderr.write(error.code);
  process.exit(7);
});
setInterval(() => {}, 60_000);
await output.write([new TextEncoder().encode('waiting')]);
`;
  await withScript('byte-output', lines, async (script) => {
    await script.saying('waiting');
    script.stopReading();
    script.signal('SIGHUP');
    assert.deepEqual([await script.ended(), script.stderr], [7, 'EPIPE']);
  });
});

test('a place that cannot be written to is an error that names it', async () => {
  await assert.rejects(openOutput('/no/such/directory/file'), {
    code: 'ENOENT',
    message: /^Cannot write \/no\/such\/directory\/file: /,
  });
});
