/** What the service manager hears, and when. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { News, Notifier } from '../../../../src/ports.js';
import { Readiness } from '../../../../src/runtime/daemon/readiness.js';
import { FakeClock, settle } from '../../../fakes/fake-clock.js';

const WATCHDOG_MS = 10_000;
/** What a loop of the scene may take for whatever it is at. */
const TURN_MS = 8_000;

class Manager implements Notifier {
  readonly heard: News[] = [];
  isFull = false;
  constructor(readonly watchdogMs: number | undefined) {}

  send(news: News): boolean {
    if (this.isFull) return false;
    this.heard.push(news);
    return true;
  }

  /** What was heard since the last call, signs of life left out. */
  news(): readonly News[] {
    return this.heard.splice(0).filter(({ alive, patienceMs }) => !alive && patienceMs === undefined);
  }

  /** How many signs of life since the last call. */
  signs(): number {
    return this.heard.splice(0).filter(({ alive }) => alive).length;
  }
}

interface Scene {
  readonly clock: FakeClock;
  readonly manager: Manager;
  readonly readiness: Readiness;
  readonly log: string[];
  become(isReady: boolean, text: string): Promise<void>;
  /** Lets time pass in steps in which every loop turns, but for the stuck ones. */
  live(ms: number, stuck?: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

async function play(body: (scene: Scene) => Promise<void>, { isWatched = true } = {}): Promise<void> {
  const clock = new FakeClock();
  const manager = new Manager(isWatched ? WATCHDOG_MS : undefined);
  const turns = new Map(['link', 'route'].map((name) => [name, { count: 0, mostMs: TURN_MS }]));
  const log: string[] = [];
  const say = (fields: object, message: string) => log.push(`${message} ${JSON.stringify(fields)}`);
  let state = { isReady: false, text: 'not ready: the store was never read' };
  const readiness = new Readiness({
    notifier: manager,
    state: () => state,
    turns: () => turns,
    clock,
    log: { debug: say, info: say, warn: say, error: say },
  });
  const stopping = new AbortController();
  const running = readiness.run(stopping.signal);
  try {
    await body({
      clock,
      manager,
      readiness,
      log,
      async become(isReady, text) {
        state = { isReady, text };
        readiness.wake();
        await settle();
      },
      async live(ms, stuck = []) {
        for (let gone = 0; gone < ms; gone += 1_000) {
          await clock.advance(1_000);
          for (const [name, { count }] of turns)
            if (!stuck.includes(name)) turns.set(name, { count: count + 1, mostMs: TURN_MS });
        }
      },
      async stop() {
        stopping.abort();
        await running;
      },
    });
  } finally {
    stopping.abort();
    await running;
  }
}

describe('Readiness', () => {
  it('tells ready once, when packets can flow, and later troubles in the status line', () =>
    play(async ({ manager, become }) => {
      assert.deepEqual(manager.news(), [{ status: 'not ready: the store was never read' }]);
      await become(true, 'ready: 4.0.12.0/24');
      assert.deepEqual(manager.news(), [{ ready: true, status: 'ready: 4.0.12.0/24' }]);
      await become(false, 'not ready: link:flannel0 missing');
      await become(true, 'ready: 4.0.12.0/24');
      assert.deepEqual(manager.news(), [
        { status: 'not ready: link:flannel0 missing' },
        { status: 'ready: 4.0.12.0/24' },
      ]);
    }));

  it('says nothing while nothing changes', () =>
    play(async ({ manager, become, live }) => {
      await become(true, 'ready');
      manager.news();
      await become(true, 'ready');
      await live(60_000);
      assert.deepEqual(manager.news(), []);
    }));

  it('frames a reload, also a quick one', () =>
    play(async ({ manager, readiness, become }) => {
      await become(true, 'ready');
      manager.news();
      await readiness.reload(async () => {});
      await settle();
      assert.deepEqual(manager.news(), [{ reloading: true }, { ready: true }]);
    }));

  it('ends a reload that failed, and the last of several', () =>
    play(async ({ manager, readiness, become }) => {
      await become(true, 'ready');
      manager.news();
      let end = () => {};
      const slow = readiness.reload(() => new Promise<void>((resolve) => (end = resolve)));
      await assert.rejects(
        readiness.reload(() => Promise.reject(new Error('unreadable'))),
        /unreadable/,
      );
      await settle();
      assert.deepEqual(manager.news(), [{ reloading: true }]);
      end();
      await slow;
      await settle();
      assert.deepEqual(manager.news(), [{ ready: true }]);
    }));

  it('does not pass a reload during the start off as readiness', () =>
    play(async ({ manager, readiness }) => {
      manager.news();
      await readiness.reload(async () => {});
      await settle();
      assert.deepEqual(manager.news(), []);
    }));

  it('tells again what could not be put down', () =>
    play(async ({ clock, manager, become }) => {
      manager.news();
      manager.isFull = true;
      await become(true, 'ready');
      assert.deepEqual(manager.news(), []);
      manager.isFull = false;
      await clock.advance(500);
      assert.deepEqual(manager.news(), [{ ready: true, status: 'ready' }]);
    }));

  it('tells that it stops', () =>
    play(async ({ manager, stop }) => {
      manager.news();
      await stop();
      assert.deepEqual(manager.news(), [{ stopping: true, status: 'stopping' }]);
    }));

  it('gives signs of life twice as often as they are wanted', () =>
    play(async ({ manager, become, live }) => {
      await become(true, 'ready');
      manager.signs();
      await live(10 * WATCHDOG_MS);
      assert.equal(manager.signs(), 20);
    }));

  it('gives none while one loop is stuck, and says which', () =>
    play(async ({ manager, become, live, log }) => {
      await become(true, 'ready');
      await live(WATCHDOG_MS, ['route']);
      manager.signs();
      await live(2 * WATCHDOG_MS, ['route']);
      assert.equal(manager.signs(), 0);
      assert.deepEqual(log, ['loops stuck {"loops":["route"]}']);
      await live(WATCHDOG_MS);
      assert.ok(manager.signs() > 0);
    }));

  it('gives signs while a loop takes its time, but no longer than it may', () =>
    play(async ({ manager, live, log }) => {
      manager.signs();
      await live(TURN_MS, ['route']);
      assert.ok(manager.signs() >= 1);
      assert.deepEqual(log, []);
    }));

  it('asks for patience until it is ready, and only then', () =>
    play(async ({ manager, become, live }) => {
      await live(2 * WATCHDOG_MS);
      const asked = manager.heard.splice(0).flatMap(({ patienceMs }) => patienceMs ?? []);
      assert.ok(asked.length >= 2 && asked.every((ms) => ms > WATCHDOG_MS), `${asked}`);
      await become(true, 'ready');
      await live(2 * WATCHDOG_MS);
      assert.ok(manager.heard.every(({ patienceMs }) => patienceMs === undefined));
    }));

  it('asks for patience but gives no signs of life where nobody watches', () =>
    play(
      async ({ manager, live }) => {
        await live(60_000);
        assert.ok(manager.heard.some(({ patienceMs }) => patienceMs !== undefined));
        assert.equal(manager.signs(), 0);
      },
      { isWatched: false },
    ));
});
