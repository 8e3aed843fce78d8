/** The whole command `docker-opts --compat` against every file that flannel's own script was seen to write. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { runCommandLine } from '../../src/cli/program.js';
import type { CommandContext } from '../../src/cli/session.js';
import { type Address, type Prefix, parseAddress, parsePrefix } from '../../src/model/address.js';
import { plain } from '../../src/model/paint.js';
import type { NetlinkRoute } from '../../src/ports.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { FakeFiles } from '../fakes/fake-files.js';
import { repositoryRoot } from '../lab/repository.js';

const FOLDER = join(repositoryRoot(), 'test/golden/docker-opts-compat');
const SUBNET_ENV = '/run/flannel/subnet.env';
const OUTPUT = '/run/docker_opts.env';
const CASES = readdirSync(FOLDER).filter((name) => /^[ab](-[cik].*)?\.env$/.test(name));

const captured = (name: string) => readFileSync(join(FOLDER, name), 'utf8');

interface Run {
  readonly files: FakeFiles;
  readonly clock?: FakeClock;
  readonly routes?: readonly NetlinkRoute[];
  readonly environment?: Readonly<Record<string, string>>;
}

async function dockerOpts(
  { files, clock = new FakeClock(), routes = [], environment = {} }: Run,
  ...argv: readonly string[]
) {
  let stderr = '';
  const context: CommandContext = {
    version: '0.0.0',
    out: () => {},
    paint: plain,
    err: (text) => {
      stderr += text;
    },
    showProgress: () => () => {},
    signal: new AbortController().signal,
    clock,
    control: { serve: async () => {}, ask: async () => undefined },
    pid: 1,
    isTerminal: false,
    files,
    directories: files,
    startDetached: () => assert.fail('docker-opts starts nothing'),
    environment,
    absolutePath: (path) => path,
    readConfig: () => Promise.reject(new Error('docker-opts reads no configuration')),
    set: () => {},
    settings: () => [],
    schemaPath: '/schema.json',
    configReference: () => Promise.reject(new Error('docker-opts explains nothing')),
    readPlan: () => Promise.reject(new Error('docker-opts plans nothing')),
    readText: async (path) => (await files.read(path))?.content,
    openOutput: () => assert.fail('docker-opts writes no bytes'),
    writeText: (path, content) => files.write(path, content, 0o644),
    logAs: () => {},
    forwarding: () => Promise.reject(new Error('docker-opts forwards nothing')),
    host: async () => ({
      routes: async () => routes,
      openSession: () => assert.fail('docker-opts opens no session'),
      requirePrivileges: () => assert.fail('docker-opts asks for no privilege'),
      lock: () => assert.fail('docker-opts locks nothing'),
      forget: () => assert.fail('docker-opts forgets nothing'),
      runDaemon: () => assert.fail('docker-opts runs no daemon'),
    }),
    tools: () => assert.fail('docker-opts looks for nothing'),
  };
  const exitCode = await runCommandLine(context, ['docker-opts', ...argv]);
  return { exitCode, stderr, output: (await files.read(OUTPUT))?.content };
}

/** A route as another host's lease would make it. */
function route(destination: Prefix, via?: Address): NetlinkRoute {
  const usual = { table: 254, tos: 0, metric: 0, protocol: 77, scope: 'global', type: 'unicast' } as const;
  return { ...usual, destination, link: 'eth0', ...(via && { via }), onlink: false, multipath: false };
}

test('finds every captured case', () => assert.equal(CASES.length, 5, CASES.join()));

for (const name of CASES) {
  const [, host = '', letter, key] = /^([ab])(?:-([cik])(?:-(\w+))?)?\.env$/.exec(name) ?? [];
  const options = [...(letter === undefined ? [] : [`-${letter}`]), ...(key === undefined ? [] : [key])];
  test(`writes what the script wrote into ${name}`, async () => {
    const files = new FakeFiles({ [SUBNET_ENV]: captured(`${host}-subnet.env`) });
    const result = await dockerOpts({ files }, '--compat', '-f', SUBNET_ENV, '-d', OUTPUT, ...options);
    assert.deepEqual(result, { exitCode: 0, stderr: '', output: captured(name) });
  });
}

test('fails as the script does on a route to our own subnet by way of another host, when all is written', async () => {
  const subnetEnv = captured('a-subnet.env');
  const via = parseAddress('198.18.0.12');
  const own = parsePrefix('10.1.28.0/24');
  const withRoutes = (...routes: readonly NetlinkRoute[]) =>
    dockerOpts({ files: new FakeFiles({ [SUBNET_ENV]: subnetEnv }), routes }, '--compat');
  assert.deepEqual(await withRoutes(route(own, via)), {
    exitCode: 1,
    stderr:
      "Docker's containers will not be reached: a route leads to their subnet 10.1.28.0/24 via 198.18.0.12\n",
    output: captured('a.env'),
  });
  const harmless = [
    route(own),
    route(parsePrefix('10.1.0.0/16'), via),
    route(parsePrefix('10.1.99.0/24'), via),
  ];
  assert.equal((await withRoutes(...harmless)).exitCode, 0);
});

test('writes empty options without a subnet.env, as the script does, and only when asked to', async () => {
  const compat = await dockerOpts({ files: new FakeFiles() }, '--compat');
  assert.deepEqual(compat, { exitCode: 0, stderr: '', output: 'DOCKER_OPTS=""\n' });
  const { exitCode, stderr, output } = await dockerOpts({ files: new FakeFiles() });
  assert.deepEqual([exitCode, output], [1, undefined]);
  assert.match(stderr, /^Cannot read \/run\/flannel\/subnet\.env: no such file; is the daemon running\?/);
});

test('leaves the output as it was on a wrong FLANNEL_IPMASQ, with the exit code of the script', async () => {
  const files = new FakeFiles({ [SUBNET_ENV]: 'FLANNEL_IPMASQ=perhaps\n', [OUTPUT]: 'before\n' });
  const { exitCode, output } = await dockerOpts({ files }, '--compat');
  assert.deepEqual([exitCode, output], [1, 'before\n']);
});

test('waits for subnet.env as long as it is told', async () => {
  const clock = new FakeClock();
  const files = new FakeFiles();
  const waiting = dockerOpts({ files, clock }, '--wait', '30s', '-c');
  await clock.advance(20_000);
  files.edit(SUBNET_ENV, captured('a-subnet.env'));
  await clock.advance(1_000);
  assert.deepEqual(await waiting, { exitCode: 0, stderr: '', output: captured('a-c.env') });
});

test('says after the wait that there still is none, and writes nothing', async () => {
  for (const compat of [[], ['--compat']]) {
    const clock = new FakeClock();
    const waiting = dockerOpts({ files: new FakeFiles(), clock }, '--wait', '30s', ...compat);
    await clock.advance(31_000);
    assert.deepEqual(await waiting, {
      exitCode: 1,
      stderr: 'Cannot read /run/flannel/subnet.env: still no such file after 30 s; is the daemon running?\n',
      output: undefined,
    });
  }
});
