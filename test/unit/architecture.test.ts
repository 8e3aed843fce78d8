/** Holds src/ to the import rule. The rules and their reasons are in architecture/rules.ts. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { repositoryRoot } from '../lab/repository.js';
import { circles, violations } from './architecture/rules.js';
import { scan } from './architecture/scan.js';

test('the sources obey the import rule', () => {
  assert.deepEqual(violations(sources('src')), []);
});

test('nor does anything else import itself by way of others', () => {
  assert.deepEqual(circles(sources('bench', 'examples', 'scripts', 'src', 'test')), []);
});

test('all sources are looked at', () => {
  const paths = [...sources('src').keys()];
  assert.ok(paths.includes('src/ports.ts') && paths.includes('src/model/address.ts'));
  assert.ok(paths.length > 30, `only ${paths.length} files found`);
});

const ADDRESS = ['src/model/address.ts', 'export const one = 1;'] as const;
const LIBC = ['src/sys/libc.ts', "import { openSync } from 'node:fs';\nimport koffi from 'koffi';"] as const;
const PORT = ['src/ports/one.ts', 'export type One = 1;'] as const;
const LINK = ['src/reconcilers/link.ts', "import { one } from '../model/address.js';"] as const;
const BREACHES: readonly {
  readonly name: string;
  readonly path: string;
  readonly text: string;
  readonly want: RegExp;
}[] = [
  {
    name: 'model importing sys',
    path: 'src/model/route.ts',
    text: "import { open } from '../sys/libc.js';",
    want: /^src\/model\/route\.ts imports src\/sys\/libc\.ts; model may not: the model is pure/,
  },
  {
    name: 'a single port past the list of them',
    path: 'src/runtime/rounds/loop.ts',
    text: "import type { One } from '../../ports/one.js';",
    want: /imports src\/ports\/one\.ts; runtime may not/,
  },
  {
    name: 'an import of types alone',
    path: 'src/cli/run.ts',
    text: "import type { Libc } from '../sys/libc.js';",
    want: /^src\/cli\/run\.ts imports src\/sys\/libc\.ts; cli may not/,
  },
  {
    name: 'a dynamic import',
    path: 'src/runtime/rounds/loop.ts',
    text: "const libc = await import(\n  '../../sys/libc.js');",
    want: /imports src\/sys\/libc\.ts; runtime may not/,
  },
  {
    name: 'a re-export',
    path: 'src/wire/ipv4.ts',
    text: "export { open } from '../sys/libc.js';",
    want: /imports src\/sys\/libc\.ts; wire may not/,
  },
  {
    name: 'one reconciler importing another',
    path: 'src/reconcilers/route.ts',
    text: "import { link } from './link.js';",
    want: /imports src\/reconcilers\/link\.ts: reconcilers meet through the world only/,
  },
  {
    name: 'the runtime knowing a reconciler',
    path: 'src/runtime/rounds/round.ts',
    text: "import { link } from '../../reconcilers/link.js';",
    want: /imports src\/reconcilers\/link\.ts; runtime may not/,
  },
  {
    name: 'the packet loop reaching for sys outside its worker',
    path: 'src/dataplane/forwarder.ts',
    text: "import { open } from '../sys/libc.js';",
    want: /imports src\/sys\/libc\.ts; dataplane may not/,
  },
  {
    name: 'the assembly reaching for sys',
    path: 'src/assembly.ts',
    text: "import { open } from './sys/libc.js';",
    want: /imports src\/sys\/libc\.ts; assembly may not/,
  },
  {
    name: 'main reaching for sys',
    path: 'src/main.ts',
    text: "import { open } from './sys/libc.js';",
    want: /imports src\/sys\/libc\.ts; main may not/,
  },
  {
    name: 'a node: module in pure code',
    path: 'src/config/load.ts',
    text: "import { readFileSync } from 'node:fs';",
    want: /imports node:fs; config may not/,
  },
  {
    name: 'a package out of its place',
    path: 'src/model/load.ts',
    text: "import { load } from 'js-yaml';",
    want: /imports the package js-yaml; model may not/,
  },
  {
    name: "netlink's native binding",
    path: 'src/sys/netlink.ts',
    text: "import { createRtNetlink } from 'netlink';",
    want: /imports netlink itself, whose native socket aborts the process/,
  },
  {
    name: 'a file that is not there',
    path: 'src/model/route.ts',
    text: "import { gone } from './gone.js';",
    want: /there is no src\/model\/gone\.ts/,
  },
  {
    name: 'a file outside the layers',
    path: 'src/daemon.ts',
    text: '',
    want: /^src\/daemon\.ts belongs to no layer/,
  },
  {
    name: 'a file named after nothing',
    path: 'src/model/utils.ts',
    text: '',
    want: /^src\/model\/utils\.ts is named after nothing/,
  },
  {
    name: 'a file not in kebab-case',
    path: 'src/model/routeTable.ts',
    text: '',
    want: /routeTable\.ts is not in kebab-case/,
  },
  {
    name: 'a default export',
    path: 'src/model/route.ts',
    text: 'const a = 1;\nexport default a;',
    want: /route\.ts has a default export/,
  },
  {
    name: 'a default export by another name',
    path: 'src/model/route.ts',
    text: 'const a = 1;\nexport { a as default };',
    want: /route\.ts has a default export/,
  },
  ...[
    'Date.now()',
    'new Date()',
    'performance.now()',
    'AbortSignal.timeout(5)',
    'setTimeout(go, 5)',
    'setInterval(go, 5)',
    'setImmediate(go)',
    'Math.random()',
    'crypto.randomUUID()',
    'process.env',
    'process.exit(1)',
    'globalThis',
    "fetch('http://10.8.64.10')",
    "console.log('x')",
    'Buffer.alloc(1)',
  ].map((code) => ({
    name: `${code} in pure code`,
    path: 'src/dataplane/verdict.ts',
    text: `export const value = \`\${${code}}\`;`,
    want: /^src\/dataplane\/verdict\.ts uses /,
  })),
];

for (const { name, path, text, want } of BREACHES) {
  test(`the rule bites: ${name}`, () => {
    const found = violations(new Map([ADDRESS, LIBC, LINK, PORT, [path, text]]));
    assert.equal(found.length, 1, found.join('\n') || 'nothing was found');
    assert.match(found[0] ?? '', want);
  });
}

test('the rule bites: a circle of imports', () => {
  const files = new Map([
    ['src/model/a.ts', "import { b } from './b.js';"],
    ['src/model/b.ts', "import type { C } from './c.js';"],
    ['src/model/c.ts', "import { a } from './a.js';"],
  ]);
  assert.deepEqual(violations(files), [
    'src/model/a.ts → src/model/b.ts → src/model/c.ts → src/model/a.ts is a circle of imports',
  ]);
});

test('what is allowed is not reported', () => {
  const files = new Map([
    ADDRESS,
    LIBC,
    LINK,
    ['src/reconcilers/reconciler.ts', ''],
    ['src/runtime/rounds/round.ts', "import type { R } from '../../reconcilers/reconciler.js';"],
    ['src/dataplane/worker.ts', "import { open } from '../sys/libc.js';\nimport 'node:worker_threads';"],
    [
      'src/sys/netlink.ts',
      "import * as rt from 'netlink/dist/rt/structs.js';\nsetTimeout(() => {}, Date.now());",
    ],
    [
      'src/compose.ts',
      "import { open } from './sys/libc.js';\nimport { link } from './reconcilers/link.js';",
    ],
    ['src/config/load.ts', "// import 'node:fs'; Date.now()\nconst help = 'process.env or Math.random()';"],
    ['src/model/lease.ts', 'const at = new Date(0); clock.setTimeout(); this.process.env;'],
  ]);
  assert.deepEqual(violations(files), []);
});

test('the scanner tells code from text', () => {
  const cases: readonly { readonly source: string; readonly code: string }[] = [
    { source: 'a / b / c', code: 'a / b / c' },
    { source: 'const r = /["\'`{[/(]/g;', code: 'const r = / /g;' },
    { source: 'return /\\/\\{/.test(x)', code: 'return / /.test(x)' },
    { source: 'x = (a + b) / 2; // half { of it', code: 'x = (a + b) / 2; ' },
    { source: '/* { */ y', code: '  y' },
    { source: "'it\\'s {' + \"a // b\"", code: '\'\' + ""' },
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is the source of a template.
    { source: '`a { ${f({ k: `${x}` })} b }`', code: '`${f({ k: `${x}` })}`' },
  ];
  for (const { source, code } of cases) assert.equal(scan('case.ts', source).code, code, source);
  assert.throws(() => scan('case.ts', 'f({)'), /Cannot scan case\.ts: "\)" closes nothing/);
  assert.throws(() => scan('case.ts', 'f({'), /"{" is never closed/);
});

function sources(...folders: readonly string[]): ReadonlyMap<string, string> {
  const root = repositoryRoot();
  const paths = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => join(folder, path)),
  );
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}
