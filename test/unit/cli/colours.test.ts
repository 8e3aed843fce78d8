import assert from 'node:assert/strict';
import test from 'node:test';
import { applyText } from '../../../src/cli/render-apply.js';
import { doctorDocument, doctorText } from '../../../src/cli/render-doctor.js';
import { planText } from '../../../src/cli/render-plan.js';
import { briefText, statusText } from '../../../src/cli/render-status.js';
import { topText } from '../../../src/cli/render-top.js';
import { logLine } from '../../../src/model/log-line.js';
import { type Painter, plain } from '../../../src/model/paint.js';
import type { Action } from '../../../src/model/plan.js';
import type { ExplainedAction, PlanDocument } from '../../../src/model/plan-document.js';
import { CommandWorld } from './command-world.js';
import { READY_REPORT } from './ready-report.js';

/** Colours that can be read. */
const marked: Painter = (colour, text) => `<${colour}>${text}</>`;
const unmarked = (text: string) => text.replace(/<\/?[a-z]*>/g, '');

/** The marked parts of what `render` makes, which are all that colours add to it. */
function colouredIn(render: (paint: Painter) => string): readonly string[] {
  const text = render(marked);
  assert.equal(unmarked(text), render(plain));
  return text.match(/<[a-z]+>[^<]*(?=<\/>)/g) ?? [];
}

function action(verb: Action['verb'], key: string, interrupts = false): ExplainedAction {
  return {
    kind: 'sysctl',
    verb,
    key,
    reason: 'because',
    interrupts,
    requires: [],
    after: { value: '1' },
  } as never;
}

const ACTIONS = [
  action('create', 'sysctl:a'),
  action('update', 'sysctl:longer', true),
  action('delete', 'sysctl:c'),
];

test('a plan shows by colour what comes, changes and goes, what is foreign, and what interrupts', () => {
  const document = {
    actions: ACTIONS,
    foreign: [{ kind: 'sysctl', key: 'sysctl:d', reason: 'not ours', blocks: false }],
    renumbering: { from: '4.0.1.0/24', to: '4.0.2.0/24', reason: 'pinned', needsConsent: false },
    summary: { create: 1, update: 1, delete: 1, foreign: 1 },
  } as unknown as PlanDocument;
  assert.deepEqual(
    colouredIn((paint) => planText(document, paint)),
    [
      '<green>+ sysctl:a',
      '<yellow>~ sysctl:longer',
      '<bold>[interrupts traffic]',
      '<red>- sysctl:c',
      '<magenta>! sysctl:d',
      '<bold>Renumbers this host from 4.0.1.0/24 to 4.0.2.0/24',
    ],
  );
});

test('what an apply came to has the colour of its outcome', () => {
  const [created = action('create', 'sysctl:a')] = ACTIONS;
  const failed = { ...created, outcome: 'failed', error: 'no such file' };
  assert.deepEqual(
    colouredIn((paint) => applyText({ outcome: 'failed', message: '', actions: [failed] }, paint)),
    ['<green>+ sysctl:a', '<red>no such file', '<red>failed'],
  );
  assert.deepEqual(
    colouredIn((paint) => applyText({ outcome: 'converged', message: '', actions: [] }, paint)),
    ['<green>converged'],
  );
});

test('a status is green where all is well, yellow where it passes, red where it is wrong', () => {
  assert.deepEqual(
    colouredIn((paint) => statusText(READY_REPORT, paint)),
    [
      '<green>ready',
      '<red>in conflict',
      '<yellow>degraded',
      '<yellow>ForeignRoute',
      '<green>in-sync',
      '<red>conflict',
      '<red>failed',
    ],
  );
  assert.deepEqual(
    colouredIn((paint) => briefText({ ...READY_REPORT, ready: false, reason: 'it starts' }, paint)),
    ['<red>not ready', '<red>conflict', '<yellow>degraded'],
  );
  assert.deepEqual(
    colouredIn((paint) => topText(READY_REPORT, READY_REPORT, 1, paint)),
    ['<green>ready'],
  );
});

test('doctor shows by colour how bad a finding is', () => {
  const document = doctorDocument(
    [
      { code: 'ForwardingOff', detail: 'is 0', remedy: [] },
      { code: 'EtcdSlow', detail: '3 s', remedy: [] },
    ],
    [],
    [
      { code: 'ForwardingOff', run: 'sysctl -w a=1' },
      { code: 'ForwardingOff', run: 'sysctl -w b=1', error: 'no' },
    ],
  );
  assert.deepEqual(
    colouredIn((paint) => doctorText(document, paint)),
    ['<green>fixed', '<red>not fixed', '<red>error   ForwardingOff', '<yellow>warning EtcdSlow'],
  );
});

test('what a log warns of stands out', () => {
  const line = { at: '2024-01-02T03:04:05.678Z', message: 'told', fields: {} };
  const coloured = (level: 'info' | 'warn' | 'error') =>
    colouredIn((paint) => logLine({ ...line, level }, paint));
  assert.deepEqual(
    [coloured('info'), coloured('warn'), coloured('error')],
    [[], ['<yellow>warn '], ['<red>error']],
  );
});

test('commands paint what they print for people, and never what they print for programs', async () => {
  const world = new CommandWorld();
  world.paint = marked;
  const table = await world.run('diff');
  assert.match(table.stdout, /^ {2}<green>\+ link:flannel0<\/> +missing/m);
  for (const format of ['json', 'yaml']) {
    const { stdout } = await world.run('diff', '-o', format);
    assert.doesNotMatch(stdout, /<\/>/);
  }
  const { stdout } = await world.run('apply');
  assert.match(stdout, /^Apply: \d+ done, <green>converged<\/>$/m);
  assert.match((await world.run('ping', '10.8.65.53')).stdout, /^store +<red>failed<\/> {3}/m);
  assert.match((await world.run('destroy')).stdout, /^ {2}<red>- link:flannel0<\/>/m);
});
