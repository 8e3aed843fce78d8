import assert from 'node:assert/strict';
import test from 'node:test';
import { actionLine, planText, widePlanText } from '../../../src/cli/render-plan.js';
import { stateSummary } from '../../../src/cli/render-state.js';
import { parseAddress, parsePrefix } from '../../../src/model/address.js';
import {
  KINDS,
  type LinkState,
  type PlannedAction,
  type Plans,
  type StateOf,
} from '../../../src/model/objects.js';
import type { Origin } from '../../../src/model/origin.js';
import type { Action } from '../../../src/model/plan.js';
import { type PlanQuestion, planDocument } from '../../../src/model/plan-document.js';

const LINK: LinkState = {
  name: 'flannel0',
  kind: 'tun',
  mtu: 1472,
  up: true,
  alias: 'flannelette flannel0',
  multiQueue: false,
};

const CREATE_LINK: Action<LinkState> = {
  verb: 'create',
  key: 'link:flannel0',
  reason: 'missing',
  after: LINK,
  requires: [],
  interrupts: false,
};

const PLANS: Plans = {
  // Not in the order of the kinds: the plan is.
  file: {
    actions: [
      {
        verb: 'delete',
        key: 'file:/run/flannel/docker',
        reason: 'not wanted any more',
        before: { path: '/run/flannel/docker', content: 'a\n', mode: 0o644 },
        requires: [],
        interrupts: false,
      },
    ],
    foreign: [],
  },
  link: { actions: [CREATE_LINK], foreign: [] },
  route: {
    actions: [],
    foreign: [{ key: 'route:4.0.0.0/16', reason: 'not ours: dev eth0, want flannel0', blocks: true }],
  },
  forwarder: {
    actions: [
      {
        verb: 'update',
        key: 'forwarder:flannel0',
        reason: 'port 8285, want 8286',
        requires: ['link:flannel0'],
        interrupts: true,
      },
    ],
    foreign: [],
  },
  sysctl: { actions: [], foreign: [] },
};

const QUESTION: PlanQuestion = { file: '/etc/flannelette.yaml', instance: 'flannel0', adopt: false };
const ORIGIN: Origin = {
  config: { key: 'network.backend', file: '/etc/flannelette.yaml', line: 4 },
  rule: 'backend udp: its device',
};
const document = (plans: Plans, only?: PlanQuestion['only']) =>
  planDocument({ ...QUESTION, ...(only && { only }) }, plans, (kind) =>
    kind === 'link' ? ORIGIN : undefined,
  );

test('a plan is a block for each kind that has something to say, and a line that counts', () => {
  assert.equal(
    planText(document(PLANS)),
    `link
  + link:flannel0             missing (tun, mtu 1472)  <- flannelette.yaml:4
forwarder
  ~ forwarder:flannel0        port 8285, want 8286  [interrupts traffic]
route
  ! route:4.0.0.0/16          not ours: dev eth0, want flannel0
file
  - file:/run/flannel/docker  not wanted any more
Plan: 1 to create, 1 to update, 1 to delete, 1 foreign left alone
`,
  );
});

test('an empty plan is the line that counts', () => {
  const want = 'Plan: 0 to create, 0 to update, 0 to delete, 0 foreign left alone\n';
  assert.equal(planText(document({})), want);
  assert.equal(planText(document({ sysctl: { actions: [], foreign: [] } })), want);
});

test('as data it is one list in the order of the kinds, with the kind and all that the action says', () => {
  const plan = document(PLANS);
  assert.deepEqual(Object.keys(plan), [
    ...['apiVersion', 'kind', 'file', 'instance', 'adopt', 'actions', 'foreign', 'summary'],
  ]);
  assert.deepEqual([plan.apiVersion, plan.kind], ['flannelette/v1', 'Plan']);
  assert.deepEqual(
    plan.actions.map(({ kind, key }) => `${kind} ${key}`),
    ['link link:flannel0', 'forwarder forwarder:flannel0', 'file file:/run/flannel/docker'],
  );
  assert.deepEqual(plan.actions[0], { kind: 'link', ...CREATE_LINK, from: ORIGIN });
  assert.deepEqual(plan.foreign, [
    { kind: 'route', key: 'route:4.0.0.0/16', reason: 'not ours: dev eth0, want flannel0', blocks: true },
  ]);
  assert.deepEqual(plan.summary, { create: 1, update: 1, delete: 1, foreign: 1 });
  assert.deepEqual(JSON.parse(JSON.stringify(plan)), plan, 'and plain JSON');
});

test('of some kinds alone it has and counts nothing of the others', () => {
  const plan = document(PLANS, ['route', 'file']);
  assert.deepEqual(
    plan.actions.map(({ key }) => key),
    ['file:/run/flannel/docker'],
  );
  assert.deepEqual(plan.summary, { create: 0, update: 0, delete: 1, foreign: 1 });
});

test('wide, it says of each change why, what it needs, what was found and what is wanted', () => {
  const { actions } = document({
    link: { actions: [{ ...CREATE_LINK, requires: ['lease:x'] }], foreign: [] },
  });
  assert.equal(
    widePlanText({ ...document({}), actions }).split('Plan:')[0],
    `link
  + link:flannel0  missing (tun, mtu 1472)  <- flannelette.yaml:4
      because backend udp: its device
      key     network.backend
      needs   lease:x
      wanted  ${JSON.stringify(LINK)}
`,
  );
});

test('an action stands in one line, and only a create says what it makes', () => {
  const planned: PlannedAction = { kind: 'link', ...CREATE_LINK };
  assert.equal(actionLine(planned), '  + link:flannel0  missing (tun, mtu 1472)');
  assert.equal(actionLine(planned, 20), '  + link:flannel0         missing (tun, mtu 1472)');
  assert.equal(
    actionLine({ ...planned, verb: 'update', interrupts: true }),
    '  ~ link:flannel0  missing  [interrupts traffic]',
  );
});

const IPV4 = {
  cidr: parsePrefix('4.0.0.0/16'),
  subnetLength: 24,
  subnetMin: parseAddress('4.0.1.0'),
  subnetMax: parseAddress('4.0.255.0'),
};
const IPV6 = {
  cidr: parsePrefix('fd00:1::/48'),
  subnetLength: 64,
  subnetMin: parseAddress('fd00:1:0:1::'),
  subnetMax: parseAddress('fd00:1:0:ffff::'),
};
const [ONE, TWO] = [parseAddress('10.8.65.66'), parseAddress('2001:db8::66')];
const ROUTE: StateOf['route'] = {
  destination: IPV4.cidr,
  table: 254,
  tos: 0,
  metric: 0,
  onlink: false,
  type: 'unicast',
  scope: 'global',
};

/** For each kind some states, and what is said of them. */
const SUMMARIES: { readonly [K in (typeof KINDS)[number]]: readonly (readonly [StateOf[K], string])[] } = {
  'network-config': [
    [{ config: { ipv4: IPV4, backend: { type: 'udp', port: 8285 } } }, '4.0.0.0/16 in /24s, backend udp'],
    [
      { config: { ipv4: IPV4, ipv6: IPV6, backend: { type: 'udp', port: 8285 } } },
      '4.0.0.0/16 in /24s, fd00:1::/48 in /64s, backend udp',
    ],
    [{ invalid: 'no JSON' }, ''],
  ],
  command: [
    [{ purpose: 'x', run: { argv: ['overlay', 'up'], env: {}, input: '', timeoutMs: 1 } }, 'overlay up'],
  ],
  lease: [
    [{ subnets: {}, attributes: { publicIps: { ipv4: ONE }, backendType: '' } }, 'at 10.8.65.66'],
    [
      { subnets: {}, attributes: { publicIps: { ipv4: ONE, ipv6: TWO }, backendType: '' } },
      'at 10.8.65.66, 2001:db8::66',
    ],
  ],
  link: [
    [LINK, 'tun, mtu 1472'],
    [{ ...LINK, multiQueue: true }, 'tun, mtu 1472, multi-queue'],
    [
      {
        name: 'flannel.1',
        kind: 'vxlan',
        mtu: 1450,
        up: true,
        alias: '',
        vxlan: { vni: 1, port: 8472, learning: false, gbp: false, mac: '66:6c:0a:08:41:42' },
      },
      'vxlan, id 1, port 8472, mtu 1450',
    ],
  ],
  sysctl: [[{ name: 'net.ipv4.ip_forward', value: '1' }, '1']],
  address: [[{ link: 'flannel0', address: ONE, length: 32 }, '']],
  forwarder: [
    [
      {
        tun: 'flannel0',
        workers: 1,
        mtu: 1472,
        tunAddress: ONE,
        subnet: IPV4.cidr,
        publicIp: ONE,
        bind: { address: ONE, port: 8285 },
        sourceCheck: 'strict',
        offload: true,
        fastPath: false,
      },
      'on 10.8.65.66:8285',
    ],
  ],
  peer: [[{ subnet: IPV4.cidr, publicIp: ONE, port: 8285 }, 'at 10.8.65.66:8285']],
  fdb: [[{ link: 'flannel.1', mac: '66:6c:0a:08:41:35', destination: ONE }, 'to 10.8.65.66']],
  neighbour: [[{ link: 'flannel.1', address: ONE, mac: '66:6c:0a:08:41:35' }, 'at 66:6c:0a:08:41:35']],
  route: [
    [{ ...ROUTE, link: 'flannel0' }, 'dev flannel0'],
    [{ ...ROUTE, via: ONE }, 'via 10.8.65.66'],
    [{ ...ROUTE, link: 'eth0', via: ONE }, 'via 10.8.65.66 dev eth0'],
  ],
  masquerade: [
    [
      {
        family: 'ipv4',
        table: 't',
        rules: [{ verdict: 'masquerade' }, { verdict: 'return' }],
        unreadable: [],
      },
      '2 rules',
    ],
  ],
  forward: [
    [{ family: 'ipv4', chain: 'c', accept: [IPV4.cidr], jump: true, unreadable: [] }, 'accepts 4.0.0.0/16'],
  ],
  // Never made.
  'flannel-rules': [],
  file: [[{ path: '/a', content: 'one\ntwo\n', mode: 0o644 }, '2 lines']],
  'docker-settings': [
    [
      { path: '/etc/docker/daemon.json', settings: { bip: '4.0.100.1/24', mtu: 1472 }, foreign: [] },
      'bip 4.0.100.1/24, mtu 1472',
    ],
  ],
  // Never made, only looked at.
  'docker-bridge': [],
};

for (const kind of KINDS) {
  for (const [state, want] of SUMMARIES[kind]) {
    test(`of one of kind ${kind} it says "${want}"`, () =>
      assert.equal(stateSummary(kind, state as never), want));
  }
}
