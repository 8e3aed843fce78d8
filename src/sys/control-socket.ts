/** The daemon's socket: node:http over a unix socket, both ends. */
import { chmod, mkdir, rm } from 'node:fs/promises';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { dirname } from 'node:path';
import { type ControlReply, type ControlSocket, PrivilegeError, SystemError } from '../ports.js';

const SOCKET_MODE = 0o660;
const DIRECTORY_MODE = 0o755;

export const controlSocket: ControlSocket = {
  async serve(path, answer, signal) {
    await mkdir(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
    // The instance lock is ours, so nobody serves here any more: what is there was left by a killed process.
    await rm(path, { force: true });
    const server = createServer((message, response) => {
      const { method = 'GET', url = '/' } = message;
      message.resume();
      const reply =
        method === 'GET' || method === 'POST'
          ? answer({ method, path: url })
          : Promise.resolve({ status: 405, body: 'Only GET and POST are answered\n' });
      reply
        .catch((error: unknown): ControlReply => ({ status: 500, body: `${String(error)}\n` }))
        .then(({ status, body }) => response.writeHead(status).end(body));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) =>
        reject(
          new SystemError(`Cannot listen on ${path}: ${error.message}`, error.code ?? 'EUNKNOWN', {
            cause: error,
          }),
        ),
      );
      server.listen(path, resolve);
    });
    await chmod(path, SOCKET_MODE);
    signal.addEventListener(
      'abort',
      () => {
        server.close();
        server.closeAllConnections();
      },
      { once: true },
    );
  },

  ask(path, { method, path: url }, signal) {
    return new Promise((resolve, reject) => {
      const question = httpRequest({ socketPath: path, method, path: url, signal }, (message) => {
        text(message).then((body) => resolve({ status: message.statusCode ?? 0, body }), reject);
      });
      question.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined);
        else reject(askError(path, error));
      });
      question.end();
    });
  },
};

function askError(path: string, cause: NodeJS.ErrnoException): SystemError | PrivilegeError {
  const message = `Cannot ask the daemon at ${path}: ${cause.message}`;
  if (cause.code !== 'EACCES') return new SystemError(message, cause.code ?? 'EUNKNOWN', { cause });
  return new PrivilegeError(
    `${message}; it answers root and the members of the socket's group`,
    'group of the socket',
    { cause },
  );
}

async function text(message: IncomingMessage): Promise<string> {
  message.setEncoding('utf8');
  let body = '';
  for await (const part of message) body += part;
  return body;
}
