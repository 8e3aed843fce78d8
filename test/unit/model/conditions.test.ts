import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CONDITION_TYPES, type ConditionFacts, conditionsOf } from '../../../src/model/conditions.js';
import type { StoreView } from '../../../src/model/store-view.js';
import { trialStanding } from '../../../src/model/trial.js';

const VIEW: StoreView = { leases: [], quarantined: [], taken: [] };
const FINE: ConditionFacts = {
  store: { description: 'etcd http://10.8.64.10:2379', alarms: [], view: VIEW },
  declaresNetwork: true,
  undecided: undefined,
  objects: [],
};

const texts = (facts: Partial<ConditionFacts>) =>
  conditionsOf({ ...FINE, ...facts }).map(({ type, message }) => `${type}: ${message}`);

test('where nothing is wrong nothing is said', () => assert.deepEqual(texts({}), []));

for (const [trouble, type] of [
  ['unreachable', 'EtcdUnavailable'],
  ['auth', 'EtcdAuth'],
  ['tls', 'EtcdTls'],
  ['alarm', 'EtcdAlarm'],
] as const) {
  test(`a store that fails for ${trouble} is ${type}`, () => {
    const store = { ...FINE.store, failure: { trouble, message: 'why' }, alarms: ['NOSPACE'] };
    assert.deepEqual(texts({ store }), [`${type}: why`]);
  });
}

test('a store that serves and complains has its complaint passed on', () => {
  assert.deepEqual(texts({ store: { ...FINE.store, alarms: ['NOSPACE'] } }), [
    'EtcdAlarm: etcd http://10.8.64.10:2379 has raised NOSPACE',
  ]);
});

test('a network is missed only where the file declares none and the store was read', () => {
  assert.deepEqual(texts({ declaresNetwork: false }), [
    'NetworkMissing: no network is published in the store, and the file has none',
  ]);
  assert.deepEqual(texts({ declaresNetwork: false, store: { ...FINE.store, view: undefined } }), []);
  const view = { ...VIEW, network: { error: 'Network is missing' } };
  assert.deepEqual(texts({ declaresNetwork: false, store: { ...FINE.store, view } }), [
    'NetworkInvalid: Network is missing',
  ]);
});

test('a lease is at risk when less than half of its time is left', () => {
  assert.deepEqual(texts({ leaseTerm: { leftMs: 43_200_000, ttlMs: 86_400_000 } }), []);
  assert.deepEqual(texts({ leaseTerm: { leftMs: 43_199_999, ttlMs: 86_400_000 } }), [
    'LeaseAtRisk: the lease was not refreshed, 720 min are left of it',
  ]);
});

test('objects of one trouble are one condition, and the order is that of the list', () => {
  const failed = (kind: 'peer' | 'forwarder' | 'file', key: `${string}:${string}`) =>
    ({ kind, key, state: 'failed', reason: 'no' }) as const;
  assert.deepEqual(
    texts({
      objects: [
        failed('peer', 'peer:a'),
        failed('peer', 'peer:b'),
        failed('file', 'file:/x'),
        failed('forwarder', 'forwarder:flannel0'),
        { kind: 'route', key: 'route:4.0.0.0/16', state: 'conflict', reason: 'not ours' },
        { kind: 'docker-bridge', key: 'docker-bridge:docker0', state: 'foreign', reason: 'other MTU' },
        { kind: 'link', key: 'link:x', state: 'foreign', reason: 'not ours' },
        { kind: 'sysctl', key: 'sysctl:a', state: 'contested', reason: 'undone 6 times' },
      ],
      configError: 'line 1',
    }),
    [
      'ForeignRoute: route:4.0.0.0/16: not ours',
      'Contested: sysctl:a: undone 6 times',
      'ForwarderFailed: forwarder:flannel0: no',
      'FileWrite: file:/x: no',
      'ChangeFailed: peer:a: no (and 1 more)',
      'DockerOutOfStep: docker-bridge:docker0: other MTU',
      'ConfigKept: line 1',
    ],
  );
});

test('a change on trial is named with who began it, until when, and what ends it', () => {
  const record = {
    file: '/etc/flannelette.yaml',
    by: 'alice from 10.8.0.7',
    pid: 4711,
    startedAt: '2026-11-27T10:00:00.000Z',
    revertsAt: '2026-11-27T10:02:00.000Z',
  };
  const at = (seconds: number) => Date.parse(record.revertsAt) + seconds * 1000;
  const begun = 'begun by alice from 10.8.0.7 at 2026-11-27T10:00:00.000Z';
  assert.deepEqual(texts({ trial: trialStanding(record, at(30)) }), [
    `ChangeOnTrial: /etc/flannelette.yaml is on trial until 2026-11-27T10:02:00.000Z, ${begun}: \`flannelette confirm\` keeps it, \`flannelette rollback\` takes it back at once`,
  ]);
  assert.match(
    texts({ trial: trialStanding(record, at(36)) }).join(),
    /was on trial until .*, and process 4711 has not taken it back: `flannelette confirm` keeps it/,
  );
});

test('keys of strangers are quoted before they reach a terminal', () => {
  const view = { ...VIEW, quarantined: [{ key: 'subnets/\u001b[2J', reason: 'no subnet' }] };
  assert.deepEqual(texts({ store: { ...FINE.store, view } }), [
    'LeasesSetAside: "subnets/\\u001b[2J": no subnet',
  ]);
});

test('the manual has a row for each condition, in the same order', () => {
  const page = readFileSync(new URL('../../../../docs/conditions.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, type]) => type);
  assert.deepEqual(rows, [...CONDITION_TYPES]);
});
