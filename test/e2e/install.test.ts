/** `make install` and `make uninstall`, as an operator or a packager uses them. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import test from 'node:test';
import { outputOf, runProcess } from '../lab/process.js';
import { repositoryRoot } from '../lab/repository.js';

const TEST_MS = 120_000;
const PREFIX = '/opt/network';

/** As if the build was up to date: the tests run from it. */
function make(target: string, destination: string): Promise<string> {
  const variables = [`DESTDIR=${destination}`, `PREFIX=${PREFIX}`];
  const argv = ['make', '--directory', repositoryRoot(), '--assume-old=dist/.built', target, ...variables];
  return outputOf(argv, { timeoutMs: 60_000 });
}

async function filesIn(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => relative(directory, join(parentPath, name)))
    .sort();
}

test('make install', { timeout: TEST_MS }, async (t) => {
  const destination = await mkdtemp(join(tmpdir(), 'flannelette-install-'));
  const root = join(destination, PREFIX);
  try {
    await make('install', destination);

    await t.test('puts a program there that runs from where it lies', async () => {
      assert.equal(await readlink(join(root, 'bin/flannelette')), '../lib/flannelette/bin/flannelette');
      const environment = { PATH: `${process.execPath.replace(/\/[^/]*$/, '')}:/usr/bin:/bin` };
      const program = join(root, 'bin/flannelette');
      assert.match(await outputOf([program, 'version'], { environment }), /^\d+\.\d+\.\d+\n$/);
      const example = join(root, 'share/doc/flannelette/examples/flannelette.yaml');
      assert.equal(await outputOf([program, 'validate', example], { environment }), `${example}: valid\n`);
      const { code, stderr } = await runProcess([program, 'status', '-f', example], { environment });
      assert.equal(code, 1, stderr);
      assert.match(stderr, /^No daemon answers/);
    });

    await t.test('completes its verbs in a shell, and has a manual page', async () => {
      const script = await readFile(join(root, 'share/bash-completion/completions/flannelette'), 'utf8');
      assert.match(script, /^complete -F _flannelette flannelette$/m);
      const page = await outputOf(['zcat', join(root, 'share/man/man8/flannelette.8.gz')]);
      assert.match(page, /^\.TH FLANNELETTE 8 /);
    });

    await t.test('adapts the units to where it is', async () => {
      const unit = await readFile(join(root, 'lib/systemd/system/flannelette.service'), 'utf8');
      assert.match(unit, /^ExecStart=\/opt\/network\/bin\/flannelette run /m);
      assert.match(unit, /^Documentation=file:\/opt\/network\/share\/doc\/flannelette\/docs\/install\.md$/m);
      assert.doesNotMatch(unit, /[=:]\/usr\/(bin|share)/);
    });

    await t.test(
      'installs no file outside, none for development, and none that only its owner can read',
      async () => {
        const files = await filesIn(destination);
        assert.deepEqual(
          files.filter((path) => !path.startsWith(PREFIX.slice(1))),
          [],
        );
        assert.deepEqual(
          files.filter((path) => /\.ts$|\.map$|node_modules\/(typescript|fast-check)\//.test(path)),
          [],
        );
        const closed = await outputOf(['find', destination, '-mindepth', '1', '!', '-perm', '-o=r']);
        assert.equal(closed, '');
      },
    );

    await t.test('a second time leaves nothing of the first', async () => {
      const before = await filesIn(destination);
      await outputOf(['touch', join(root, 'lib/flannelette/dist/program/of-an-older-version.js')]);
      await make('install', destination);
      assert.deepEqual(await filesIn(destination), before);
    });

    await t.test('make uninstall leaves no file', async () => {
      await outputOf(['touch', join(root, 'bin/of-somebody-else')]);
      await make('uninstall', destination);
      assert.deepEqual(await filesIn(destination), [join(PREFIX, 'bin/of-somebody-else').slice(1)]);
      await make('uninstall', destination);
    });
  } finally {
    await rm(destination, { recursive: true, force: true });
  }
});
