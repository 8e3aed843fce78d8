/**
 * A fresh network namespace for the length of one test. The calling thread moves into it, so sockets, child
 * processes and worker threads that the test starts live there; it ends with the last of them. Threads of the
 * libuv pool stay outside: read /proc/sys/net with the synchronous fs calls.
 */
import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const unshare = libc.func('int unshare(int flags)');
const setns = libc.func('int setns(int fd, int type)');
const CLONE_NEWNET = 0x40000000;

/** Rejects with what to do when the process lacks the privilege; never skips. */
export function inFreshNamespace<T>(body: () => Promise<T>): Promise<T> {
  return away(() => {
    if (unshare(CLONE_NEWNET) !== 0) {
      throw new Error(`Cannot make a network namespace (errno ${koffi.errno()}): run this test as root`);
    }
  }, body);
}

/** The same in the network namespace of another process; a socket opened there stays there. */
export function inNamespaceOf<T>(pid: number, body: () => Promise<T>): Promise<T> {
  return away(() => {
    const there = openSync(`/proc/${pid}/ns/net`, 'r');
    try {
      enter(there, `the namespace of process ${pid}`);
    } finally {
      closeSync(there);
    }
  }, body);
}

async function away<T>(leave: () => void, body: () => Promise<T>): Promise<T> {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    leave();
    // Not in a finally: an error of the return would hide the error of the body.
    const outcome = await body().then(
      (value) => ({ failed: false, value }) as const,
      (error: unknown) => ({ failed: true, error }) as const,
    );
    enter(home, 'the first namespace', outcome.failed ? outcome.error : undefined);
    if (outcome.failed) throw outcome.error;
    return outcome.value;
  } finally {
    closeSync(home);
  }
}

function enter(namespace: number, name: string, cause?: unknown): void {
  if (setns(namespace, CLONE_NEWNET) !== 0) {
    throw new Error(`Cannot enter ${name} (errno ${koffi.errno()})`, { cause });
  }
}
