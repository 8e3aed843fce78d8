/** Notifications as they arrive at a real socket. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { News } from '../../../src/ports.js';
import { createNotifier } from '../../../src/sys/notify.js';
import { NotifySocket } from '../../lab/notify-socket.js';

const PID = 4711;

function withSocket(kind: 'path' | 'abstract', body: (socket: NotifySocket) => void): void {
  const socket = NotifySocket.open(kind);
  try {
    body(socket);
  } finally {
    socket.close();
  }
}

describe('createNotifier', () => {
  for (const kind of ['path', 'abstract'] as const) {
    it(`reaches a socket of kind ${kind}`, () =>
      withSocket(kind, (socket) => {
        const notifier = createNotifier({ NOTIFY_SOCKET: socket.name }, PID);
        assert.equal(notifier.send({ ready: true, status: 'ready: 4.0.12.0/24' }), true);
        assert.deepEqual(socket.messages(), [['READY=1', 'STATUS=ready: 4.0.12.0/24']]);
      }));
  }

  const cases: readonly { readonly news: News; readonly want: readonly string[] }[] = [
    { news: { stopping: true }, want: ['STOPPING=1'] },
    { news: { alive: true }, want: ['WATCHDOG=1'] },
    { news: { alive: true, patienceMs: 45_000.5 }, want: ['WATCHDOG=1', 'EXTEND_TIMEOUT_USEC=45000500'] },
    { news: { status: 'not ready:\n  no\n interface' }, want: ['STATUS=not ready: no interface'] },
  ];
  for (const { news, want } of cases) {
    it(`writes ${JSON.stringify(news)} as ${JSON.stringify(want)}`, () =>
      withSocket('path', (socket) => {
        createNotifier({ NOTIFY_SOCKET: socket.name }, PID).send(news);
        assert.deepEqual(socket.messages(), [want]);
      }));
  }

  it('dates a reload on the monotonic clock', () =>
    withSocket('path', (socket) => {
      const before = process.hrtime.bigint() / 1_000n;
      createNotifier({ NOTIFY_SOCKET: socket.name }, PID).send({ reloading: true });
      const [reloading, at = ''] = socket.lines();
      assert.equal(reloading, 'RELOADING=1');
      const us = BigInt(/^MONOTONIC_USEC=(\d+)$/.exec(at)?.[1] ?? '0');
      assert.ok(us >= before && us - before < 1_000_000n, `${at}, asked for at ${before}`);
    }));

  it('does not mind that nobody listens', () => {
    const socket = NotifySocket.open();
    const notifier = createNotifier({ NOTIFY_SOCKET: socket.name }, PID);
    socket.close();
    assert.equal(notifier.send({ ready: true }), true);
    for (const name of [undefined, '', '/', 'relative', 'vsock:2:1234', `/${'x'.repeat(200)}`]) {
      assert.equal(createNotifier({ NOTIFY_SOCKET: name }, PID).send({ ready: true }), true, name);
    }
  });

  it('says that a message could not be put down while the listener takes none', () =>
    withSocket('path', (socket) => {
      const notifier = createNotifier({ NOTIFY_SOCKET: socket.name }, PID);
      let sent = 0;
      while (sent < 100_000 && notifier.send({ status: `number ${sent}` })) sent++;
      assert.ok(sent > 0 && sent < 100_000, `${sent} messages went into a queue that nobody reads`);
      assert.equal(socket.lines().length, sent);
      assert.equal(notifier.send({ ready: true }), true);
    }));

  it('wants signs of life when this very process is watched', () => {
    const watched = { NOTIFY_SOCKET: '/run/systemd/notify', WATCHDOG_USEC: '30000000' };
    assert.equal(createNotifier({ ...watched, WATCHDOG_PID: String(PID) }, PID).watchdogMs, 30_000);
    assert.equal(createNotifier(watched, PID).watchdogMs, 30_000);
    assert.equal(createNotifier({ ...watched, WATCHDOG_PID: '1' }, PID).watchdogMs, undefined);
    for (const us of [undefined, '', '0', '-1', 'often']) {
      assert.equal(createNotifier({ ...watched, WATCHDOG_USEC: us }, PID).watchdogMs, undefined, us);
    }
    assert.equal(createNotifier({ WATCHDOG_USEC: '30000000' }, PID).watchdogMs, undefined);
  });
});
