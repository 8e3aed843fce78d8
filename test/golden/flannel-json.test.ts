/** flannel-json/NAME.entries.txt (a key and its value, line by line) is read as NAME.view.json says. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { StoreEntry } from '../../src/model/store-view.js';
import { leaseEntryKey, leaseJson, storeView } from '../../src/wire/flannel-store.js';
import { repositoryRoot } from '../lab/repository.js';

const directory = `${repositoryRoot()}/test/golden/flannel-json`;
const names = readdirSync(directory)
  .filter((name) => name.endsWith('.entries.txt'))
  .map((name) => name.replace('.entries.txt', ''));

for (const name of names) {
  test(`reads ${name}`, () => {
    const view = storeView(entriesOf(name));
    const json = `${JSON.stringify(view, (_, value) => (typeof value === 'bigint' ? Number(value) : value), 2)}\n`;
    const path = `${directory}/${name}.view.json`;
    if (process.env.GOLDEN === 'write') writeFileSync(path, json);
    assert.ok(existsSync(path), `no ${path}: make golden writes it`);
    assert.equal(json, readFileSync(path, 'utf8'));
  });
}

test('writes back what flannel v0.20.2 wrote, byte for byte', () => {
  for (const name of names.filter((name) => name.startsWith('flannel-v0.20.2'))) {
    const entries = entriesOf(name);
    const { leases } = storeView(entries);
    assert.deepEqual(
      leases.map(({ subnets, attributes }) => [leaseEntryKey(subnets), leaseJson(attributes)]),
      entries.filter(({ key }) => key !== 'config').map(({ key, value }) => [key, value]),
    );
  }
});

function entriesOf(name: string): StoreEntry[] {
  const lines = readFileSync(`${directory}/${name}.entries.txt`, 'utf8').trimEnd().split('\n');
  const entries: StoreEntry[] = [];
  for (let at = 0; at < lines.length; at += 2) {
    const revision = BigInt(entries.length + 2);
    const [key = '', value = ''] = lines.slice(at);
    entries.push({ key, value, createRevision: revision, modRevision: revision, lease: '0' });
  }
  return entries;
}
