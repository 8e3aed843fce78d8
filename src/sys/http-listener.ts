/** HTTP over TCP, for monitoring. */
import { once } from 'node:events';
import { type ControlAnswer, type HttpListener, SystemError } from '../ports.js';
import { answeringServer, closeOnAbort } from './answering-server.js';

/** A scraper keeps one connection; whoever opens more than this many gets no answer. */
const MOST_CONNECTIONS = 64;

export function httpListener(answer: ControlAnswer): HttpListener {
  return async ({ address, port }, signal) => {
    const server = answeringServer(answer);
    server.maxConnections = MOST_CONNECTIONS;
    try {
      server.listen({ host: address, port });
      await once(server, 'listening', { signal });
    } catch (cause) {
      server.close();
      const { message, code = 'EUNKNOWN' } = cause as NodeJS.ErrnoException;
      throw new SystemError(`Cannot listen on ${address}:${port}: ${message}`, code, { cause });
    }
    server.on('error', () => {}); // A connection that cannot be accepted is lost to its client alone.
    closeOnAbort(server, signal);
  };
}
