/** Files that others start from, and the daemon's own: edited, deleted, half-written, or impossible to write. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '../../fakes/seeded-random.js';
import { worldDifference, worldOf } from '../../lab/host-world.js';
import { diedAt, killedAfter } from '../../lab/killed-writer.js';
import { isWhole, wholeContent } from '../../lab/whole-file.js';
import type { Row, Size } from '../row.js';
import { CONFIG, type Scene } from '../scene.js';
import { ASK_EVERY_MS, type Station } from '../station.js';

const ENV = '/run/flannel/subnet.env';
const DOCKER = '/run/flannel/docker';
const ENOUGH_RETRIES_MS = { test: 1_000, standard: 4_000, full: 4_000 } as const;

export const FILE_ROWS: readonly Row[] = [
  {
    id: 'F1',
    fault: 'whoever writes a file is killed, at each step of a write and in between',
    expected: 'What is read is the old file or the new one, never half of one.',
    bar: { lost: 0 },
    counts: { test: 1, standard: 1, full: 1 },
    inject: killedAtEachStep,
  },
  {
    id: 'F2',
    fault: 'there is no space for the files, and then there is',
    expected: 'Packets flow on; condition `FileWrite`. The file is written as soon as there is space.',
    bar: { healedMs: 1_000, lost: 0, logLinesPerMinute: 200 },
    counts: { test: 1, standard: 5, full: 20 },
    inject: noSpace,
  },
  {
    id: 'F3',
    fault: 'a file is edited, truncated or deleted, or its directory is',
    expected: 'It is written again.',
    bar: { healedMs: 250, lost: 0 },
    counts: { test: 1, standard: 15, full: 50 },
    inject: edited,
  },
  {
    id: 'F4',
    fault: 'subnet.env and the record of the packet loop are garbage when the daemon starts',
    expected: 'It says so in a line, goes by etcd, and has the same subnet as before.',
    bar: { healedMs: 5_000 },
    counts: { test: 1, standard: 10, full: 40 },
    inject: garbage,
  },
  {
    id: 'F5',
    fault: 'a symbolic link to another file stands in the place of subnet.env',
    expected: 'The link is replaced; what it leads to is not touched.',
    bar: { healedMs: 250, lost: 0 },
    counts: { test: 1, standard: 15, full: 50 },
    remark: 'a link in the place of the directory is followed: /var/run is one to /run.',
    inject: linked,
  },
  {
    id: 'F6',
    fault:
      'the configuration is half saved, has tabs, a key twice, a bomb of aliases, ten megabytes, wrong types, unknown keys',
    expected: 'The last good one goes on; `status` says what is wrong and where.',
    bar: { healedMs: 250, lost: 0 },
    counts: { test: 1, standard: 5, full: 20 },
    inject: hostileConfig,
  },
];

/** More than a write has; the first writer that gets through alive ends it. */
const MOST_STEPS = 40;
/** After so many writes each. */
const KILLS = { test: 2, standard: 500, full: 10_000 } as const;
const WRITES_BEFORE = 2;

async function killedAtEachStep(_: Scene, size: Size) {
  const directory = mkdtempSync(join(tmpdir(), 'flannelette-faults-'));
  const path = join(directory, 'file');
  const isWholeNow = (what: string) => assert.ok(isWhole(readFileSync(path, 'utf8')), `half a file ${what}`);
  try {
    writeFileSync(path, wholeContent(0));
    let step = 1;
    for (; (await diedAt(path, step)) !== null; step++) {
      isWholeNow(`at step ${step}`);
      // What a dead writer leaves costs the next one steps of its own.
      for (const name of readdirSync(directory)) if (name !== 'file') rmSync(join(directory, name));
      assert.ok(step < MOST_STEPS, 'the writer never got through');
    }
    for (let kill = 0; kill < KILLS[size]; kill++) {
      await killedAfter(path, WRITES_BEFORE, () => isWholeNow(`before kill ${kill}`));
      isWholeNow(`after kill ${kill}`);
    }
    return { times: step - 1 + KILLS[size] };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function noSpace({ first }: Scene, size: Size) {
  const { shell, host } = first;
  const wanted = await host.readFile(ENV);
  const start = performance.now();
  await shell.run(`
used=$(df --output=used -k /run | tail -1)
mount -o remount,size=$((used + 64))k /run
dd if=/dev/zero of=/run/filler bs=4k 2>/dev/null || true
echo MORE=1 >>${ENV}`);
  try {
    await first.until(
      'the trouble is told',
      start,
      () => conditionIs(first, 'FileWrite', true),
      ASK_EVERY_MS,
    );
    await first.until('some retries have failed', start, () =>
      assert.ok(performance.now() > start + ENOUGH_RETRIES_MS[size]),
    );
  } finally {
    await shell.run('rm /run/filler');
  }
  const freed = performance.now();
  const healedMs = await first.until('the file is written', freed, () =>
    assert.equal(readFileSync(first.path(ENV), 'utf8'), wanted),
  );
  const faultMs = performance.now() - start;
  await shell.run('mount -o remount,size=50% /run');
  await first.until(
    'the condition is over',
    freed,
    () => conditionIs(first, 'FileWrite', false),
    ASK_EVERY_MS,
  );
  return { healedMs, faultMs };
}

async function conditionIs(station: Station, type: string, holds: boolean): Promise<void> {
  const { conditions } = await station.status();
  assert.equal(
    conditions.some((condition) => condition.type === type),
    holds,
    JSON.stringify(conditions),
  );
}

async function edited({ first }: Scene) {
  const faults = [`rm ${ENV}`, `echo MORE=1 >>${ENV}`, `: >${DOCKER}`, 'rm -r /run/flannel'];
  const times: number[] = [];
  for (const fault of faults) times.push(await filesHealedAfter(first, fault));
  return { healedMs: Math.max(...times), times: faults.length };
}

async function filesHealedAfter(station: Station, fault: string): Promise<number> {
  const content = () => [ENV, DOCKER].map((name) => readFileSync(station.path(name), 'utf8'));
  const wanted = content();
  const start = performance.now();
  await station.shell.run(fault);
  return station.until(`what "${fault}" did is mended`, start, () => assert.deepEqual(content(), wanted));
}

const random = seededRandom(4);

async function garbage({ first }: Scene) {
  const world = await worldOf(first.host);
  const record = '/run/flannelette/flannel0.forwarding.json';
  first.daemon.signal('SIGTERM');
  await first.daemon.exited;
  for (const name of [ENV, record]) {
    const good = readFileSync(first.path(name));
    // Every other byte flipped, from somewhere on.
    const from = Math.floor(random.next() * good.length);
    writeFileSync(
      first.path(name),
      good.map((byte, at) => (at >= from && at % 2 === 0 ? byte ^ 0xff : byte)),
    );
  }
  const start = performance.now();
  await first.restart();
  const healedMs = performance.now() - start;
  assert.deepEqual(worldDifference(world, await worldOf(first.host)), []);
  return { healedMs };
}

async function linked({ first }: Scene) {
  const elsewhere = '/run/elsewhere';
  const wanted = await first.host.readFile(ENV);
  const start = performance.now();
  await first.shell.run(`echo theirs >${elsewhere}; ln -sfn ${elsewhere} ${ENV}`);
  const healedMs = await first.until('the link is replaced', start, () =>
    assert.equal(readFileSync(first.path(ENV), 'utf8'), wanted),
  );
  assert.equal(await first.shell.run(`cat ${elsewhere}; stat -c %F ${ENV}`), 'theirs\nregular file\n');
  await first.shell.run(`rm ${elsewhere}`);
  return { healedMs };
}

const BOMB = `a: &a [x, x, x, x, x, x, x, x, x]
${Array.from({ length: 8 }, (_, level) => {
  const [name, before] = [String.fromCharCode(98 + level), String.fromCharCode(97 + level)];
  return `${name}: &${name} [${Array(9).fill(`*${before}`).join(', ')}]`;
}).join('\n')}
`;
const BAD_CONFIGS = [
  CONFIG.slice(0, 25),
  `network:\n\tcidr: 4.0.0.0/16\n`,
  CONFIG + CONFIG,
  BOMB,
  `# ${'x'.repeat(10_000_000)}\n${CONFIG}`,
  CONFIG.replace('true', '[1]'),
  `${CONFIG}netwrok: {}\n`,
];

async function hostileConfig({ first }: Scene) {
  const { member, host } = first;
  const times: number[] = [];
  for (const [index, bad] of BAD_CONFIGS.entries()) {
    const before = (await first.status()).config.error;
    await host.writeFile('/run/bad.yaml', bad);
    const start = performance.now();
    await first.shell.run(`mv /run/bad.yaml ${member.configPath}`);
    times.push(
      await first.until(
        `bad file ${index} is told`,
        start,
        async () => {
          const { config, ready } = await first.status();
          assert.ok(config.error !== undefined && config.error !== before, config.error);
          assert.equal(ready, true);
        },
        ASK_EVERY_MS,
      ),
    );
  }
  await host.writeFile(member.configPath, CONFIG);
  await first.until('the good one is taken', 0, async () =>
    assert.equal((await first.status()).config.error, undefined),
  );
  return { healedMs: Math.max(...times), times: BAD_CONFIGS.length };
}
