import assert from 'node:assert/strict';
import test from 'node:test';
import { parseAddress } from '../../../../src/model/address.js';
import type { MonitoringSection } from '../../../../src/model/config.js';
import type { HttpListener, Log } from '../../../../src/ports.js';
import { MonitorListener } from '../../../../src/runtime/daemon/monitor-listener.js';
import { FakeClock, settle } from '../../../fakes/fake-clock.js';

const address = parseAddress('127.0.0.1');

async function listening(
  first: MonitoringSection,
  body: (world: {
    clock: FakeClock;
    /** What listens now. */
    open: Set<number>;
    taken: Set<number>;
    said: string[];
    change(section: MonitoringSection): Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock();
  const [open, taken, said] = [new Set<number>(), new Set<number>(), [] as string[]];
  let section = first;
  const say = (_: object, message: string) => said.push(message);
  const log: Log = { debug: say, info: say, warn: say, error: say };
  const listen: HttpListener = async ({ port }, signal) => {
    if (taken.has(port)) throw new Error('EADDRINUSE');
    open.add(port);
    signal.addEventListener('abort', () => open.delete(port), { once: true });
  };
  const listener = new MonitorListener({
    section: () => section,
    listen,
    clock,
    random: { next: () => 0.5 },
    log,
  });
  const stop = new AbortController();
  const running = listener.run(stop.signal);
  await settle();
  const change = async (next: MonitoringSection) => {
    section = next;
    listener.wake();
    await settle();
  };
  await body({ clock, open, taken, said, change });
  stop.abort();
  await running;
  assert.equal(open.size, 0, 'somebody listens after the end');
}

test('nobody listens where the file names no port', () =>
  listening({ address }, async ({ open, said }) => {
    assert.equal(open.size, 0);
    assert.deepEqual(said, []);
  }));

test('it moves when the file does, and ends when the port is taken out of it', () =>
  listening({ address, port: 1 }, async ({ open, change }) => {
    assert.deepEqual([...open], [1]);
    await change({ address, port: 2 });
    assert.deepEqual([...open], [2]);
    await change({ address });
    assert.equal(open.size, 0);
  }));

test('a port that is taken is tried again until it is free, and told of', () =>
  listening({ address }, async ({ clock, open, taken, said, change }) => {
    taken.add(1);
    await change({ address, port: 1 });
    await clock.advance(400);
    assert.equal(open.size, 0);
    assert.deepEqual(said, ['no monitoring']);
    taken.clear();
    await clock.advance(10_000);
    assert.deepEqual([...open], [1]);
    assert.equal(said.at(-1), 'monitoring');
  }));

test('what was asked of it for another reason leaves the port alone', () =>
  listening({ address, port: 1 }, async ({ said, change }) => {
    await change({ address, port: 1 });
    assert.deepEqual(said, ['monitoring']);
  }));
