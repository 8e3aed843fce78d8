import assert from 'node:assert/strict';
import test from 'node:test';
import { EXIT } from '../../../src/cli/exit-codes.js';
import { CommandWorld } from './command-world.js';

test('explain tells what a key means, what may stand there and when a change takes effect', async () => {
  const { stdout, exitCode } = await new CommandWorld().run('explain', 'network.publish');
  assert.equal(exitCode, EXIT.done);
  assert.equal(
    stdout,
    `network.publish
  When this network is written to the store: create, when there is none; always, also when this file changed since it was last written.

  value     create or always
  default   create
  example   always
  a change  takes effect at once
`,
  );
});

test('explain of a section lists its keys, and of nothing the sections', async () => {
  const { stdout: section } = await new CommandWorld().run('explain', 'store.static.peers');
  assert.match(section, /^store\.static\.peers\[\]\.subnet {6}That host's subnet$/m);
  const { stdout: all } = await new CommandWorld().run('explain');
  assert.match(all, /^network +The container network$/m);
  assert.doesNotMatch(all, /\./);
});

test('explain says what needs a restart', async () => {
  const { stdout } = await new CommandWorld().run('explain', 'instance.name');
  assert.match(stdout, /a change {2}takes effect after a restart of the daemon/);
});

test('explain of an unknown key names the one that was meant', async () => {
  assert.deepEqual(await new CommandWorld().run('explain', 'network.mtuu'), {
    exitCode: EXIT.usage,
    stdout: '',
    stderr: 'Cannot explain "network.mtuu": the file has no such key; did you mean network.mtu?\n',
  });
  const { stderr } = await new CommandWorld().run('explain', 'nonsense');
  assert.match(stderr, /`flannelette explain` lists the sections/);
});

test('schema prints JSON Schema that knows every key of the file', async () => {
  const { stdout, exitCode } = await new CommandWorld().run('schema');
  assert.equal(exitCode, EXIT.done);
  const schema = JSON.parse(stdout);
  assert.equal(schema.$schema, 'https://json-schema.org/draft/2020-12/schema');
  assert.equal(schema.properties.network.properties.ipMasq.default, false);
  assert.deepEqual(schema.properties.store.properties.etcd.properties.endpoints.default, [
    'http://127.0.0.1:2379',
  ]);
});
