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
export async function inFreshNamespace<T>(body: () => Promise<T>): Promise<T> {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    if (unshare(CLONE_NEWNET) !== 0) {
      throw new Error(`Cannot make a network namespace (errno ${koffi.errno()}): run this test as root`);
    }
    // Not in a finally: an error of the return would hide the error of the body.
    const outcome = await body().then(
      (value) => ({ failed: false, value }) as const,
      (error: unknown) => ({ failed: true, error }) as const,
    );
    if (setns(home, CLONE_NEWNET) !== 0) {
      throw new Error(`Cannot return to the first namespace (errno ${koffi.errno()})`, {
        cause: outcome.failed ? outcome.error : undefined,
      });
    }
    if (outcome.failed) throw outcome.error;
    return outcome.value;
  } finally {
    closeSync(home);
  }
}
