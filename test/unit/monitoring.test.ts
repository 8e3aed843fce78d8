/** What monitoring is told, and that the examples ask for nothing else. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { load } from 'js-yaml';
import { CONDITION_TYPES } from '../../src/model/conditions.js';
import { LateMeters } from '../../src/runtime/daemon/late-meters.js';
import { meteredStore } from '../../src/runtime/store/metered-store.js';
import { createMeters } from '../../src/sys/meters.js';
import { DAEMON_CONFIG, withDaemon } from '../fakes/daemon-world.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { FakeMeters } from '../fakes/fake-meters.js';
import { FakeStore } from '../fakes/fake-store.js';
import { repositoryRoot } from '../lab/repository.js';

const NEVER = new AbortController().signal;

/** Each sample of an exposition: `flannelette_ready` → `1`. */
function samples(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => line.split(/ (?=\S+$)/) as [string, string]));
}

async function exposition(): Promise<string> {
  let text = '';
  await withDaemon(async (world) => {
    const meters = createMeters(() => world.status());
    meters.acted('route', 'create', 'done');
    meters.healed('route', 0.02);
    meters.storeCalled('snapshot', 0.003, 'answered');
    await meters.text(); // The second scrape must not count twice.
    text = (await meters.text()).text;
  });
  return text;
}

test('a scrape tells how the host is, what was done and how long it took', async () => {
  const values = samples(await exposition());
  for (const [sample, value] of [
    ['flannelette_ready', '1'],
    ['flannelette_build_info{version="1.2.3",instance="flannel0"}', '1'],
    ['flannelette_config_valid', '1'],
    ['flannelette_store_live', '1'],
    ['flannelette_condition{type="EtcdUnavailable"}', '0'],
    ['flannelette_objects{kind="link",state="in-sync"}', '1'],
    ['flannelette_actions_total{kind="route",verb="create",outcome="done"}', '1'],
    ['flannelette_heal_seconds_bucket{le="0.01",kind="route"}', '0'],
    ['flannelette_heal_seconds_bucket{le="0.025",kind="route"}', '1'],
    ['flannelette_store_call_seconds_count{call="snapshot",outcome="answered"}', '1'],
    ['flannelette_packets_total{direction="sent"}', '0'],
  ] as const) {
    assert.equal(values.get(sample), value, sample);
  }
  assert.ok(
    Number(values.get('flannelette_lease_expiry_timestamp_seconds{subnet="4.0.100.0/24"}')) > 1_000_000,
  );
  const conditions = [...values.keys()].filter((sample) => sample.startsWith('flannelette_condition{'));
  assert.equal(conditions.length, CONDITION_TYPES.length);
});

test('a scrape tells what is wrong', async () => {
  await withDaemon(async (world) => {
    world.store.goDown();
    world.writeConfig(DAEMON_CONFIG.replace('network', 'netwrk'));
    await world.clock.advance(61_000);
    const values = samples((await createMeters(() => world.status()).text()).text);
    assert.equal(values.get('flannelette_store_live'), '0');
    assert.equal(values.get('flannelette_condition{type="EtcdUnavailable"}'), '1');
    assert.equal(values.get('flannelette_config_valid'), '0');
  });
});

test('the daemon times its healing and its store', async () => {
  await withDaemon(async (world) => {
    world.meters.log.length = 0;
    world.kernel.foreign({ op: 'set-link', name: 'flannel0', mtu: 1000 });
    await world.clock.advance(1_000);
    const { log } = world.meters;
    assert.deepEqual(
      log.filter((line) => line.includes('link')),
      ['acted link update done', 'healed link'],
    );
    world.follower.refresh(NEVER).catch(() => {});
    await world.clock.advance(10);
    assert.equal(log.at(-1), 'called snapshot answered');
  });
});

test('a store that fails is timed too, and fails all the same', async () => {
  const [store, meters] = [new FakeStore(), new FakeMeters()];
  store.goDown();
  await assert.rejects(meteredStore(store, meters, new FakeClock()).snapshot(NEVER), /connection refused/);
  assert.deepEqual(meters.log, ['called snapshot failed']);
});

test('what is measured before the first scrape is not lost, and nothing is loaded before it', async () => {
  const loaded: FakeMeters[] = [];
  const meters = new LateMeters(async () => {
    const fake = new FakeMeters();
    loaded.push(fake);
    return fake;
  });
  meters.acted('link', 'create', 'done');
  meters.healed('link', 1);
  assert.equal(loaded.length, 0);
  const [first, second] = await Promise.all([meters.text(), meters.text()]);
  assert.equal(first.text, 'acted link create done\nhealed link\n');
  assert.deepEqual(second, first);
  meters.storeCalled('snapshot', 1, 'answered');
  assert.match((await meters.text()).text, /called snapshot answered\n$/);
  assert.equal(loaded.length, 1);
});

test('meters that could not be loaded are loaded for the next who asks, with all that was measured', async () => {
  let loads = 0;
  const meters = new LateMeters(async () => {
    if (++loads === 1) throw new Error('Cannot find module');
    return new FakeMeters();
  });
  meters.acted('link', 'create', 'done');
  await assert.rejects(meters.text(), /Cannot find module/);
  assert.equal((await meters.text()).text, 'acted link create done\n');
});

for (const file of [
  'examples/monitoring/alerts.yaml',
  'examples/monitoring/dashboard.json',
  'docs/monitoring.md',
]) {
  test(`${file} names metrics that exist`, async () => {
    const text = readFileSync(join(repositoryRoot(), file), 'utf8');
    if (!file.endsWith('.md')) assert.ok(load(text), 'cannot be read');
    const known = new Set([...(await exposition()).matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name));
    const named = [...text.matchAll(/\bflannelette_\w+/g)].map(([name]) => name);
    assert.ok(named.length > 5);
    // A histogram's parts are read under names of their own.
    for (const name of named) assert.ok(known.has(name) || known.has(name.replace(/_bucket$/, '')), name);
  });
}
