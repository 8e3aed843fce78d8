/**
 * One process for each instance and network namespace. The authority is a lock on a file of the runtime directory, where
 * nobody else can write. The abstract socket beside it excludes who has another runtime directory; as any local user
 * may bind its name, only a holder counts there who could have the file too.
 */
import { statSync } from 'node:fs';
import type { Log } from '../ports.js';
import { heldFile, type InstanceFile, lockFile } from './instance-file.js';
import { bindSocket, type InstanceSocket, socketHolder, socketName } from './instance-socket.js';

/** Another process holds the instance. */
export class InstanceHeldError extends Error {
  override readonly name = 'InstanceHeldError';
  constructor(
    instance: string,
    /** 0 when it cannot be told from here. */
    readonly pid: number,
  ) {
    const holder = pid === 0 ? 'a process that cannot be seen from here' : `process ${pid}`;
    super(`Cannot hold instance "${instance}": ${holder} holds it; stop that first, or wait for its end`);
  }
}

export interface InstanceLock {
  /** May be called twice. */
  release(): void;
}

export interface InstanceToLock {
  readonly name: string;
  /** Made when it is missing. Its owner is trusted: the daemon's user, beside whom root may run a command. */
  readonly runtimeDirectory: string;
}

/** Held until `release` or the end of the process. Keeps no process alive. Throws InstanceHeldError or SystemError. */
export function acquireInstanceLock(instance: InstanceToLock, log: Pick<Log, 'warn'>): InstanceLock {
  const file = lockFile(instance);
  try {
    if (file === 'held') throw new InstanceHeldError(instance.name, holderOf(instance));
    const socket = takeSocket(instance, file, log);
    return {
      release() {
        socket?.release();
        if (file !== 'refused') file.release();
      },
    };
  } catch (error) {
    if (typeof file !== 'string') file.release();
    throw error;
  }
}

/** Undefined when somebody has the name who is not to be trusted. */
function takeSocket(
  { name, runtimeDirectory }: InstanceToLock,
  file: InstanceFile | 'refused',
  log: Pick<Log, 'warn'>,
): InstanceSocket | undefined {
  const socket = bindSocket(name);
  if ('release' in socket) return socket;
  const { pid, uid } = socket;
  // Who may not write into the runtime directory has the socket alone to go by.
  if (file === 'refused' || isTrusted(uid, runtimeDirectory)) throw new InstanceHeldError(name, pid ?? 0);
  log.warn(
    { instance: name, socket: socketName(name), pid, uid },
    'a stranger has bound the socket of the instance: going on by the lock file alone',
  );
  return undefined;
}

function holderOf({ name, runtimeDirectory }: InstanceToLock): number {
  const holder = socketHolder(name);
  if (holder?.pid !== undefined && isTrusted(holder.uid, runtimeDirectory)) return holder.pid;
  return heldFile({ name, runtimeDirectory });
}

/** `uid` is undefined where the holder does not answer: whoever is honest has the lock file, which was free. */
function isTrusted(uid: number | undefined, runtimeDirectory: string): boolean {
  if (uid === undefined) return false;
  const owner = statSync(runtimeDirectory, { throwIfNoEntry: false })?.uid;
  return [0, process.getuid?.(), owner].includes(uid);
}
