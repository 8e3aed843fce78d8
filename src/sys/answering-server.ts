/** HTTP as the daemon speaks it: a method and a path in, a status and a text out. Over whatever node:http listens on. */
import { createServer, type Server } from 'node:http';
import type { ControlReply, ControlRequest } from '../ports.js';

export type Answer = (request: ControlRequest) => Promise<ControlReply>;

const PLAIN_TEXT = 'text/plain; charset=utf-8';

export function answeringServer(answer: Answer): Server {
  return createServer((message, response) => {
    const { method = 'GET', url = '/' } = message;
    message.resume();
    const reply =
      method === 'GET' || method === 'POST'
        ? answer({ method, path: url })
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
