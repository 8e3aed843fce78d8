/** The tables of docs/migrating-from-flannel.md say what `convert` does. The one of the flags is rewritten by `make golden`. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { runCommandLine } from '../../src/cli/program.js';
import type { CommandContext } from '../../src/cli/session.js';
import { convert } from '../../src/convert/convert.js';
import { FLAGS, type Flag, variableOf } from '../../src/convert/flanneld-flags.js';
import { repositoryRoot } from '../lab/repository.js';

const MANUAL = join(repositoryRoot(), 'docs/migrating-from-flannel.md');
const [BEGIN, END] = [
  '<!-- The table is written by `make golden` out of src/convert/flanneld-flags.ts. -->\n',
  '<!-- end of the table -->\n',
];

test('the manual has every flag', () => {
  const text = readFileSync(MANUAL, 'utf8');
  const [before = '', rest = ''] = text.split(BEGIN);
  const [table, after = ''] = rest.split(END);
  if (process.env.GOLDEN === 'write') writeFileSync(MANUAL, `${before}${BEGIN}${flagTable()}${END}${after}`);
  else assert.equal(table, flagTable());
});

function flagTable(): string {
  const rows = FLAGS.map((flag) => {
    const shown = flag.default === '' ? '' : `\`${flag.default.replaceAll(',', ', ')}\``;
    const becomes = flag.becomes === undefined ? flag.without : `\`${flag.becomes}\``;
    return `| \`-${flag.name}\`, \`${variableOf(flag)}\` | ${shown} | ${becomes} |\n`;
  });
  return `| flag and variable | flanneld's default | becomes |\n|---|---|---|\n${rows.join('')}`;
}

/** With these beside it a flag takes effect. */
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  'etcd-username': ['-etcd-password=p'],
  'etcd-password': ['-etcd-username=u'],
  'etcd-certfile': ['-etcd-keyfile=/k', '-etcd-endpoints=https://10.0.0.1:2379'],
  'etcd-keyfile': ['-etcd-certfile=/c', '-etcd-endpoints=https://10.0.0.1:2379'],
  'etcd-cafile': ['-etcd-endpoints=https://10.0.0.1:2379'],
};
const SAMPLES: Readonly<Record<string, string>> = {
  'etcd-endpoints': 'http://10.0.0.1:2379',
  'etcd-prefix': '/p',
  'etcd-username': 'u',
  iface: 'eth0',
  'iface-regex': '^eth',
  'iface-can-reach': '10.0.0.1',
  'public-ip': '10.0.0.1',
  'public-ipv6': '2001:db8::1',
};

for (const flag of FLAGS) {
  test(`-${flag.name} becomes what the manual says`, () => {
    const { yaml, notConverted } = convert({
      argv: [`-${flag.name}=${sampleOf(flag)}`, ...(BESIDE[flag.name] ?? [])],
      environmentFiles: [],
    });
    if (flag.becomes === undefined) {
      assert.deepEqual(notConverted, [`-${flag.name}: ${flag.without}`]);
    } else {
      assert.ok(originsOf(yaml).get(flag.becomes)?.startsWith(`-${flag.name}`), yaml);
    }
  });
}

test('fields of the JSON become what the manual says', () => {
  const rows = [
    ...readFileSync(MANUAL, 'utf8').matchAll(/^\| (`(?:[A-Z]\w+|Backend\.\w+)`.*) \| (.*) \|$/gm),
  ];
  const fields = rows.map(([, names = '', becomes = '']) => [codes(names), codes(becomes)] as const);
  assert.ok(fields.length >= 7, 'the table is not found');
  const text =
    '{"Network":"10.5.0.0/16","SubnetLen":25,"SubnetMin":"10.5.1.0","SubnetMax":"10.5.9.0","EnableIPv6":true,"IPv6Network":"fd00:5::/48","IPv6SubnetLen":64,"IPv6SubnetMin":"fd00:5:0:1::","IPv6SubnetMax":"fd00:5:0:9::","Backend":{"Type":"vxlan","Port":1}}';
  const origins = originsOf(convert({ argv: [], environmentFiles: [], netConf: { name: 'f', text } }).yaml);
  for (const [names, keys] of fields.filter(([, keys]) => keys[0]?.startsWith('network.'))) {
    for (const [index, name] of names.entries()) {
      assert.ok(origins.get(keys[index] ?? '')?.startsWith(`${name} (`), `${name} → ${keys[index]}`);
    }
  }
});

test('every command line of the manual is one that exists', async () => {
  const text = readFileSync(MANUAL, 'utf8');
  const code = [...text.matchAll(/```\w*\n([\s\S]*?)```|`([^`\n]+)`/g)].map(
    ([, block, span]) => block ?? span ?? '',
  );
  const used = code.flatMap((part) => [...part.matchAll(/\bflannelette ([a-z-]+)([^\n]*)/g)]);
  assert.ok(used.length > 10, `${used.length} command lines`);
  for (const [line, verb = '', rest = ''] of used) {
    const [own = ''] = rest.split(/ -- | && | # /);
    const options = own.match(/(?<![\w-])--?[a-z][a-z-]*/g) ?? [];
    const help = await helpOf(verb);
    for (const option of options) assert.ok(help.includes(option), `${line}\n${help}`);
  }
});

async function helpOf(verb: string): Promise<string> {
  let printed = '';
  const print = (text: string): void => {
    printed += text;
  };
  const context = { version: '0', out: print, err: print } as Partial<CommandContext> as CommandContext;
  assert.equal(await runCommandLine(context, [verb, '--help']), 0, printed);
  return printed;
}

function sampleOf({ kind, name }: Flag): string {
  if (kind === 'switch') return DEFAULT_ON.includes(name) ? 'false' : 'true';
  return kind === 'number' ? '17' : (SAMPLES[name] ?? '/x');
}

const DEFAULT_ON = FLAGS.filter((flag) => flag.default === 'true').map(({ name }) => name);

/** Each key of the file, and the comment behind it. */
function originsOf(yaml: string): ReadonlyMap<string, string> {
  const path: string[] = [];
  const origins = new Map<string, string>();
  for (const [, indent = '', key = '', comment] of yaml.matchAll(/^( *)(\w+):(?: .*? # (.*))?$/gm)) {
    path.splice(indent.length / 2, path.length, key);
    if (comment !== undefined) origins.set(path.join('.'), comment);
  }
  return origins;
}

function codes(text: string): readonly string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}
