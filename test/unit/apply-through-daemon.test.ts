/** `apply` where a daemon runs: it is asked, and what it answers is what the command says. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { runCommandLine } from '../../src/cli/program.js';
import type { CommandContext, HostAccess } from '../../src/cli/session.js';
import { readConfig } from '../../src/config/read-config.js';
import type { ControlSocket } from '../../src/ports.js';
import { DAEMON_CONFIG } from '../fakes/daemon-world.js';
import { FakeClock, settle } from '../fakes/fake-clock.js';

interface Run {
  readonly clock: FakeClock;
  exitCode: number | undefined;
  stderr: string;
}

/** Starts `apply --timeout 10s` with a daemon that answers with `ask`. */
async function startApply(ask: ControlSocket['ask']): Promise<Run> {
  const result: Run = { clock: new FakeClock(), exitCode: undefined, stderr: '' };
  const context = {
    version: '0',
    out: () => {},
    err: (text: string) => {
      result.stderr += text;
    },
    showProgress: () => () => {},
    signal: new AbortController().signal,
    clock: result.clock,
    control: { ask, serve: async () => {} },
    absolutePath: (path: string) => path,
    settings: () => [],
    async readConfig(path: string) {
      const reading = readConfig(DAEMON_CONFIG, path);
      assert.ok('config' in reading);
      return reading;
    },
    host: async () => ({ requirePrivileges: async () => {} }) as Partial<HostAccess> as HostAccess,
  } as Partial<CommandContext> as CommandContext;
  void runCommandLine(context, ['apply', '--timeout', '10s']).then((exitCode) => {
    result.exitCode = exitCode;
  });
  await settle();
  return result;
}

test('a daemon that does not answer is given up a little after the time-out', async () => {
  const run = await startApply(() => new Promise(() => {}));
  await run.clock.advance(14_999);
  assert.equal(run.exitCode, undefined);
  await run.clock.advance(1);
  assert.equal(run.exitCode, 6);
  assert.match(
    run.stderr,
    /^The daemon at \/run\/flannelette\/flannel0\.sock took the order and does not answer: /,
  );
});

for (const [outcome, exitCode] of [
  ['converged', 0],
  ['timed out', 6],
  ['refused', 7],
  ['conflict', 7],
  ['failed', 2],
] as const) {
  test(`the exit code is ${exitCode} when the outcome is "${outcome}"`, async () => {
    const body = JSON.stringify({ outcome, message: 'as it is', actions: [] });
    const run = await startApply(async () => ({ status: 200, body }));
    assert.equal(run.exitCode, exitCode);
    assert.equal(run.stderr, 'as it is\n');
  });
}
