/** The command around the conversion: where results and complaints go, and the exit code. See test/golden/convert too. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { runCommandLine } from '../../src/cli/program.js';
import type { CommandContext } from '../../src/cli/session.js';
import { SystemError } from '../../src/ports.js';

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly files: Readonly<Record<string, string>>;
}

async function convert(files: Readonly<Record<string, string>>, ...argv: readonly string[]): Promise<Run> {
  const disk = new Map(Object.entries(files));
  let [stdout, stderr] = ['', ''];
  const context = {
    version: '0',
    out: (text: string) => {
      stdout += text;
    },
    err: (text: string) => {
      stderr += text;
    },
    signal: new AbortController().signal,
    readText: async (path: string) => {
      if (path.endsWith('/'))
        throw new SystemError(`Cannot read ${path}: not a regular file (EISDIR)`, 'EISDIR');
      return disk.get(path);
    },
    writeText: async (path: string, content: string) => void disk.set(path, content),
  } as Partial<CommandContext> as CommandContext;
  const code = await runCommandLine(context, ['convert', ...argv]);
  return { code, stdout, stderr, files: Object.fromEntries(disk) };
}

test('prints the file, and what is not converted elsewhere', async () => {
  const { code, stdout, stderr } = await convert({}, '--', '-iface=eth0', '-healthz-port=8080');
  assert.equal(code, 1);
  assert.match(stdout, /^ {2}interface: eth0 # -iface$/m);
  assert.match(
    stdout,
    /^# - -healthz-port: `monitoring.port` serves \/livez and \/readyz, on loopback unless told$/m,
  );
  assert.match(
    stderr,
    /^Not converted: -healthz-port: `monitoring.port` serves \/livez and \/readyz, on loopback unless told\n$/,
  );
});

test('prints nothing else when everything is converted', async () => {
  const { code, stderr } = await convert({}, '--', '-iface=eth0', '-v=0');
  assert.deepEqual([code, stderr], [0, '']);
});

test('writes the file that is named, and no other over it', async () => {
  const written = await convert({}, '-o', 'f.yaml', '--', '-iface=eth0');
  assert.deepEqual([written.code, written.stdout, written.stderr], [0, '', '']);
  assert.match(written.files['f.yaml'] ?? '', /interface: eth0/);

  const kept = await convert({ 'f.yaml': 'mine' }, '-o', 'f.yaml', '--', '-iface=eth1');
  assert.deepEqual([kept.code, kept.files['f.yaml']], [64, 'mine']);
  assert.equal(kept.stderr, 'Cannot write f.yaml: it is there already, --force writes over it\n');

  const forced = await convert({ 'f.yaml': 'mine' }, '-o', 'f.yaml', '--force', '--', '-iface=eth1');
  assert.equal(forced.code, 0);
  assert.match(forced.files['f.yaml'] ?? '', /interface: eth1/);
});

test('writes nothing when something cannot be read', async () => {
  for (const argv of [
    ['--env-file', 'gone'],
    ['--net-conf', 'gone'],
    ['--env-file', 'folder/'],
    ['--', '-x'],
  ]) {
    const { code, stdout, stderr, files } = await convert({}, '-o', 'f.yaml', ...argv);
    assert.deepEqual([code, stdout, files], [65, '', {}], stderr);
    assert.match(stderr, /^(Cannot read (gone|folder\/): |argument 1: ).*\n$/);
  }
});

test('takes options of its own only before --', async () => {
  const { code, stderr } = await convert({}, '-iface=eth0');
  assert.equal(code, 64);
  assert.match(stderr, /unknown option '-iface=eth0'/);
  const behind = await convert({}, '--', '--force');
  assert.deepEqual([behind.code, behind.stderr], [65, 'argument 1: flanneld has no flag -force\n']);
});
