/** A change on trial on a real host that loses whoever started it, and how late it was taken back. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import type { TrialReport } from '../../src/model/trial.js';
import { controlSocket } from '../../src/sys/control-socket.js';
import { ARTICLE_CONFIG, type Member } from './cluster.js';
import { eventually } from './eventually.js';
import { worldDifference, worldOf } from './host-world.js';
import type { LongProcess } from './process.js';
import { flannelette } from './repository.js';

/**
 * `command`: killed as soon as its keeper answers, whether the change is in force by then or not. `terminal`: the terminal that it
 * was started from, and that it ran on. `daemon`: killed once the change is in force.
 */
export const LOSSES = ['command', 'terminal', 'daemon'] as const;
export type Loss = (typeof LOSSES)[number];

const NEVER = new AbortController().signal;
const CANDIDATE_PATH = '/run/candidate.yaml';
const SOCKET_PATH = '/run/flannelette/flannel0.trial.sock';
const STARTED_MS = 30_000;
/** Far more than is allowed: what is measured is how late it was. */
const GIVEN_UP_MS = 20_000;

export const CANDIDATE = ARTICLE_CONFIG.replace('subnetLength: 24', 'subnetLength: 24\n  mtu: 1400');

/** On a host that is as its file wants it; with `daemon` one runs there. Resolves with how many milliseconds after its time everything was as before. */
export async function lostTrial(member: Member, loss: Loss, timeoutMs: number): Promise<number> {
  const { host } = member;
  await host.writeFile(CANDIDATE_PATH, CANDIDATE);
  const daemon = loss === 'daemon' ? await member.run() : undefined;
  const before = await worldOf(host);
  const started = start(member, loss, timeoutMs);
  const report = await eventually('the keeper answers', STARTED_MS, async () => {
    const now = await reportOn(member);
    assert.ok(now !== undefined && (loss === 'command' || now.phase === 'on-trial'), JSON.stringify(now));
    return now;
  });
  const lost = daemon ?? started;
  lost.signal('SIGKILL');
  await lost.exited;
  const endsAtMs = Date.parse(report.revertsAt);
  const backAtMs = await eventually('everything is as before', timeoutMs + GIVEN_UP_MS, async () => {
    const lookedAtMs = Date.now();
    assert.ok(lookedAtMs >= endsAtMs, 'its time is not up');
    assert.deepEqual(worldDifference(before, await worldOf(host)), []);
    return lookedAtMs;
  });
  // Told how it ended, it waits for nobody else to ask.
  assert.notEqual((await reportOn(member))?.phase, 'failed');
  await eventually('the keeper is gone', STARTED_MS, () => {
    assert.ok(!existsSync(`/proc/${report.pid}`), `process ${report.pid}`);
  });
  await started.stop();
  return backAtMs - endsAtMs;
}

function start(member: Member, loss: Loss, timeoutMs: number): LongProcess {
  const argv = flannelette('try', '-f', member.configPath, '--timeout', `${timeoutMs}ms`, CANDIDATE_PATH);
  // script(1) is the terminal: with it goes the session's line.
  return member.host.spawn(
    loss === 'terminal'
      ? ['script', '--quiet', '--command', `${argv.join(' ')}; sleep 60`, '/dev/null']
      : argv,
  );
}

/** Undefined while no keeper answers. */
async function reportOn({ host }: Member): Promise<TrialReport | undefined> {
  const path = `/proc/${host.pid}/root${SOCKET_PATH}`;
  const reply = await controlSocket.ask(path, { method: 'GET', path: '/trial' }, NEVER);
  return reply && (JSON.parse(reply.body) as TrialReport);
}
