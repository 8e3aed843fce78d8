import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from 'js-yaml';
import { FORMATS, formatted } from '../../../src/cli/output.js';
import { table } from '../../../src/cli/table.js';
import { CommandWorld } from './command-world.js';

const DOCUMENT = {
  kind: 'Plan',
  actions: [{ key: 'link:flannel0', after: { mtu: 1472, alias: undefined } }],
  empty: [],
};

test('a table is the text that is made for people, which is asked for then only', () => {
  assert.equal(
    formatted('table', DOCUMENT, () => 'text\n'),
    'text\n',
  );
  for (const format of ['json', 'yaml'] as const) {
    formatted(format, DOCUMENT, () => assert.fail('nobody reads it'));
  }
});

test('JSON is indented and ends with a line feed', () => {
  assert.equal(
    formatted('json', DOCUMENT, () => ''),
    `{
  "kind": "Plan",
  "actions": [
    {
      "key": "link:flannel0",
      "after": {
        "mtu": 1472
      }
    }
  ],
  "empty": []
}
`,
  );
});

test('YAML says the same', () => {
  const yaml = formatted('yaml', DOCUMENT, () => '');
  assert.deepEqual(load(yaml), JSON.parse(JSON.stringify(DOCUMENT)));
  assert.match(yaml, /^kind: Plan\nactions:\n/);
});

for (const [verb, kind] of [
  ['diff', 'Plan'],
  ['apply', 'ApplyResult'],
] as const) {
  test(`${verb} gives JSON and YAML that a program can read from standard output`, async () => {
    const results = new Map<string, string>();
    for (const format of FORMATS) {
      const { stdout } = await new CommandWorld().run(verb, '-o', format);
      results.set(format, stdout);
    }
    const json = JSON.parse(results.get('json') ?? '');
    assert.deepEqual([json.apiVersion, json.kind], ['flannelette/v1', kind]);
    assert.ok(json.actions.some(({ key }: { key: string }) => key === 'link:flannel0'));
    assert.deepEqual(load(results.get('yaml') ?? ''), json);
    assert.throws(() => JSON.parse(results.get('table') ?? ''));
  });
}

test('what apply says about the outcome is not mixed into its result', async () => {
  const { stdout, stderr } = await new CommandWorld().run('apply', '-o', 'json');
  const { outcome, message, actions } = JSON.parse(stdout);
  assert.equal(outcome, 'converged');
  assert.equal(stderr, `${message}\n`);
  assert.ok(actions.every((action: { outcome: string }) => action.outcome === 'done'));
});

test('what others have written cannot steer the terminal, nor break a table', () => {
  const [, , row] = table(['KEY', 'REASON'], [['a', 'it\n broke \u001b[2J\u009b']]);
  assert.equal(row, 'a    it broke \\u001b[2J\\u009b');
  const hostile = { kind: 'one\n\ttwo é\u001b[2J\u202e\n', drops: { 'a\u001b': 1 } };
  assert.equal(
    formatted('table', hostile, ({ kind, drops }) => `${kind}${Object.keys(drops)}`),
    'one\n\ttwo é\\u001b[2J\\u202e\na\\u001b',
  );
});
