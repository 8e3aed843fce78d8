/**
 * Kernel settings under /proc/sys. Files are read and written on the calling thread: /proc/sys/net shows the network
 * namespace of the thread that opens it, and those of libuv's pool may live in another one.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { type Sysctls, SystemError } from '../ports.js';

export const kernelSysctls: Sysctls = {
  async read(name) {
    try {
      return readFileSync(pathOf(name), 'utf8').trimEnd();
    } catch (error) {
      const failure = failureOf(`read sysctl ${name}`, error);
      if (failure.code === 'ENOENT') return undefined;
      throw failure;
    }
  },

  async write({ name, value }) {
    try {
      // Without O_CREAT: a setting that is absent is ENOENT then, and not whatever procfs says to making a file.
      writeFileSync(pathOf(name), `${value}\n`, { flag: 'r+' });
    } catch (error) {
      throw failureOf(`set sysctl ${name} to "${value}"`, error);
    }
  },
};

/** Dots separate, and a slash stands for a dot in a device's name, as in sysctl(8): `net.ipv4.conf.eth0/100.forwarding`. */
function pathOf(name: string): string {
  const path = name.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'));
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    throw new SystemError('a part of the name is empty or made of dots', 'EINVAL');
  }
  return `/proc/sys/${path}`;
}

function failureOf(action: string, cause: unknown): SystemError {
  if (!(cause instanceof Error)) throw cause;
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : 'EIO';
  return new SystemError(`Cannot ${action}: ${cause.message}`, code, { cause });
}
