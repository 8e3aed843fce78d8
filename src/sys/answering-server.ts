/** HTTP as the daemon speaks it: a method and a path in, a status and a text out. Over whatever node:http listens on. */
import { createServer, type Server } from 'node:http';
import type { ControlAnswer, ControlReply } from '../ports.js';

const PLAIN_TEXT = 'text/plain; charset=utf-8';

export function answeringServer(answer: ControlAnswer): Server {
  return createServer((message, response) => {
    const { method = 'GET', url = '/' } = message;
    message.resume();
    const gone = new AbortController();
    response.once('close', () => gone.abort(new Error('Nobody waits for the answer any more')));
    const reply =
      method === 'GET' || method === 'POST'
        ? answer({ method, path: url }, gone.signal)
        : Promise.resolve({ status: 405, body: 'Only GET and POST are answered\n' });
    const send = ({ status, body, contentType }: ControlReply) =>
      void response.writeHead(status, { 'content-type': contentType ?? PLAIN_TEXT }).end(body);
    reply.then(send, (error: unknown) => send({ status: 500, body: `${String(error)}\n` }));
  });
}

/** Ends `server` with every connection when `signal` aborts. */
export function closeOnAbort(server: Server, signal: AbortSignal): void {
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
}
