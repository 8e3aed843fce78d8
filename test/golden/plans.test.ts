/**
 * A file and a world → what `diff` prints and what `apply` leaves: plans/NN-name/{config.yaml,world.yaml} →
 * {plan.txt,after.txt}, rewritten by `make golden`.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { load } from 'js-yaml';
import { CONFIG_PATH, FakeHost } from '../fakes/fake-host.js';
import { repositoryRoot } from '../lab/repository.js';
import { putOnFakes } from '../worlds/on-fakes.js';
import { EMPTY_WORLD, type World } from '../worlds/world.js';

const FOLDER = join(repositoryRoot(), 'test/golden/plans');
const CASES = readdirSync(FOLDER).sort();

for (const name of CASES) {
  test(`plans and applies ${name}`, async () => {
    const read = (file: string) => readFileSync(join(FOLDER, name, file), 'utf8');
    const host = new FakeHost();
    await putOnFakes(host, { ...EMPTY_WORLD, ...(load(read('world.yaml')) as Partial<World>) });
    host.files.edit(CONFIG_PATH, read('config.yaml'));

    const [before, writes] = [await host.lines(), host.writes];
    const more = name.endsWith('-adopt') ? ['--adopt'] : [];
    const yes = name.endsWith('-allowed') ? ['--allow-renumber'] : [];
    const diff = await host.flannelette('diff', '-f', CONFIG_PATH, ...more);
    assert.deepEqual([await host.lines(), host.writes], [before, writes], 'diff wrote something');
    const apply = await host.flannelette('apply', '-f', CONFIG_PATH, ...more, ...yes);
    const after = (await host.lines()).filter((line) => !line.startsWith(`file ${CONFIG_PATH} `));
    const again = await host.flannelette('diff', '-f', CONFIG_PATH);

    expectText(name, 'plan.txt', diff.stdout + diff.stderr);
    const codes = { diff, apply, 'diff again': again };
    const report = Object.entries(codes).map(([what, { exitCode }]) => `${what}: exit code ${exitCode}`);
    expectText(name, 'after.txt', [...report, apply.stderr, ...after, ''].join('\n'));
  });
}

function expectText(name: string, file: string, text: string): void {
  const path = join(FOLDER, name, file);
  if (process.env.GOLDEN === 'write') writeFileSync(path, text);
  assert.equal(text, existsSync(path) ? readFileSync(path, 'utf8') : '(no expected file yet: make golden)');
}

test('has a fair number of cases', () => assert.ok(CASES.length >= 30, `${CASES.length} cases`));
