/** Whatever the file holds, reading it ends soon, in a Config or in placed errors, and shows no secret. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { dump } from 'js-yaml';
import { configErrorsText } from '../../src/cli/config-errors.js';
import { readConfig } from '../../src/config/read-config.js';
import { configSchema } from '../../src/config/schema.js';
import { LONGEST_FILE } from '../../src/config/yaml.js';
import { repositoryRoot } from '../lab/repository.js';

const GOLDEN = join(repositoryRoot(), 'test/golden/config');
const SEEDS = readdirSync(GOLDEN)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => readFileSync(join(GOLDEN, name), 'utf8'))
  .concat(readFileSync(join(repositoryRoot(), 'examples/flannelette.yaml'), 'utf8'));

test('arbitrary text ends in placed errors', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), isHarmless), { numRuns: 2000 });
  const pieces = fc.constantFrom(
    ...'{}[]:,-?&*!|>\'"#%@`\n\t ~<\\',
    '  ',
    ': ',
    '- ',
    '&a ',
    '*a',
    '!!map ',
    'network',
    'a',
  );
  fc.assert(
    fc.property(
      fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join('')),
      isHarmless,
    ),
    { numRuns: 3000 },
  );
});

test('arbitrary values under known keys end in placed errors', () => {
  const keys = fc.oneof(
    fc.constantFrom(
      ...Object.keys(configSchema.shape),
      'cidr',
      'etcd',
      'static',
      'peers',
      'interface',
      'tls',
      'subnet',
    ),
    fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', ''),
    fc.string({ maxLength: 10 }),
  );
  const { node } = fc.letrec<{ node: unknown }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom(null, true, 0, -1, 1.5, '4.0.0.0/16', '10.8.65.66', 'auto', 'http://a:1'),
      fc.double(),
      fc.string({ maxLength: 10 }),
      fc.array(tie('node'), { maxLength: 4 }),
      fc.array(fc.tuple(keys, tie('node')), { maxLength: 5 }).map((entries) => Object.fromEntries(entries)),
    ),
  }));
  fc.assert(
    fc.property(node, (value) => isHarmless(dump(value))),
    { numRuns: 2000 },
  );
});

test('a file that somebody is typing in ends in placed errors', () => {
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    remove: fc.nat({ max: 20 }),
    insert: fc.oneof(
      fc.string({ unit: 'binary', maxLength: 3 }),
      fc.constantFrom('\n', '  ', '\t', ': ', '- ', '*a', '&a '),
    ),
  });
  const mutated = fc
    .tuple(fc.constantFrom(...SEEDS), fc.array(edit, { minLength: 1, maxLength: 6 }))
    .map(([seed, edits]) =>
      edits.reduce((text, { at, remove, insert }) => {
        const start = Math.floor(at * text.length);
        return text.slice(0, start) + insert + text.slice(start + remove);
      }, seed),
    );
  fc.assert(fc.property(mutated, isHarmless), { numRuns: 3000 });
});

test('every beginning of a file ends in placed errors', () => {
  const text = SEEDS.at(-1) ?? '';
  for (let length = 0; length < text.length; length++) isHarmless(text.slice(0, length));
});

test('a password shows up nowhere, whatever stands around it', () => {
  const secret = 'hunter2';
  for (const text of [
    `store: { etcd: { username: root, password: ${secret} } }`,
    `store:\n  etcd:\n    password: ${secret}\n    passwordFile: ${secret}\n    tls: { keyFile: ${secret} }`,
    `store:\n  etcd:\n    password: *${secret}`,
    `store:\n  etcd:\n    password: !${secret} x`,
    `store:\n  etcd:\n    password: "${secret}\n`,
    `store:\n  etcd:\n    password: ${secret}: x`,
    `store:\n  etcd:\n    password:\n      ${secret}: : x`,
    `store:\n  etcd:\n    passwordFile: |\n      line\n      ${secret}\n    endpoints: 7`,
    `store:\n  etcd:\n    passwordFile: [${secret}]`,
    `store:\n  etcd:\n    endpoints: ["http://root:${secret}@a:2379"]`,
    `store:\n  etcd:\n    endpoints: http://root:${secret}@a:2379`,
    `store:\n  etcd:\n    token: ${secret}`,
    `password: ${secret}`,
    `PASSWORD: ${secret}\nPASSWORD: ${secret}`,
    `clientSecret: ${secret}`,
  ]) {
    const result = readConfig(text, 'f');
    assert.ok('errors' in result, text);
    assert.doesNotMatch(JSON.stringify(result), new RegExp(secret), text);
    assert.doesNotMatch(
      configErrorsText(result.errors, () => text),
      new RegExp(secret),
      text,
    );
  }
});

test('a file made to be slow is read or refused within 100 ms', () => {
  const fill = (before: string, piece: string, after = '') =>
    before + piece.repeat(Math.floor((LONGEST_FILE - before.length - after.length) / piece.length)) + after;
  const nested = Array.from(
    { length: 14 },
    (_, depth) => `${' '.repeat(depth)}&a${depth}\n${' '.repeat(depth)}!!map\n`,
  );
  for (const [name, text] of Object.entries({
    'ten megabytes': 'x'.repeat(10 * 1024 * 1024),
    'an alias bomb': aliasBomb(12),
    'many entries': fill('', '- a\n'),
    'many flow entries': fill('[', 'a,', ']'),
    'many flow pairs': fill('[', '? a : b, ', ']'),
    'many keys': Array.from({ length: 6000 }, (_, index) => `k${index}: 1\n`)
      .join('')
      .slice(0, LONGEST_FILE),
    'many documents': fill('', '---\n'),
    'deep lists': fill('', '['),
    'deep sections': fill('', '{a: '),
    'nested properties': fill(nested.join(''), '              b\n'),
    'one long key': fill('', 'k', ': 1'),
    'one long line': fill('a: "', '\\n', '"'),
    'an open quote': fill('a: "', '\n \n'),
    'many wrong peers': fill('store:\n static:\n  peers:\n', '   - 1\n'),
    'many equal peers': fill(
      'network: {cidr: 4.0.0.0/16}\nhost: {subnet: 4.0.1.0/24}\nstore:\n static:\n  peers:\n',
      '   - {subnet: 4.0.32.0/24, publicIP: 10.8.65.53}\n',
    ),
  })) {
    const took = Math.min(...Array.from({ length: 5 }, () => millisecondsOf(() => isHarmless(text))));
    assert.ok(took < 100, `${name}: ${took.toFixed(0)} ms`);
  }
});

/** Each level holds the one before nine times. */
function aliasBomb(levels: number): string {
  const lines = Array.from({ length: levels }, (_, level) => {
    const inner = level === 0 ? 'x' : `*a${level - 1}`;
    return `a${level}: &a${level} [${Array(9).fill(inner).join(', ')}]\n`;
  });
  return `${lines.join('')}store: { static: { peers: *a${levels - 1} } }\n`;
}

/** Processor time: other programs on the machine do not count. */
function millisecondsOf(body: () => void): number {
  const before = process.cpuUsage();
  body();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Throws when the reading does, or when an error is not one that a person can follow. */
function isHarmless(text: string): void {
  const result = readConfig(text, 'f.yaml');
  if ('config' in result) return;
  assert.ok(result.errors.length > 0);
  const lines = text.split(/\r\n|\r|\n/);
  for (const { line, column, message } of result.errors) {
    const within = lines[line - 1];
    assert.ok(within !== undefined, `line ${line} of ${lines.length}`);
    assert.ok(column >= 1 && column <= within.length + 1, `column ${column} of ${within.length}`);
    assert.match(message, /^[^\n]+$/);
  }
  const shown = configErrorsText(result.errors, () => text);
  assert.doesNotMatch(shown, /\n\s+at |undefined|\[object|NaN:/);
}
