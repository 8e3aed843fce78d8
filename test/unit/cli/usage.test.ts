import assert from 'node:assert/strict';
import test from 'node:test';
import { InvalidArgumentError } from 'commander';
import { durationMs } from '../../../src/cli/duration.js';
import { EXIT } from '../../../src/cli/exit-codes.js';
import { CommandWorld } from './command-world.js';

for (const [text, ms] of [
  ['0s', 0],
  ['1ms', 1],
  ['250ms', 250],
  ['30s', 30_000],
  ['2m', 120_000],
  ['24h', 86_400_000],
] as const) {
  test(`the duration ${text} is ${ms} ms`, () => assert.equal(durationMs(text), ms));
}

for (const text of ['', '30', 's', '-1s', '1.5s', '1 s', '1s ', '1d', '1S', '1m30s', '0x1s', '1e3ms']) {
  test(`"${text}" is no duration`, () => assert.throws(() => durationMs(text), InvalidArgumentError));
}

for (const { argv, says } of [
  { argv: ['polish'], says: /^error: unknown command 'polish'/ },
  { argv: ['--bogus'], says: /^error: unknown option '--bogus'/ },
  { argv: ['diff', '--bogus'], says: /^error: unknown option '--bogus'/ },
  { argv: ['diff', 'surplus'], says: /^error: too many arguments for 'diff'/ },
  { argv: ['diff', '-f'], says: /^error: option '-f, --file <path>' argument missing/ },
  {
    argv: ['diff', '-o', 'xml'],
    says: /^error: option '-o, --output <format>' argument 'xml' is invalid.*table, json, yaml/,
  },
  {
    argv: ['apply', '--timeout', 'soon'],
    says: /^error: option '--timeout <duration>' argument 'soon' is invalid\. Want a number with ms, s, m or h/,
  },
  { argv: ['run', '--timeout', '1s'], says: /^error: unknown option '--timeout'/ },
]) {
  test(`wrong usage ends with 64 and says what is wrong: ${argv.join(' ')}`, async () => {
    const world = new CommandWorld();
    const { exitCode, stdout, stderr } = await world.run(...argv);
    assert.deepEqual([exitCode, stdout], [EXIT.usage, '']);
    assert.match(stderr, says);
    assert.match(stderr, new RegExp(`flannelette (${argv[0]} )?--help`), 'and where to look');
    assert.deepEqual([world.log, world.host.writes], [[], 0]);
  });
}

test('without a verb it shows the verbs, and that is wrong usage too', async () => {
  const { exitCode, stdout, stderr } = await new CommandWorld().run();
  assert.deepEqual([exitCode, stdout], [EXIT.usage, '']);
  assert.match(stderr, /^Usage: flannelette \[options\] \[command\]/);
});

const VERBS = [
  'init',
  'validate',
  'diff',
  'apply',
  'try',
  'confirm',
  'rollback',
  'run',
  'status',
  'peers',
  'doctor',
  'ping',
  'events',
  'top',
  'log-level',
  'destroy',
  'docker-opts',
  'leases',
  'convert',
  'explain',
  'schema',
  'completion',
  'man',
  'version',
];

for (const argv of [['--help'], ['-h'], ['help']]) {
  test(`${argv.join(' ')} shows every verb on standard output and ends with 0`, async () => {
    const { exitCode, stdout, stderr } = await new CommandWorld().run(...argv);
    assert.deepEqual([exitCode, stderr], [EXIT.done, '']);
    for (const verb of VERBS) assert.match(stdout, new RegExp(`^ {2}${verb} `, 'm'));
  });
}

for (const verb of VERBS) {
  test(`so does ${verb} --help with its options`, async () => {
    const { exitCode, stdout, stderr } = await new CommandWorld().run(verb, '--help');
    assert.deepEqual([exitCode, stderr], [EXIT.done, '']);
    assert.match(stdout, new RegExp(`^Usage: flannelette ${verb} `));
  });
}

for (const argv of [['--version'], ['-V'], ['version']]) {
  test(`${argv.join(' ')} prints the version and nothing else`, async () => {
    assert.deepEqual(await new CommandWorld().run(...argv), {
      exitCode: EXIT.done,
      stdout: '1.2.3\n',
      stderr: '',
    });
  });
}

test('validate looks at every file that is named, and says of each what it is', async () => {
  const world = new CommandWorld();
  world.host.files.edit('bad.yaml', 'network: { cidr: 4.0.0.1/16 }\n');
  const { exitCode, stdout, stderr } = await world.run(
    ...['validate', 'bad.yaml', '/etc/flannelette.yaml', '-f', 'missing.yaml'],
  );
  assert.equal(exitCode, EXIT.invalidConfig);
  assert.equal(stdout, '/etc/flannelette.yaml: valid\n');
  assert.match(stderr, /^bad\.yaml:1:18: [\s\S]*^Cannot read missing\.yaml: there is no such file$/m);
});

test('validate without a name looks at flannelette.yaml', async () => {
  const { stderr } = await new CommandWorld().run('validate');
  assert.equal(stderr, 'Cannot read flannelette.yaml: there is no such file\n');
});
