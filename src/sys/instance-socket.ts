/**
 * The instance's abstract socket: it tells who holds the instance. The kernel takes the name back when the process ends,
 * however it ends, and abstract names are scoped as the devices are.
 */
import { Buffer } from 'node:buffer';
import koffi from 'koffi';
import { SystemError } from '../ports.js';
import * as libc from './libc.js';

export interface InstanceSocket {
  /** May be called twice. */
  release(): void;
}

/** Who has the name bound. Both undefined when it does not say: it does not listen, or takes nothing up. */
export interface SocketHolder {
  /** 0 when it lives in another PID namespace. */
  readonly pid?: number;
  readonly uid?: number;
}

const SO_PEERCRED = 17;
const UCRED_BYTES = 12; // struct ucred: pid, uid, gid
const SUN_PATH_BYTES = 108;
// Connections wait here while the holder's event loop stalls; beyond net.core.somaxconn the kernel cuts it down.
const BACKLOG = 4096;
// Between bind and listen of the holder, or between its end and our bind, the name is neither held nor free.
const ATTEMPTS = 100;
const ATTEMPT_MS = 5;

/** Held until `release` or the end of the process; else who has it. Keeps no process alive. Throws SystemError. */
export function bindSocket(instance: string): InstanceSocket | SocketHolder {
  const address = addressOf(instance);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const fd = tryBind(address, instance);
    if (fd !== undefined) return heldBy(fd, instance);
    const holder = socketHolder(instance);
    if (holder !== undefined) return holder;
    pause();
  }
  return {};
}

/** Undefined when nobody listens there, in this network namespace. Never waits for the holder. */
export function socketHolder(instance: string): SocketHolder | undefined {
  const action = `ask who holds instance "${instance}"`;
  const fd = libc.socket(libc.AF_UNIX, libc.SOCK_STREAM, 0, action);
  try {
    libc.connect(fd, addressOf(instance), action);
    const credentials = new Uint8Array(UCRED_BYTES);
    libc.socketOption(fd, libc.SOL_SOCKET, SO_PEERCRED, credentials);
    const [pid = 0, uid = 0] = new Uint32Array(credentials.buffer);
    return { pid, uid };
  } catch (error) {
    if (error instanceof SystemError && error.code === 'ECONNREFUSED') return undefined;
    if (error instanceof SystemError && error.code === 'EAGAIN') return {}; // the backlog is full
    throw error;
  } finally {
    libc.close(fd);
  }
}

function heldBy(fd: number, instance: string): InstanceSocket {
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

export function socketName(instance: string): string {
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
