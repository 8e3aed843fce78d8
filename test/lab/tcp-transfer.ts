/** A file from one container to another over TCP, by what every image has: busybox. */
import assert from 'node:assert/strict';
import type { Container } from './docker-bridge.js';
import { eventually } from './eventually.js';

const SERVED_MS = 15_000;

/** Rejects when what arrives is not what was sent. `at` is where `from` serves: `4.0.7.3:5000`, `[fd00::3]:5001`. */
export async function transfers(from: Container, at: string, to: Container, bytes: number): Promise<void> {
  const sent = await from.script(
    `mkdir -p /run/www; head -c ${bytes} /dev/urandom >/run/www/blob; sha256sum </run/www/blob`,
  );
  const server = from.spawn(['busybox', 'httpd', '-f', '-p', at, '-h', '/run/www']);
  try {
    // Asked again until somebody listens; in a pipe to sha256sum that would pass for an empty file.
    const fetch = `busybox wget -q -O /run/fetched http://${at}/blob && sha256sum </run/fetched`;
    const received = await eventually('the file is fetched', SERVED_MS, () =>
      to.script(fetch, { timeoutMs: 30_000 }),
    );
    assert.equal(received, sent);
  } finally {
    await server.stop();
  }
}
