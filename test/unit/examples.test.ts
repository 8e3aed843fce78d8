/** The examples cannot rot: what they write onto a host is valid, and every command line in them exists. See config-examples.test.ts too. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { load } from 'js-yaml';
import { runCommandLine } from '../../src/cli/program.js';
import type { CommandContext } from '../../src/cli/session.js';
import { readConfig } from '../../src/config/read-config.js';
import type { Config } from '../../src/model/config.js';
import { repositoryRoot } from '../lab/repository.js';

const EXAMPLES = join(repositoryRoot(), 'examples');
const PATHS = readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' }).sort();

interface UserData {
  readonly write_files: readonly { readonly path: string; readonly content: string }[];
  readonly runcmd: readonly (readonly string[])[];
}
type Play = {
  readonly tasks: readonly Record<
    string,
    { readonly src?: string; readonly dest: string; readonly content?: string }
  >[];
}[];

test('every YAML file of the examples can be read', () => {
  const paths = PATHS.filter((path) => /\.ya?ml$/.test(path));
  assert.ok(paths.length >= 6, paths.join(', '));
  for (const path of paths) assert.doesNotThrow(() => load(text(path)), path);
});

for (const page of ['README.md', 'docs/docker.md']) {
  test(`the configurations in ${page} are valid`, () => {
    const written = readFileSync(join(repositoryRoot(), page), 'utf8');
    const blocks = [...written.matchAll(/```yaml\n([\s\S]*?)```/g)];
    assert.ok(blocks.length > 0);
    for (const [, block = ''] of blocks) valid(page, block);
  });
}

test('the fleet in Git shares one network, published by one host', () => {
  const configs = PATHS.filter((path) => path.startsWith('gitops/hosts/') && path.endsWith('.yaml')).map(
    (path) => valid(path, text(path)),
  );
  assert.equal(configs.length, 3);
  const publishers = configs.filter(({ network }) => network.declared !== undefined);
  assert.deepEqual(
    publishers.map(({ network }) => network.publish),
    ['always'],
  );
  assert.equal(new Set(configs.map(({ store }) => JSON.stringify(store))).size, 1);
});

test('what cloud-init and Ansible do with units is what is shipped', () => {
  const { write_files: files, runcmd } = load(text('provisioning/cloud-init/user-data.yaml')) as UserData;
  assert.deepEqual(
    files.map(({ path }) => path),
    ['/etc/flannelette/flannelette.yaml'],
  );
  valid('user-data.yaml', files[0]?.content ?? '');
  const plays = load(text('provisioning/ansible/playbook.yaml')) as Play;
  const copies = plays.flatMap(({ tasks }) => tasks.flatMap((task) => task['ansible.builtin.copy'] ?? []));
  valid('playbook.yaml', copies.find(({ dest }) => dest === '{{ flannelette_file }}')?.content ?? '');

  const [cloudInit, ansible] = [runcmd.flat(), copies.flatMap(({ src, dest }) => [src, dest])];
  const dropIn = 'docker.service.d/flannelette.conf';
  for (const used of [cloudInit, ansible]) {
    assert.ok(used.includes(`/usr/lib/flannelette/${dropIn}`), used.join(' '));
    assert.ok(used.includes(`/etc/systemd/system/${dropIn}`), used.join(' '));
  }
  for (const unit of ['flannelette.service', dropIn]) {
    assert.ok(existsSync(join(repositoryRoot(), 'packaging/systemd', unit)), unit);
  }
});

test('every command line of the examples and manuals is one that exists', async () => {
  const used = new Map<string, Set<string>>();
  const manual = ['../packaging/systemd/flannelette.service', '../docs/install.md'];
  for (const path of [...PATHS.filter((name) => /\.(ya?ml|md|conf)$/.test(name)), ...manual]) {
    for (const [, verb = '', rest = ''] of text(path).matchAll(
      /\bflannelette[ ,]+([a-z-]+)([ ,]+[-h][^\n`]*)/g,
    )) {
      const options = used.get(verb) ?? new Set();
      for (const [option] of rest.matchAll(/(?<![\w-])--?[a-z][a-z-]*/g)) options.add(option);
      used.set(verb, options);
    }
  }
  assert.deepEqual([...used.keys()].sort(), [
    'apply',
    'destroy',
    'diff',
    'run',
    'settle-trial',
    'status',
    'validate',
  ]);
  for (const [verb, options] of used) {
    const help = await helpOf(verb);
    for (const option of options)
      assert.ok(help.includes(option), `flannelette ${verb} has no ${option}:\n${help}`);
  }
});

/** Rejects when there is no such verb. */
async function helpOf(verb: string): Promise<string> {
  let printed = '';
  const print = (printedNow: string): void => {
    printed += printedNow;
  };
  const context = { version: '0', out: print, err: print } as Partial<CommandContext> as CommandContext;
  assert.equal(await runCommandLine(context, [verb, '--help']), 0, printed);
  return printed;
}

function text(path: string): string {
  return readFileSync(join(EXAMPLES, path), 'utf8');
}

function valid(path: string, content: string): Config {
  const result = readConfig(content, path);
  if ('config' in result) return result.config;
  throw new Error(result.errors.map(({ file, line, message }) => `${file}:${line}: ${message}`).join('\n'));
}
