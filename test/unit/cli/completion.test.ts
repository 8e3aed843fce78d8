/** The completions and the manual page say what the command line does. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { ENVIRONMENT_MEANINGS } from '../../../src/cli/environment.js';
import { EXIT, EXIT_MEANINGS } from '../../../src/cli/exit-codes.js';
import { repositoryRoot } from '../../lab/repository.js';
import { CommandWorld } from './command-world.js';

async function printed(...argv: readonly string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await new CommandWorld().run(...argv);
  assert.deepEqual([exitCode, stderr], [EXIT.done, '']);
  return stdout;
}

/** What bash offers for the last of `words`. */
async function offered(...words: readonly string[]): Promise<readonly string[]> {
  const script = `${await printed('completion', 'bash')}
compopt() { :; } # There is no line being edited.
COMP_WORDS=(flannelette "$@")
COMP_CWORD=$#
_flannelette
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync('bash', ['-uc', script, 'bash', ...words], { encoding: 'utf8', cwd: '/' });
  return output.split('\n').filter((word) => word !== '');
}

for (const { words, offers } of [
  { words: ['di'], offers: ['diff'] },
  { words: ['diff', '--o'], offers: ['--output', '--only', '--out'] },
  { words: ['diff', '-o', ''], offers: ['table', 'json', 'yaml', 'wide'] },
  { words: ['diff', '--output', 'y'], offers: ['yaml'] },
  { words: ['apply', '--only', 'f'], offers: ['forwarder', 'fdb', 'forward', 'flannel-rules', 'file'] },
  { words: ['leases', 'r'], offers: ['release'] },
  { words: ['completion', ''], offers: ['bash', 'zsh', 'fish', '--help'] },
  { words: ['apply', '--timeout', ''], offers: [] },
  { words: ['run', '-f', 'et'], offers: ['etc'] },
  { words: ['validate', 'et'], offers: ['etc'] },
  { words: ['nonsense', ''], offers: [] },
]) {
  test(`bash offers ${offers.join(', ') || 'nothing'} for "flannelette ${words.join(' ')}"`, async () => {
    assert.deepEqual(await offered(...words), offers);
  });
}

for (const shell of ['bash', 'zsh', 'fish']) {
  test(`${shell} knows every verb and every long option`, async () => {
    const script = await printed('completion', shell);
    const page = await printed('man');
    const verbs = [...page.matchAll(/^\.SS "flannelette ([\w\\-]+)/gm)].map(([, verb = '']) => plain(verb));
    const options = [...plain(page).matchAll(/^\.B .*?--([\w-]+)/gm)].map(([, option = '']) => option);
    assert.ok(verbs.length > 10 && options.length > 10);
    for (const word of [...verbs, ...options]) assert.match(script, new RegExp(`\\b${word}\\b`), word);
  });
}

test('the manual page has the verbs of --help, word for word', async () => {
  const page = plain(await printed('man'));
  const verbs = [...(await printed('--help')).matchAll(/^ {2}([a-z-]+) (?:\[.*?\] )*(?:<.*?> )* +(\S.*)$/gm)];
  assert.ok(verbs.length > 10);
  for (const [, verb = '', description = ''] of verbs) {
    if (verb === 'help') continue;
    assert.match(page, new RegExp(`^\\.SS "flannelette ${verb}[ "]`, 'm'));
    assert.ok(page.toLowerCase().includes(`${description.toLowerCase()}`), description);
  }
});

test('the README and the manual page have the same exit codes', async () => {
  const readme = readFileSync(join(repositoryRoot(), 'README.md'), 'utf8');
  const page = plain(await printed('man'));
  for (const [code, meaning] of EXIT_MEANINGS) {
    assert.ok(readme.includes(`| ${code} | ${meaning} |\n`), code);
    assert.ok(page.includes(`.TP\n.B ${code}\n${meaning}\n`), code);
  }
});

test('the README, the manual page and --help have the same variables of the environment', async () => {
  const readme = readFileSync(join(repositoryRoot(), 'README.md'), 'utf8');
  const [page, help] = [plain(await printed('man')), await printed('--help')];
  for (const [name, meaning] of ENVIRONMENT_MEANINGS) {
    assert.ok(readme.includes(`| \`${name}\` | ${meaning} |\n`), name);
    assert.ok(page.includes(`.TP\n.B ${name}\n${meaning}\n`), name);
    assert.ok(help.includes(`  ${meaning}\n`), name);
  }
});

test('an unknown shell is wrong usage', async () => {
  const { exitCode, stderr } = await new CommandWorld().run('completion', 'csh');
  assert.equal(exitCode, EXIT.usage);
  assert.match(stderr, /Allowed choices are bash, zsh, fish/);
});

test('init writes a file that is valid and names its schema, and never writes over one', async () => {
  const world = new CommandWorld();
  const path = '/etc/new.yaml';
  assert.equal((await world.run('init', '-f', path)).exitCode, EXIT.done);
  const written = await world.host.files.read(path);
  assert.match(written?.content ?? '', /^# yaml-language-server: \$schema=\/.*config\.schema\.json\n/);
  assert.equal((await world.run('validate', path)).stdout, `${path}: valid\n`);
  const again = await world.run('init', '-f', path);
  assert.deepEqual(
    [again.exitCode, again.stderr],
    [EXIT.failed, `Cannot write ${path}: it is there already; name another file with -f\n`],
  );
});

function plain(roff: string): string {
  return roff.replaceAll('\\-', '-').replaceAll('\\e', '\\');
}
