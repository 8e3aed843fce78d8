/** Every configuration among the examples is valid and says what its comments say. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { load } from 'js-yaml';
import { configErrorsText } from '../../src/cli/config-errors.js';
import { readConfig } from '../../src/config/read-config.js';
import { configSchema } from '../../src/config/schema.js';
import type { Config } from '../../src/model/config.js';
import { repositoryRoot } from '../lab/repository.js';

const EXAMPLES = join(repositoryRoot(), 'examples');
const SECTIONS = Object.keys(configSchema.shape) as readonly string[];
/** Playbooks and user data are YAML too; a configuration has one of our sections on top. */
const CONFIGS = readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' })
  .filter(
    (path) =>
      path.endsWith('.yaml') && Object.keys(content(path) ?? {}).some((key) => SECTIONS.includes(key)),
  )
  .sort();

test('finds the examples', () => {
  for (const path of ['flannelette.yaml', 'static/a.yaml', 'static/b.yaml']) {
    assert.ok(CONFIGS.includes(path), `${path} among ${CONFIGS}`);
  }
});

for (const path of CONFIGS) {
  test(`${path} is valid`, () => {
    valid(text(path), path);
  });
}

test('the commented lines of flannelette.yaml are the defaults, and valid together', () => {
  const written = text('flannelette.yaml');
  const uncommented = written.replace(/^( *)# ( *[a-z]\w*:.*)$/gm, '$1$2');
  const defaults = uncommented.replace(/^ +(publicIP|subnet|username|passwordFile|tls|\w+File):.*\n/gm, '');
  assert.deepEqual(valid(defaults, 'defaults'), valid(written, 'flannelette.yaml'));
  const everything = valid(uncommented.replace('http://', 'https://'), 'everything');
  assert.equal(everything.host.subnets.ipv4, '4.0.100.0/24');
  assert.ok(everything.store.type === 'etcd' && everything.store.tls?.keyFile !== undefined);
});

test('the hosts without a server agree', () => {
  const [a, b] = ['static/a.yaml', 'static/b.yaml'].map((path) => valid(text(path), path)) as [
    Config,
    Config,
  ];
  assert.deepEqual(a.network, b.network);
  assert.deepEqual(a.store, b.store);
  for (const { host, store } of [a, b]) {
    assert.ok(store.type === 'static');
    const own = store.peers.find(({ subnets }) => subnets.ipv4 === host.subnets.ipv4);
    assert.deepEqual(own?.publicIps, host.publicIps);
  }
});

function text(path: string): string {
  return readFileSync(join(EXAMPLES, path), 'utf8');
}

function content(path: string): object | null {
  const value: unknown = load(text(path));
  return typeof value === 'object' && !Array.isArray(value) ? value : null;
}

function valid(yaml: string, name: string): Config {
  const result = readConfig(yaml, name);
  if ('config' in result) return result.config;
  throw new Error(configErrorsText(result.errors, () => yaml));
}
