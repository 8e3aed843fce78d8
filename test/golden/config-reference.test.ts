/** docs/config.md and the JSON Schema beside it are made from the schema. Both are rewritten by `make golden`. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { load } from 'js-yaml';
import { z } from 'zod';
import type { Path } from '../../src/config/outline.js';
import { configReference } from '../../src/config/reference.js';
import { fieldAt } from '../../src/config/suggestion.js';
import type { KeyReference } from '../../src/model/config-reference.js';
import { repositoryRoot } from '../lab/repository.js';

const PAGE = join(repositoryRoot(), 'docs/config.md');
const SCHEMA = join(repositoryRoot(), 'docs/config.schema.json');
const [BEGIN, END] = [
  '<!-- What follows is written by `make golden` out of src/config/schema.ts. -->\n',
  '<!-- end of what is written -->\n',
];

const { keys, jsonSchema } = configReference();

test('the page has every key', () => {
  const text = readFileSync(PAGE, 'utf8');
  const [before = '', rest = ''] = text.split(BEGIN);
  const [tables, after = ''] = rest.split(END);
  if (process.env.GOLDEN === 'write') writeFileSync(PAGE, `${before}${BEGIN}${page()}${END}${after}`);
  else assert.equal(tables, page());
});

test('the schema that is shipped is the one in force', () => {
  const text = `${JSON.stringify(jsonSchema, undefined, 2)}\n`;
  if (process.env.GOLDEN === 'write') writeFileSync(SCHEMA, text);
  else assert.equal(readFileSync(SCHEMA, 'utf8'), text);
});

for (const key of keys) {
  test(`${key.path} is described, and has an example that is valid`, () => {
    assert.match(key.description, /^[^ ].*\.$/s);
    if (key.type === 'section') return;
    assert.ok(key.example !== undefined, 'no example');
    const field = fieldAt(pathOf(key.path));
    assert.ok(field, 'no such field');
    const { error } = z.safeParse(field, load(key.example));
    assert.equal(error, undefined, error && z.prettifyError(error));
  });
}

/** `store.static.peers[].subnet` → the path of the first peer's subnet. */
function pathOf(path: string): Path {
  return path.split('.').flatMap((step) => (step.endsWith('[]') ? [step.slice(0, -2), 0] : [step]));
}

function page(): string {
  const sections = keys.filter(({ path }) => !path.includes('.'));
  return sections.map(chapter).join('');
}

function chapter(top: KeyReference): string {
  const rows = keys.filter(({ path, type }) => type !== 'section' && isIn(top, path)).map(row);
  return [
    `\n## ${top.path}\n\n${top.description}${top.isLive ? '' : ' A change takes effect when the daemon is started again.'}\n`,
    '\n| key | value | default | example | meaning |\n|---|---|---|---|---|\n',
    ...rows,
  ].join('');
}

function isIn({ path: top }: KeyReference, path: string): boolean {
  return path === top || path.startsWith(`${top}.`);
}

function row({ path, type, default: value, example = '', description }: KeyReference): string {
  const cells = [
    `\`${path}\``,
    type,
    value === undefined ? '' : `\`${value}\``,
    `\`${example}\``,
    description,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
}
