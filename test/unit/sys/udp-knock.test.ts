import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import test from 'node:test';
import { parseAddress } from '../../../src/model/address.js';
import { SystemError } from '../../../src/ports.js';
import { udpKnock } from '../../../src/sys/udp-knock.js';

const LOOPBACK = parseAddress('127.0.0.1');
const NEVER = new AbortController().signal;

async function withPort<T>(body: (port: number) => Promise<T>): Promise<T> {
  const socket = createSocket('udp4');
  try {
    socket.bind(0, LOOPBACK);
    await once(socket, 'listening');
    return await body(socket.address().port);
  } finally {
    socket.close();
  }
}

test('a port that somebody listens on is silent, one that nobody listens on refuses', async () => {
  const freed = await withPort(async (port) => {
    assert.equal(await udpKnock(LOOPBACK, port, NEVER), 'silent');
    return port;
  });
  assert.equal(await udpKnock(LOOPBACK, freed, NEVER), 'refused');
});

test('an address that this host does not let anything out to is an error, which names it', () =>
  assert.rejects(
    // Without SO_BROADCAST (socket(7)).
    udpKnock(parseAddress('255.255.255.255'), 8285, NEVER),
    (error) =>
      error instanceof SystemError && /port 8285 of 255\.255\.255\.255: connect E/.test(error.message),
  ));

test('who has enough of waiting is let go', async () => {
  const stop = new AbortController();
  await withPort(async (port) => {
    const answer = udpKnock(LOOPBACK, port, stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(answer, /enough/);
  });
});
