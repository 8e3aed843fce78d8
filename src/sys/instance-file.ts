/**
 * The instance's lock file, `flannel0.4026531840.lock` in the runtime directory, named after the network namespace. The
 * lock is flock(2)'s: the kernel takes it back when the process ends, however it ends.
 */
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { SystemError } from '../ports.js';
import * as libc from './libc.js';

export interface InstanceFile {
  /** May be called twice. */
  release(): void;
}

interface Instance {
  readonly name: string;
  readonly runtimeDirectory: string;
}

const DIRECTORY_MODE = 0o755;
const FILE_MODE = 0o600;
// As many times a file may be taken away by its last holder while we open it.
const ATTEMPTS = 100;
const REFUSALS: ReadonlySet<string | undefined> = new Set(['EACCES', 'EPERM', 'EROFS']);

/** `held` by another process; `refused` where this process may not write into the runtime directory. Throws SystemError. */
export function lockFile(instance: Instance): InstanceFile | 'held' | 'refused' {
  const path = pathOf(instance);
  try {
    mkdirSync(instance.runtimeDirectory, { recursive: true, mode: DIRECTORY_MODE });
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const fd = openOrMake(path, instance.runtimeDirectory);
      if (fd === undefined) continue;
      if (!libc.tryLock(fd, `lock ${path}`)) {
        closeSync(fd);
        return 'held';
      }
      if (isInPlace(fd, path)) return lockedFile(fd, path);
      closeSync(fd);
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (REFUSALS.has(code)) return 'refused';
    throw error instanceof SystemError
      ? error
      : new SystemError(`Cannot lock ${path}: ${message}`, code ?? '');
  }
  throw new SystemError(`Cannot lock ${path}: others make and remove it all the time`, 'EAGAIN');
}

/** The pid of the process that has the file locked, by /proc/locks; 0 when it cannot be told. */
export function heldFile(instance: Instance): number {
  const file = statSync(pathOf(instance), { throwIfNoEntry: false });
  if (file === undefined) return 0;
  // `1: FLOCK  ADVISORY  WRITE 4711 00:19:1234 0 EOF`: device numbers in hexadecimal, the inode in decimal.
  for (const line of readFileSync('/proc/locks', 'utf8').split('\n')) {
    const [, kind, , , pid, place = ''] = line.trim().split(/\s+/);
    const [major = '', minor = '', inode] = place.split(':');
    const device = deviceNumber(Number.parseInt(major, 16), Number.parseInt(minor, 16));
    if (kind === 'FLOCK' && device === file.dev && Number(inode) === file.ino)
      return Math.max(0, Number(pid));
  }
  return 0;
}

/** makedev(3), for what fits 32 bits. */
function deviceNumber(major: number, minor: number): number {
  return ((minor & ~0xff) << 12) | (major << 8) | (minor & 0xff);
}

function pathOf({ name, runtimeDirectory }: Instance): string {
  return `${runtimeDirectory}/${name}.${statSync('/proc/thread-self/ns/net').ino}.lock`;
}

/** Undefined when it came or went in between. What is made belongs to the directory's owner: the daemon must open what root has made. */
function openOrMake(path: string, directory: string): number | undefined {
  try {
    const { O_CREAT, O_EXCL, O_RDWR } = constants;
    const fd = openSync(path, O_CREAT | O_EXCL | O_RDWR, FILE_MODE);
    const { uid, gid } = statSync(directory);
    // Only of a file that was made here: another one may be a link to somebody else's.
    if (process.getuid?.() === 0) fchownSync(fd, uid, gid);
    return fd;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  try {
    return openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whoever lets go removes the file: a lock on a removed one keeps nobody out. */
function isInPlace(fd: number, path: string): boolean {
  const [ours, there] = [fstatSync(fd), statSync(path, { throwIfNoEntry: false })];
  return there?.ino === ours.ino && there.dev === ours.dev;
}

function lockedFile(fd: number, path: string): InstanceFile {
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      try {
        unlinkSync(path);
      } catch {
        // It may stay: what counts is the lock.
      }
      closeSync(fd);
    },
  };
}
