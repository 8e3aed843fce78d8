import assert from 'node:assert/strict';
import test from 'node:test';
import type { Log } from '../../../../src/ports.js';
import { logLevelReply } from '../../../../src/runtime/daemon/log-level-api.js';
import { LogBook, loopLog } from '../../../../src/runtime/log/log-book.js';
import { FakeClock } from '../../../fakes/fake-clock.js';

function book() {
  const lines: string[] = [];
  const say = (level: string) => (fields: object, message: string) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const sink: Log = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
  const clock = new FakeClock();
  return { lines, clock, book: new LogBook(sink, clock, ['route', 'store', 'daemon']) };
}

test('each line names its loop: the kind in it, or whose log it is', () => {
  const { lines, book: log } = book();
  log.of('store').info({ revision: '7' }, 'store read');
  log.of('daemon').info({ kind: 'route', verb: 'create' }, 'changed');
  loopLog(log.of('daemon'), 'store').info({}, 'store lost');
  assert.deepEqual(lines, [
    'info store read {"loop":"store","revision":"7"}',
    'info changed {"loop":"route","kind":"route","verb":"create"}',
    'info store lost {"loop":"store"}',
  ]);
});

test('one loop can say more or less than the others', () => {
  const { lines, book: log } = book();
  const daemon = log.of('daemon');
  daemon.debug({ kind: 'route' }, 'not yet');
  assert.ok(log.setLevel('route', 'debug'));
  assert.ok(log.setLevel('store', 'error'));
  daemon.debug({ kind: 'route' }, 'round');
  daemon.debug({}, 'not mine');
  log.of('store').warn({}, 'too little');
  log.of('store').error({}, 'enough');
  assert.deepEqual(
    lines.map((line) => line.split(' {')[0]),
    ['debug round', 'error enough'],
  );
  assert.ok(log.setLevel('all', 'silent'));
  daemon.error({}, 'nobody listens');
  assert.equal(lines.length, 2);
  assert.equal(log.setLevel('rout', 'debug'), false);
});

test('a warning that is repeated is said once a minute, with how many were kept back', async () => {
  const { lines, clock, book: log } = book();
  const store = log.of('store');
  for (let failures = 1; failures <= 5; failures++) store.warn({ failures, error: 'refused' }, 'store lost');
  store.warn({ failures: 6, error: 'another' }, 'store lost');
  await clock.advance(60_000);
  store.warn({ failures: 7, error: 'refused' }, 'store lost');
  assert.deepEqual(lines, [
    'warn store lost {"loop":"store","failures":1,"error":"refused"}',
    'warn store lost {"loop":"store","failures":6,"error":"another"}',
    'warn store lost {"loop":"store","failures":7,"error":"refused","folded":4}',
  ]);
});

test('after news of the same loop a warning is said again', () => {
  const { lines, book: log } = book();
  const store = log.of('store');
  for (const _ of [1, 2]) {
    store.warn({ error: 'refused' }, 'store lost');
    log.of('daemon').info({}, 'something else');
    store.warn({ error: 'refused' }, 'store lost');
    store.info({}, 'store read');
  }
  assert.deepEqual(
    lines.filter((line) => !line.startsWith('info something')).map((line) => line.split(' {')[0]),
    ['warn store lost', 'info store read', 'warn store lost', 'info store read'],
  );
});

test('what has happened twice is told twice', () => {
  const { lines, book: log } = book();
  for (const _ of [1, 2]) log.of('daemon').info({ kind: 'route', key: 'route:a' }, 'changed');
  assert.equal(lines.length, 2);
});

test('no line holds a secret', () => {
  const { lines, book: log } = book();
  log.of('store').info(
    {
      password: 'hunter2',
      passwordFile: '/etc/etcd-password',
      error: 'Cannot use http://root:hunter2@10.8.64.10:2379: refused',
      command: ['curl', '--token=hunter2', { clientSecret: 'hunter2' }],
    },
    'said',
  );
  assert.doesNotMatch(lines.join(), /hunter2/);
  assert.match(lines.join(), /"passwordFile":"\/etc\/etcd-password"/);
  assert.match(lines.join(), /http:\/\/\[redacted\]@10\.8\.64\.10:2379: refused/);
});

test('the socket shows the levels and changes them', () => {
  const { book: log } = book();
  const ask = (method: 'GET' | 'POST', path: string) => logLevelReply(log, { method, path });
  assert.equal(ask('GET', '/status'), undefined);
  assert.deepEqual(JSON.parse(ask('GET', '/log-level')?.body ?? ''), {
    route: 'info',
    store: 'info',
    daemon: 'info',
  });
  assert.equal(ask('POST', '/log-level?loop=route&level=debug')?.status, 200);
  assert.equal(log.levels().route, 'debug');
  assert.deepEqual(ask('POST', '/log-level?loop=route&level=loud'), {
    status: 400,
    body: 'Cannot change what is logged: the level "loud" is none of debug, info, warn, error, silent',
  });
  assert.match(
    ask('POST', '/log-level?loop=rout&level=debug')?.body ?? '',
    /no loop "rout": must be all, route, store, daemon$/,
  );
});
