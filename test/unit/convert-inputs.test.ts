/** How what was given to flanneld is read: command lines as Go reads them, files as systemd does, and places in JSON. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { readEnvironmentFile, wordsOf } from '../../src/convert/environment-file.js';
import { FLAGS, flagNamed, flagOfVariable, variableOf } from '../../src/convert/flanneld-flags.js';
import { givenOptions } from '../../src/convert/given-options.js';
import { jsonPlaces } from '../../src/convert/json-places.js';

for (const { name, text, want } of [
  { name: 'a plain value', text: 'A=b c', want: { A: 'b c' } },
  { name: 'blanks around a value', text: '  A=  b c \t\n', want: { A: 'b c' } },
  { name: 'a blank that is escaped', text: 'A=b\\ \n', want: { A: 'b ' } },
  { name: 'a blank behind a backslash that is escaped', text: 'A=b\\\\ \n', want: { A: 'b\\' } },
  { name: 'a piece without quotes behind one with them', text: `A="b" c"d"`, want: { A: 'bc"d"' } },
  { name: 'blanks before the equals sign', text: 'A =b', want: { A: 'b' } },
  { name: 'blanks between quotes', text: 'A=" b "', want: { A: ' b ' } },
  { name: 'nothing', text: 'A=\nB=""', want: { A: '', B: '' } },
  { name: 'comments', text: '# A=1\n; A=2\n  # A=3\nA=4 # no comment', want: { A: '4 # no comment' } },
  { name: 'an equals sign in a value', text: 'A=-x=y', want: { A: '-x=y' } },
  { name: 'a quote in the middle of a value', text: 'A=b"c"', want: { A: 'b"c"' } },
  { name: 'pieces with quotes, one after the other', text: `A="b"'c'd`, want: { A: 'bcd' } },
  { name: 'a backslash between single quotes', text: "A='b\\$'", want: { A: 'b\\$' } },
  { name: 'backslashes between double quotes', text: 'A="\\$\\"\\`\\\\\\n"', want: { A: '$"`\\\\n' } },
  { name: 'backslashes without quotes', text: 'A=\\b\\$', want: { A: 'b$' } },
  { name: 'a line that goes on', text: 'A=b\\\nc\nB="d\\\ne"', want: { A: 'bc', B: 'de' } },
  { name: 'a value that begins on the next line', text: 'A=\\\nb', want: { A: 'b' } },
  { name: 'a line end between quotes', text: "A='b\nc'", want: { A: 'b\nc' } },
  { name: 'line ends of Windows', text: 'A=b\r\n\r\nC=d\r\n', want: { A: 'b', C: 'd' } },
  { name: 'a name set twice', text: 'A=b\nA=c', want: { A: 'c' } },
  { name: 'nothing at all', text: '\n\n  \n', want: {} },
] as const) {
  test(`reads from an environment file ${name}`, () => {
    const read = readEnvironmentFile({ name: 'f', text });
    assert.deepEqual(Object.fromEntries(read.map(({ name, value }) => [name, value])), want);
  });
}

test('names the line of each assignment', () => {
  const text = '# one\r\n\r\nA=b\\\nc\n\n;\nB="d\ne"\nC=f';
  assert.deepEqual(
    readEnvironmentFile({ name: '/etc/f', text }).map(({ name, place }) => `${name} ${place}`),
    ['A /etc/f:3', 'B /etc/f:7', 'C /etc/f:9'],
  );
});

for (const { text, message } of [
  { text: 'A=1\nhunter2\n', message: 'f:2: must be NAME=VALUE, a comment, or blank' },
  { text: '1A=b', message: 'f:1: must be NAME=VALUE, a comment, or blank' },
  { text: 'export A=b', message: 'f:1: systemd knows no `export`: remove the word' },
  { text: 'A="b\nB=c\n', message: 'f:1: a quote is not closed' },
  { text: "A='b", message: 'f:1: a quote is not closed' },
]) {
  test(`refuses the environment file ${JSON.stringify(text)}`, () => {
    assert.throws(() => readEnvironmentFile({ name: 'f', text }), { name: 'InputError', message });
  });
}

test('splits a variable into words as systemd does', () => {
  for (const { value, want } of [
    { value: '-a  -b=c\n-d', want: ['-a', '-b=c', '-d'] },
    { value: `-a='b c' -d="e \\" f" g\\ h`, want: ['-a=b c', '-d=e " f', 'g h'] },
    { value: `'' ""`, want: ['', ''] },
    { value: '   ', want: [] },
  ]) {
    assert.deepEqual(wordsOf(value), want);
  }
});

test('reads each flag and its variable', () => {
  for (const flag of FLAGS) {
    const value = { text: 'x', list: 'x', switch: 'true', number: '7' }[flag.kind];
    const file = { name: 'f', text: `${variableOf(flag)}=${value}` };
    assert.equal(
      givenOptions([`-${flag.name}`, ...(flag.kind === 'switch' ? [] : [value])], []).value(flag.name)?.value,
      value,
    );
    assert.equal(givenOptions([], [file]).value(flag.name)?.value, value);
    assert.equal(flagNamed(flag.name), flag);
    assert.equal(flagOfVariable(variableOf(flag)), flag);
    assert.ok((flag.becomes === undefined) !== (flag.without === undefined), flag.name);
  }
  assert.equal(new Set(FLAGS.map(({ name }) => name)).size, FLAGS.length);
});

for (const { argv, message } of [
  { argv: ['---iface=eth0'], message: 'argument 1: is no flag: must be -NAME or -NAME=VALUE' },
  { argv: ['-=eth0'], message: 'argument 1: is no flag: must be -NAME or -NAME=VALUE' },
  { argv: ['-etcd-pasword=hunter2'], message: 'argument 1: flanneld has no flag -etcd-pasword' },
  { argv: ['-ip-masq=yes'], message: 'argument 1: -ip-masq must be true or false' },
  { argv: ['-v', 'hunter2'], message: 'argument 2: -v must be a whole number' },
  { argv: ['-ip-masq', '-iface'], message: 'argument 2: -iface needs a value' },
  { argv: [`-iface=${braced('I')}`], message: 'argument 1: no --env-file sets I' },
  { argv: ['$OPTIONS'], message: 'argument 1: no --env-file sets OPTIONS' },
]) {
  test(`refuses the command line ${argv.join(' ')}`, () => {
    assert.throws(() => givenOptions(argv, []), { name: 'InputError', message });
  });
}

test('replaces variables in a command line as systemd does', () => {
  const file = { name: 'f', text: 'P=eth\nOPTIONS=-ip-masq -v 3\nFLANNELD_V=9' };
  const options = givenOptions(
    [`-iface=${braced('P')}0`, '$OPTIONS', `-iface-regex=^${braced('P')}$`],
    [file],
  );
  assert.equal(options.value('iface')?.value, 'eth0');
  assert.equal(options.value('iface-regex')?.value, '^eth$');
  assert.equal(options.value('ip-masq')?.value, 'true');
  assert.deepEqual(options.value('v')?.origin, '-v in OPTIONS (f:2)');
});

test('gives everything the precedence that flanneld and its start scripts give it', () => {
  const text = [
    'FLANNELD_ETCD_PREFIX=/variable',
    'FLANNEL_ETCD_KEY=/old-script',
    'FLANNEL_ETCD_PREFIX=/script',
    'FLANNEL_OPTIONS=-etcd-prefix=/more',
  ];
  const prefix = (lines: readonly string[], ...argv: readonly string[]) =>
    givenOptions(argv, [{ name: 'f', text: lines.join('\n') }]).value('etcd-prefix')?.value;
  assert.equal(prefix(text, '-etcd-prefix=/typed'), '/typed');
  assert.equal(prefix(text), '/more');
  assert.equal(prefix(text.slice(0, 3)), '/script');
  assert.equal(prefix(text.slice(0, 2)), '/old-script');
  assert.equal(prefix(text.slice(0, 1)), '/variable');
  assert.equal(prefix([]), undefined);
  // Named by the command line itself, they stand where it has them.
  assert.equal(prefix(text, '$FLANNEL_OPTIONS', `-etcd-prefix=${braced('FLANNEL_ETCD_PREFIX')}`), '/script');
});

test('says where JSON ends exactly when it is none', () => {
  const anyJson = fc.json({ maxDepth: 4 });
  const damaged = fc
    .record({
      text: anyJson,
      at: fc.nat(60),
      by: fc.constantFrom('', ',', '}', '"', '\\', '\u0001', '01', ' '),
    })
    .map(
      ({ text, at, by }) =>
        text.slice(0, at % (text.length + 1)) + by + text.slice((at % (text.length + 1)) + 1),
    );
  fc.assert(
    fc.property(fc.oneof(anyJson, damaged, fc.string()), (text) => {
      const { fault } = jsonPlaces(text);
      assert.equal(fault === undefined, isJson(text), text);
      if (fault !== undefined) assert.ok(fault >= 0 && fault <= text.length);
    }),
    { numRuns: 1000 },
  );
});

test('finds a field whatever the case of its name, the last of several', () => {
  const text = '{ "a": 1, "A": {"b": [ {"c": "\\"}" } ]}, "d":2 }';
  const { valueAt } = jsonPlaces(text);
  assert.equal(valueAt([]), 0);
  assert.equal(valueAt(['a']), text.indexOf('{"b"'));
  assert.equal(valueAt(['a', 'B']), text.indexOf('['));
  assert.equal(valueAt(['d']), text.indexOf('2'));
  assert.equal(valueAt(['e']), undefined);
});

test('does not follow JSON into any depth', () => {
  assert.equal(jsonPlaces('['.repeat(60_000)).fault, 33);
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A variable within a word. */
function braced(name: string): string {
  return `\${${name}}`;
}
