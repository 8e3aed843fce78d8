/**
 * One process for each instance and network namespace: whoever has bound the instance's abstract socket. The kernel
 * takes the name back when the process ends, however it ends, and abstract names are scoped as the devices are.
 */
import { Buffer } from 'node:buffer';
import koffi from 'koffi';
import { SystemError } from '../ports.js';
import * as libc from './libc.js';

/** Another process holds the instance. */
export class InstanceHeldError extends Error {
  override readonly name = 'InstanceHeldError';
  constructor(
    instance: string,
    /** 0 when it cannot be told from here. */
    readonly pid: number,
  ) {
    const holder = pid === 0 ? 'a process that cannot be seen from here' : `process ${pid}`;
    super(`Cannot hold instance "${instance}": ${holder} holds it`);
  }
}

export interface InstanceLock {
  /** May be called twice. */
  release(): void;
}

const SO_PEERCRED = 17;
const UCRED_BYTES = 12; // struct ucred: pid, uid, gid
const SUN_PATH_BYTES = 108;
// Connections wait here while the holder's event loop stalls; beyond net.core.somaxconn the kernel cuts it down.
const BACKLOG = 4096;
// Between bind and listen of the holder, or between its end and our bind, the name is neither held nor free.
const ATTEMPTS = 100;
const ATTEMPT_MS = 5;

/** Held until `release` or the end of the process. Keeps no process alive. Throws InstanceHeldError or SystemError. */
export function acquireInstanceLock(instance: string): InstanceLock {
  const address = addressOf(instance);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const fd = tryBind(address, instance);
    if (fd !== undefined) return heldBy(fd, instance);
    const holder = instanceHolder(instance);
    if (holder !== undefined) throw new InstanceHeldError(instance, holder);
    pause();
  }
  throw new SystemError(
    `Cannot hold instance "${instance}": its socket ${socketName(instance)} is bound, but nobody listens on it`,
    'EADDRINUSE',
  );
}

/**
 * The pid of the process that holds `instance` in this network namespace; undefined when none does, 0 when it cannot
 * be told: it lives in another PID namespace, or has been stalled for thousands of questions. Never waits for it.
 */
export function instanceHolder(instance: string): number | undefined {
  const action = `ask who holds instance "${instance}"`;
  const fd = libc.socket(libc.AF_UNIX, libc.SOCK_STREAM, 0, action);
  try {
    libc.connect(fd, addressOf(instance), action);
    const credentials = new Uint8Array(UCRED_BYTES);
    libc.socketOption(fd, libc.SOL_SOCKET, SO_PEERCRED, credentials);
    return new Int32Array(credentials.buffer)[0];
  } catch (error) {
    if (error instanceof SystemError && error.code === 'ECONNREFUSED') return undefined;
    if (error instanceof SystemError && error.code === 'EAGAIN') return 0; // the backlog is full
    throw error;
  } finally {
    libc.close(fd);
  }
}

function heldBy(fd: number, instance: string): InstanceLock {
  libc.listen(fd, BACKLOG, `hold instance "${instance}"`);
  // Those who ask connect and leave; taking their connections up keeps the backlog from filling.
  const poll = koffi.node.poll(fd, { readable: true }, () => {
    for (let asker = libc.accept(fd); asker !== undefined; asker = libc.accept(fd)) libc.close(asker);
  });
  poll.unref();
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      poll.close();
      libc.close(fd);
    },
  };
}

/** Undefined when somebody has bound it. */
function tryBind(address: Uint8Array, instance: string): number | undefined {
  const action = `hold instance "${instance}"`;
  const fd = libc.socket(libc.AF_UNIX, libc.SOCK_STREAM, 0, action);
  try {
    libc.bind(fd, address, action);
    return fd;
  } catch (error) {
    libc.close(fd);
    if (error instanceof SystemError && error.code === 'EADDRINUSE') return undefined;
    throw error;
  }
}

function socketName(instance: string): string {
  return `@flannelette/${instance}`;
}

/** struct sockaddr_un. The length of an abstract name is the address's; it begins with NUL, which is written as @. */
function addressOf(instance: string): Uint8Array {
  const path = Buffer.from(socketName(instance));
  if (path.length > SUN_PATH_BYTES) {
    throw new SystemError(
      `Cannot hold instance "${instance}": name is ${path.length} bytes long, must be at most ${SUN_PATH_BYTES}`,
      'EINVAL',
    );
  }
  path[0] = 0;
  const family = new Uint8Array(Uint16Array.of(libc.AF_UNIX).buffer);
  return Buffer.concat([family, path]);
}

function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ATTEMPT_MS);
}
