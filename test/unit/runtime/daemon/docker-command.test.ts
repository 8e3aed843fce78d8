/** docker.onChange: once for each difference, at most once a minute, never too early. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DockerCommand } from '../../../../src/runtime/daemon/docker-command.js';
import type { DatedStatus } from '../../../../src/runtime/rounds/control-loops.js';
import { FakeClock } from '../../../fakes/fake-clock.js';

const RESTART = ['systemctl', 'restart', 'docker'];
const SETTLED_MS = 5_000;
const MINUTE_MS = 60_000;

class Scene {
  readonly clock = new FakeClock();
  readonly runs: string[] = [];
  readonly said: string[] = [];
  argv: readonly string[] | undefined = RESTART;
  isReady = true;
  /** What comes of a run. */
  outcome: () => Promise<{ code: number; stdout: string; stderr: string }> = async () => ({
    code: 0,
    stdout: 'restarted\n',
    stderr: '',
  });
  #objects: readonly DatedStatus[] = [];
  readonly #command = new DockerCommand({
    argv: () => this.argv,
    objects: () => this.#objects,
    isReady: () => this.isReady,
    commands: {
      run: (argv) => {
        this.runs.push(argv.join(' '));
        return this.outcome();
      },
    },
    clock: this.clock,
    log: {
      debug: () => {},
      info: (fields, message) => this.said.push(`${message} ${JSON.stringify(fields)}`),
      warn: (fields, message) => this.said.push(`${message} ${JSON.stringify(fields)}`),
      error: () => {},
    },
  });

  run(signal: AbortSignal): Promise<void> {
    return this.#command.run(signal);
  }

  /** The loops reported: this is what is wrong with the bridge now. */
  readonly see = async (
    reason: string | undefined,
    key: DatedStatus['key'] = 'docker-bridge:docker0',
  ): Promise<void> => {
    this.#objects =
      reason === undefined ? [] : [{ kind: 'docker-bridge', key, state: 'foreign', reason, since: 0 }];
    this.#command.wake();
    await this.clock.advance(0);
  };
}

async function scene(body: (scene: Scene) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const here = new Scene();
  const running = here.run(stop.signal);
  try {
    await body(here);
  } finally {
    stop.abort();
    await running;
  }
}

describe('docker.onChange', () => {
  it('is run once for a difference, when it has lasted', () =>
    scene(async ({ clock, runs, said, see }) => {
      await see('another address');
      await clock.advance(SETTLED_MS - 1);
      assert.deepEqual(runs, []);
      await clock.advance(1);
      assert.deepEqual(runs, ['systemctl restart docker']);
      assert.match(said.join(), /docker\.onChange ran .*another address.*"code":0.*restarted/);
      await clock.advance(100 * MINUTE_MS);
      assert.equal(runs.length, 1, 'the same difference is not acted on again');
    }));

  it('is not run for a difference that goes away by itself', () =>
    scene(async ({ clock, runs, see }) => {
      await see('no address yet');
      await clock.advance(SETTLED_MS - 1);
      await see(undefined);
      await clock.advance(MINUTE_MS);
      assert.deepEqual(runs, []);
    }));

  it('is run again for another difference, but not within a minute', () =>
    scene(async ({ clock, runs, see }) => {
      await see('one');
      await clock.advance(SETTLED_MS);
      await see('two');
      await clock.advance(MINUTE_MS - 1);
      assert.equal(runs.length, 1);
      await clock.advance(1);
      assert.equal(runs.length, 2);
    }));

  it('is run again when the same difference comes back', () =>
    scene(async ({ clock, runs, see }) => {
      await see('one');
      await clock.advance(SETTLED_MS);
      await see(undefined);
      await clock.advance(MINUTE_MS);
      await see('one');
      await clock.advance(SETTLED_MS);
      assert.equal(runs.length, 2);
    }));

  it('waits until everything else is in place', () =>
    scene(async (here) => {
      here.isReady = false;
      await here.see('one');
      await here.clock.advance(MINUTE_MS);
      assert.deepEqual(here.runs, []);
      here.isReady = true;
      await here.see('one');
      assert.equal(here.runs.length, 1);
    }));

  it('is not run for what the firewall drops', () =>
    scene(async ({ clock, runs, see }) => {
      await see('packets are dropped', 'docker-bridge:docker0 firewall');
      await clock.advance(MINUTE_MS);
      assert.deepEqual(runs, []);
    }));

  it('runs nothing where nothing is written', () =>
    scene(async (here) => {
      here.argv = undefined;
      await here.see('one');
      await here.clock.advance(MINUTE_MS);
      assert.deepEqual(here.runs, []);
      assert.deepEqual(here.said, []);
    }));

  it('tells of a failure and goes on', () =>
    scene(async (here) => {
      here.outcome = async () => ({ code: 5, stdout: '', stderr: 'Unit docker.service not found.\n' });
      await here.see('one');
      await here.clock.advance(SETTLED_MS);
      assert.match(here.said.join(), /docker\.onChange failed .*"code":5.*Unit docker\.service not found/);
      here.outcome = () => Promise.reject(new Error('Cannot run "systemctl": it is not installed'));
      await here.see('two');
      await here.clock.advance(MINUTE_MS);
      assert.match(here.said.join(), /docker\.onChange failed .*it is not installed/);
    }));
});
