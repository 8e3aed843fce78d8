import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, linkSync, lstatSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'node:test';
import type { ControlAnswer, ControlRequest } from '../../../src/ports.js';
import { controlSocket } from '../../../src/sys/control-socket.js';
import { eventually } from '../../lab/eventually.js';

const NEVER = new AbortController().signal;
const STATUS: ControlRequest = { method: 'GET', path: '/status' };

interface Place {
  readonly path: string;
  /** Serves there until the end of the test. */
  serve(answer?: ControlAnswer): Promise<AbortController>;
}

/** A directory of its own for the length of `body`. */
async function inDirectory(body: (place: Place) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'control-socket-'));
  const path = join(directory, 'run', 'flannel0.sock');
  const stops: AbortController[] = [];
  const ok = async ({ method, path: asked }: ControlRequest) => ({
    status: 200,
    body: `${method} ${asked}\n`,
  });
  try {
    await body({
      path,
      async serve(answer = ok) {
        const stop = new AbortController();
        stops.push(stop);
        await controlSocket.serve(path, answer, stop.signal);
        return stop;
      },
    });
  } finally {
    for (const stop of stops) stop.abort();
    rmSync(directory, { recursive: true });
  }
}

test('a question gets its answer, with method and path as they were asked', async () => {
  await inDirectory(async ({ path, serve }) => {
    await serve();
    assert.deepEqual(await controlSocket.ask(path, STATUS, NEVER), { status: 200, body: 'GET /status\n' });
    const apply = { method: 'POST', path: '/apply?file=%2Fetc%2Fa.yaml&timeoutMs=1' } as const;
    assert.deepEqual(await controlSocket.ask(path, apply, NEVER), {
      status: 200,
      body: 'POST /apply?file=%2Fetc%2Fa.yaml&timeoutMs=1\n',
    });
  });
});

test('a large answer and one in other than ASCII letters arrive whole', async () => {
  await inDirectory(async ({ path, serve }) => {
    const body = 'größer '.repeat(200_000);
    await serve(async () => ({ status: 409, body }));
    assert.deepEqual(await controlSocket.ask(path, STATUS, NEVER), { status: 409, body });
  });
});

test('the socket is for its owner and group, in a directory that is made', async () => {
  await inDirectory(async ({ path, serve }) => {
    await serve();
    const { mode } = lstatSync(path);
    assert.equal(mode & 0o777, 0o660);
    assert.equal(statSync(join(path, '..')).mode & 0o777, 0o755);
  });
});

test('nobody listening is no error: without a socket, and with one that a killed process left', async () => {
  await inDirectory(async ({ path, serve }) => {
    assert.equal(await controlSocket.ask(path, STATUS, NEVER), undefined);
    await serve();
    await leaveSocket(`${path}.left`);
    assert.equal(await controlSocket.ask(`${path}.left`, STATUS, NEVER), undefined);
  });
});

/** Binds a socket and closes it without removing this name of it, as a process does that is killed. */
async function leaveSocket(path: string): Promise<void> {
  const server = createServer();
  server.listen(`${path}.bound`);
  await once(server, 'listening');
  linkSync(`${path}.bound`, path);
  server.close();
  await once(server, 'close');
  assert.ok(lstatSync(path).isSocket());
}

test('a socket that was left is replaced', async () => {
  await inDirectory(async ({ path, serve }) => {
    const stop = await serve();
    stop.abort();
    await leaveSocket(path);
    await serve();
    assert.equal((await controlSocket.ask(path, STATUS, NEVER))?.status, 200);
  });
});

test('one that is removed, with its directory or alone, comes back', async () => {
  await inDirectory(async ({ path, serve }) => {
    const stop = await serve();
    for (const gone of [dirname(path), path, dirname(path)]) {
      rmSync(gone, { recursive: true });
      await eventually('the socket', 5_000, async () =>
        assert.equal((await controlSocket.ask(path, STATUS, NEVER))?.status, 200),
      );
    }
    stop.abort();
    assert.equal(existsSync(path), false);
  });
});

test('one on which somebody listens is not, though the instance is free in this network namespace', async () => {
  await inDirectory(async ({ path, serve }) => {
    await serve();
    await assert.rejects(serve(), {
      name: 'SystemError',
      code: 'EADDRINUSE',
      message: /^Cannot listen on .*flannel0\.sock: another daemon answers there/,
    });
    assert.equal((await controlSocket.ask(path, STATUS, NEVER))?.status, 200);
  });
});

test('so is a file in its place', async () => {
  await inDirectory(async ({ path, serve }) => {
    (await serve()).abort();
    writeFileSync(path, 'not a socket');
    await serve();
    assert.equal((await controlSocket.ask(path, STATUS, NEVER))?.status, 200);
  });
});

test('an answer that fails is a 500 with the reason, and the next one is given', async () => {
  await inDirectory(async ({ path, serve }) => {
    let count = 0;
    await serve(async () => {
      if (++count === 1) throw new Error('broken');
      return { status: 200, body: 'fine\n' };
    });
    assert.deepEqual(await controlSocket.ask(path, STATUS, NEVER), { status: 500, body: 'Error: broken\n' });
    assert.deepEqual(await controlSocket.ask(path, STATUS, NEVER), { status: 200, body: 'fine\n' });
  });
});

test('any method but GET and POST is refused without asking anybody', async () => {
  await inDirectory(async ({ path, serve }) => {
    let count = 0;
    await serve(async () => {
      count++;
      return { status: 200, body: '' };
    });
    for (const method of ['PUT', 'DELETE', 'PATCH']) {
      const request = { method, path: '/status' } as unknown as ControlRequest;
      assert.deepEqual(await controlSocket.ask(path, request, NEVER), {
        status: 405,
        body: 'Only GET and POST are answered\n',
      });
    }
    assert.equal(count, 0);
  });
});

test('questions are answered side by side', async () => {
  await inDirectory(async ({ path, serve }) => {
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    await serve(async ({ path: asked }) => {
      if (asked === '/slow') await released;
      return { status: 200, body: asked };
    });
    const slow = controlSocket.ask(path, { method: 'GET', path: '/slow' }, NEVER);
    assert.equal((await controlSocket.ask(path, STATUS, NEVER))?.body, '/status');
    release();
    assert.equal((await slow)?.body, '/slow');
  });
});

test('at the end the socket is gone, and whoever still waits for an answer is told', async () => {
  await inDirectory(async ({ path, serve }) => {
    let asked = () => {};
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const stop = await serve(() => {
      asked();
      return new Promise(() => {});
    });
    const waiting = controlSocket.ask(path, STATUS, NEVER);
    const told = assert.rejects(waiting, { name: 'SystemError', code: 'ECONNRESET' });
    await isAsked;
    stop.abort();
    await told;
    assert.equal(existsSync(path), false);
    assert.equal(await controlSocket.ask(path, STATUS, NEVER), undefined);
  });
});

test('who answers is told when nobody waits any more', async () => {
  await inDirectory(async ({ path, serve }) => {
    let isGone = () => {};
    const told = new Promise<void>((resolve) => {
      isGone = resolve;
    });
    const stop = new AbortController();
    await serve((_, gone) => {
      gone.addEventListener('abort', isGone);
      stop.abort();
      return new Promise(() => {});
    });
    await assert.rejects(controlSocket.ask(path, STATUS, stop.signal));
    await told;
  });
});

test('an answer that breaks off is no answer', async () => {
  await inDirectory(async ({ path, serve }) => {
    await serve();
    const server = createServer((connection) => {
      connection.end('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf');
    });
    server.listen(`${path}.half`);
    await once(server, 'listening');
    await assert.rejects(controlSocket.ask(`${path}.half`, STATUS, NEVER), {
      name: 'SystemError',
      code: 'ECONNRESET',
    });
    server.close();
  });
});

test('a question that is given up rejects', async () => {
  await inDirectory(async ({ path, serve }) => {
    await serve(() => new Promise(() => {}));
    const stop = new AbortController();
    const asking = controlSocket.ask(path, STATUS, stop.signal);
    setImmediate(() => stop.abort());
    await assert.rejects(asking, { code: 'ABORT_ERR' });
  });
});

test('whoever is told to stop while it begins to serve does not serve', async () => {
  await inDirectory(async ({ path }) => {
    await controlSocket.serve(path, async () => ({ status: 200, body: '' }), AbortSignal.abort());
    assert.equal(await controlSocket.ask(path, STATUS, NEVER), undefined);
  });
});

test('a place where it cannot listen is named, with the reason', async () => {
  await inDirectory(async ({ path, serve }) => {
    await serve();
    const answer = async () => ({ status: 200, body: '' });
    const below = `${path}/below.sock`;
    await assert.rejects(controlSocket.serve(below, answer, NEVER), {
      name: 'SystemError',
      code: 'EEXIST',
      message: new RegExp(`^Cannot listen on ${below}: `),
    });
    const long = join(path, '..', 'x'.repeat(200));
    await assert.rejects(controlSocket.serve(long, answer, NEVER), {
      name: 'SystemError',
      code: 'ENAMETOOLONG',
    });
  });
});
