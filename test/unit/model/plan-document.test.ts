import assert from 'node:assert/strict';
import test from 'node:test';
import {
  type ExplainedAction,
  movedSince,
  type PlanDocument,
  planDocument,
} from '../../../src/model/plan-document.js';

const QUESTION = { file: '/etc/flannelette.yaml', instance: 'flannel0', adopt: false };
const SYSCTL: ExplainedAction = {
  kind: 'sysctl',
  verb: 'update',
  key: 'sysctl:net.ipv4.ip_forward',
  reason: '0, want 1',
  before: { name: 'net.ipv4.ip_forward', value: '0' },
  after: { name: 'net.ipv4.ip_forward', value: '1' },
  requires: [],
  interrupts: false,
  from: { config: { key: 'network.cidr', file: '/etc/flannelette.yaml', line: 2 }, rule: 'it routes' },
};
const FILE: ExplainedAction = {
  kind: 'file',
  verb: 'create',
  key: 'file:/run/flannel/subnet.env',
  reason: 'missing',
  after: { path: '/run/flannel/subnet.env', content: 'A=1\n', mode: 0o644 },
  requires: ['lease:4.0.1.0-24'],
  interrupts: false,
};

function planOf(...actions: readonly ExplainedAction[]): PlanDocument {
  return { ...planDocument(QUESTION, {}, () => undefined), actions };
}

test('nothing has moved when the same is to be done, wherever the file says it now', () => {
  const moved = { ...SYSCTL, from: { config: { key: 'network.cidr' }, rule: 'it routes' } };
  assert.deepEqual(movedSince(planOf(SYSCTL, FILE), planOf(moved, FILE)), []);
  assert.deepEqual(movedSince(planOf(), planOf()), []);
});

for (const { what, now, want } of [
  {
    what: 'what is not to be done any more',
    now: planOf(FILE),
    want: ['sysctl:net.ipv4.ip_forward: planned was update (0, want 1); now nothing to do'],
  },
  {
    what: 'what is to be done otherwise',
    now: planOf(SYSCTL, { ...FILE, verb: 'update', reason: 'mode 0600, want 0644' }),
    want: ['file:/run/flannel/subnet.env: planned was create (missing); now update (mode 0600, want 0644)'],
  },
  {
    what: 'what is found in another state, though the same is said of it',
    now: planOf({ ...SYSCTL, before: { name: 'net.ipv4.ip_forward', value: '00' } }, FILE),
    want: [
      'sysctl:net.ipv4.ip_forward: planned was update (0, want 1); now update (0, want 1), from another state',
    ],
  },
  {
    what: 'what is to become of it otherwise, though the same is said of it',
    now: planOf(
      { ...SYSCTL, after: { name: 'net.ipv4.ip_forward', value: '01' }, requires: ['link:flannel0'] },
      { ...FILE, interrupts: true },
    ),
    want: [
      'sysctl:net.ipv4.ip_forward: planned was update (0, want 1); now update (0, want 1), to another state, after link:flannel0',
      'file:/run/flannel/subnet.env: planned was create (missing); now create (missing), with interruption',
    ],
  },
  {
    what: 'what has come into foreign hands',
    now: {
      ...planOf(SYSCTL),
      foreign: [{ kind: 'file', key: FILE.key, reason: 'cannot be read', blocks: true }] as const,
    },
    want: ['file:/run/flannel/subnet.env: planned was create (missing); now cannot be read'],
  },
  {
    what: 'what has to be done beside',
    now: planOf(SYSCTL, FILE, { ...FILE, key: 'file:/run/flannel/docker' }),
    want: ['file:/run/flannel/docker: planned was nothing; now create (missing)'],
  },
]) {
  test(`says ${what}`, () => assert.deepEqual(movedSince(planOf(SYSCTL, FILE), now), want));
}
