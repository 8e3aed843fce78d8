/** The npm package: made, installed without the network, and run. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { outputOf } from '../lab/process.js';
import { repositoryRoot } from '../lab/repository.js';

const TEST_MS = 180_000;
const NPM_MS = 120_000;

test('the npm package runs after npm install -g, from what is in the cache', {
  timeout: TEST_MS,
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flannelette-pack-'));
  const environment = {
    PATH: `${dirname(process.execPath)}:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: process.env.HOME ?? '/root',
  };
  // With the user's own environment: it says how the registry is reached.
  const npm = (...args: readonly string[]) =>
    outputOf(['npm', '--loglevel', 'error', ...args], {
      environment: process.env as Record<string, string>,
      timeoutMs: NPM_MS,
    });
  try {
    await npm('pack', repositoryRoot(), '--pack-destination', directory);
    const archive = (await readdir(directory)).find((name) => name.endsWith('.tgz')) ?? '';
    const listing = (await outputOf(['tar', '--list', '--file', join(directory, archive)])).split('\n');
    for (const path of [
      'bin/flannelette',
      'dist/program/bin/main.js',
      'docs/install.md',
      'examples/flannelette.yaml',
      'packaging/systemd/flannelette.service',
      'LICENSE',
    ]) {
      assert.ok(listing.includes(`package/${path}`), `${path} in\n${listing.join('\n')}`);
    }
    assert.deepEqual(
      listing.filter((path) => /^package\/(src|test|dist\/test)\/|\.(ts|map)$/.test(path)),
      [],
    );

    const install = (prefix: string, ...options: readonly string[]) =>
      npm(
        'install',
        '--global',
        '--ignore-scripts',
        ...options,
        '--prefix',
        prefix,
        join(directory, archive),
      );
    // What the cache holds before is chance.
    await install(join(directory, 'fills-the-cache'), '--prefer-offline');
    const prefix = join(directory, 'prefix');
    await install(prefix, '--offline');
    const program = join(prefix, 'bin/flannelette');
    assert.match(await outputOf([program, 'version'], { environment }), /^\d+\.\d+\.\d+\n$/);
    const example = join(prefix, 'lib/node_modules/flannelette/examples/flannelette.yaml');
    assert.equal(await outputOf([program, 'validate', example], { environment }), `${example}: valid\n`);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
