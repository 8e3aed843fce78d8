/** The daemon's socket: node:http over a unix socket, both ends. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { type ControlAnswer, type ControlSocket, PrivilegeError, SystemError } from '../ports.js';
import { answeringServer, closeOnAbort } from './answering-server.js';
import { watchPaths } from './file-watch.js';

/** For a removal that the kernel does not report. */
const POLL_MS = 10_000;
const SOCKET_MODE = 0o660;
const DIRECTORY_MODE = 0o755;
const LONGEST_PATH_BYTES = 107; // sun_path of unix(7) less its final NUL; libuv would cut the rest off

export const controlSocket: ControlSocket = {
  async serve(path, answer, signal) {
    if (Buffer.byteLength(path) > LONGEST_PATH_BYTES) {
      throw new SystemError(
        `Cannot listen on ${path}: the path must have at most ${LONGEST_PATH_BYTES} bytes`,
        'ENAMETOOLONG',
      );
    }
    let server = await listeningAt(path, answer);
    closeOnAbort(server, signal);
    let restoring: Promise<void> = Promise.resolve();
    const restore = async () => {
      if (signal.aborted || existsSync(path)) return;
      try {
        // First: a server that ends takes away what stands at its path. Questions under way are answered.
        server.close();
        server = await listeningAt(path, answer);
        closeOnAbort(server, signal);
      } catch {
        // Its directory may not be ours to make: once it is there again, this is tried again.
      }
    };
    // One after the other: it may be removed again while it is put back.
    const onChange = () => {
      restoring = restoring.then(restore);
    };
    watchPaths([path], onChange, signal, POLL_MS);
  },

  ask(path, { method, path: url }, signal) {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown) => reject(askError(path, error));
      const question = httpRequest({ socketPath: path, method, path: url, signal }, (message) => {
        text(message).then((body) => resolve({ status: message.statusCode ?? 0, body }), fail);
      });
      question.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined);
        else fail(error);
      });
      question.end();
    });
  },
};

async function listeningAt(path: string, answer: ControlAnswer): Promise<Server> {
  const server = answeringServer(answer);
  try {
    await mkdir(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
    // The instance lock is ours, but holds in this network namespace alone: /run may be shared with another one.
    if (await isServed(path)) throw inUse();
    // What else is there was left by a killed process.
    await rm(path, { force: true });
    await listening(server, path);
    await chmod(path, SOCKET_MODE);
    return server;
  } catch (error) {
    server.close();
    throw systemError(`listen on ${path}`, error);
  }
}

/** Whether somebody listens. That one need not answer: it may be stopped. */
function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(path);
    const end = (served: boolean) => {
      connection.destroy();
      resolve(served);
    };
    connection.once('connect', () => end(true));
    // EAGAIN: more wait for an answer than the kernel lets wait.
    connection.once('error', ({ code }: NodeJS.ErrnoException) => end(code === 'EAGAIN'));
  });
}

function inUse(): Error {
  return Object.assign(
    new Error(
      'another daemon answers there; one in another network namespace needs its own instance.runtimeDirectory',
    ),
    { code: 'EADDRINUSE' },
  );
}

/** A connection that cannot be accepted later, for want of descriptors, is lost to its client alone. */
function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(path, resolve);
  });
}

async function text(message: IncomingMessage): Promise<string> {
  message.setEncoding('utf8');
  let body = '';
  for await (const part of message) body += part;
  return body;
}

function askError(path: string, cause: unknown): SystemError | PrivilegeError {
  const error = systemError(`ask the daemon at ${path}`, cause);
  if (error.code !== 'EACCES') return error;
  return new PrivilegeError(
    `${error.message}; it answers root and the members of the socket's group`,
    'group of the socket',
    { cause },
  );
}

function systemError(action: string, cause: unknown): SystemError {
  const { message, code = 'EUNKNOWN' } = cause as NodeJS.ErrnoException;
  return new SystemError(`Cannot ${action}: ${message}`, code, { cause });
}
