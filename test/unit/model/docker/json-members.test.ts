/** Changing an operator's JSON: what is not ours keeps its bytes. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { memberValues, withMember, withoutMember } from '../../../../src/model/docker/json-members.js';

for (const { name, text, want } of [
  { name: 'no text', text: '', want: '{\n  "bip": "4.0.100.1/24"\n}\n' },
  { name: 'an empty object', text: '{}', want: '{\n  "bip": "4.0.100.1/24"\n}' },
  { name: 'an empty object and a line end', text: '{\n}\n', want: '{\n  "bip": "4.0.100.1/24"\n}\n' },
  {
    name: 'lines with tabs',
    text: '{\n\t"debug": true,\n\t"log-opts": {\n\t\t"max-size": "10m"\n\t}\n}\n',
    want: '{\n\t"debug": true,\n\t"log-opts": {\n\t\t"max-size": "10m"\n\t},\n\t"bip": "4.0.100.1/24"\n}\n',
  },
  { name: 'one line', text: '{"debug": true}', want: '{"debug": true, "bip": "4.0.100.1/24"}' },
  {
    name: 'no blanks',
    text: '{"a":1,"b":[2,{"bip":3}]}',
    want: '{"a":1,"b":[2,{"bip":3}],"bip":"4.0.100.1/24"}',
  },
  {
    name: 'commas in front',
    text: '{ "a" : 1\n, "b" : 2\n}',
    want: '{ "a" : 1\n, "b" : 2, "bip" : "4.0.100.1/24"\n}',
  },
  {
    name: 'another value',
    text: '{\n  "bip":   "10.0.0.1/24",\n  "x": 1 }',
    want: '{\n  "bip":   "4.0.100.1/24",\n  "x": 1 }',
  },
  {
    name: 'a value twice',
    text: '{"bip": 1, "bip": 2}',
    want: '{"bip": "4.0.100.1/24", "bip": "4.0.100.1/24"}',
  },
  {
    name: 'braces and quotes in text',
    text: '{"a": "}\\",{"}',
    want: '{"a": "}\\",{", "bip": "4.0.100.1/24"}',
  },
  {
    name: 'a name that is written with escapes',
    text: '{"\\u0061": 1}',
    want: '{"\\u0061": 1, "bip": "4.0.100.1/24"}',
  },
]) {
  test(`sets a member: ${name}`, () => assert.equal(withMember(text, 'bip', '4.0.100.1/24'), want));
}

for (const { name, text, want } of [
  { name: 'the first', text: '{\n  "bip": 1,\n  "a": 2\n}', want: '{\n  "a": 2\n}' },
  { name: 'one between', text: '{"a": 1, "bip": [1, 2], "b": 3}', want: '{"a": 1, "b": 3}' },
  { name: 'the last', text: '{\n  "a": {},\n  "bip": 1\n}', want: '{\n  "a": {}\n}' },
  { name: 'the only one', text: '{\n  "bip": 1\n}\n', want: '{}\n' },
  { name: 'twice', text: '{"bip": 1, "a": 2, "bip": 3}', want: '{"a": 2}' },
  { name: 'none', text: '{"a": {"bip": 1}}', want: '{"a": {"bip": 1}}' },
  { name: 'no text', text: ' \n', want: ' \n' },
]) {
  test(`takes a member out: ${name}`, () => assert.equal(withoutMember(text, 'bip'), want));
}

for (const text of ['[]', '1', 'null', '"{}"', '{', '{"a": 1,}', "{'a': 1}", '{} {}', '// mine\n{}']) {
  test(`refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => memberValues(text), SyntaxError);
    assert.throws(() => withMember(text, 'bip', 1), SyntaxError);
  });
}

const anObject = fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true });
const aLayout = fc.constantFrom(undefined, 1, 2, 4, '\t');

test('what was set and is taken out again leaves the text as it was', () => {
  fc.assert(
    fc.property(anObject, aLayout, fc.jsonValue(), (object, layout, value) => {
      fc.pre(!('bip' in object) && Object.keys(object).length > 0);
      const text = `${JSON.stringify(object, null, layout)}\n`;
      assert.equal(withoutMember(withMember(text, 'bip', value), 'bip'), text);
    }),
  );
});

test('all other members keep their values and their order', () => {
  fc.assert(
    fc.property(anObject, aLayout, fc.jsonValue(), (object, layout, value) => {
      const text = JSON.stringify(object, null, layout);
      const changed = withMember(text, 'bip', value);
      const wanted = { ...object, bip: JSON.parse(JSON.stringify(value)) as unknown };
      assert.equal(JSON.stringify(JSON.parse(changed)), JSON.stringify(wanted));
      const { bip: _, ...rest } = wanted;
      assert.equal(JSON.stringify(JSON.parse(withoutMember(changed, 'bip'))), JSON.stringify(rest));
    }),
  );
});
