/** Files on the disk: whole reads, atomic writes. Watching is in file-watch.ts. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import {
  chmod,
  type FileHandle,
  lchown,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  unlink,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import { type Files, SystemError } from '../ports.js';
import { watchPaths } from './file-watch.js';

/** Nearly all that we read is small; something larger is not what we think it is. */
const MOST_BYTES = 1024 * 1024;

/** A write takes milliseconds: what is this old was left by a process that died in the middle of one. */
const ABANDONED_AFTER_MS = 60_000;

/** Looks for changes that the kernel did not report, on file systems that others write to. */
const POLL_MS = 10_000;

/** `pollMs` is for tests; what the kernel reports does not wait for it. */
export function diskFiles({ pollMs = POLL_MS }: { readonly pollMs?: number } = {}): Files {
  return {
    read,
    write,
    append,
    remove,
    watch: (paths, wake, signal) => watchPaths(paths, wake, signal, pollMs),
  };
}

export const systemFiles: Files = diskFiles();

async function read(
  path: string,
  mostBytes = MOST_BYTES,
): Promise<{ readonly content: string; readonly mode: number } | undefined> {
  try {
    // Not blocking: a FIFO without a writer would never open.
    return await withFile(open(path, constants.O_RDONLY | constants.O_NONBLOCK), async (file) => {
      const status = await file.stat();
      if (!status.isFile()) {
        const code = status.isDirectory() ? 'EISDIR' : 'EINVAL';
        throw new SystemError(`Cannot read ${path}: not a regular file (${code})`, code);
      }
      return { content: await wholeText(file, path, mostBytes), mode: status.mode & 0o7777 };
    });
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw systemError(`read ${path}`, error);
  }
}

/**
 * A symbolic link at `path` is replaced, not followed: what it points to stays as it is. Links among the
 * directories are followed, as /var/run is one to /run. Rejects with EINVAL rather than put a file in the
 * place of a device, a pipe or a socket, or of a link to one.
 */
async function write(path: string, content: string, mode: number): Promise<void> {
  const directory = dirname(path);
  try {
    await refuseDevice(path);
    await makeDirectories(directory);
    await removeAbandoned(path);
    await replace(path, content, mode);
    await synchronise(directory);
  } catch (error) {
    throw systemError(`write ${path}`, error);
  }
}

async function append(path: string, content: string): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK;
  try {
    await withFile(open(path, flags), (file) => file.appendFile(content));
  } catch (error) {
    throw systemError(`append to ${path}`, error);
  }
}

async function remove(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isAbsent(error)) throw systemError(`remove ${path}`, error);
  }
}

/** Reads one byte more than allowed at most: a size of 0 says nothing about a file in /proc. */
async function wholeText(file: FileHandle, path: string, mostBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(64 * 1024));
    if (bytesRead === 0) return Buffer.concat(chunks).toString('utf8');
    bytes += bytesRead;
    if (bytes > mostBytes) {
      throw new SystemError(`Cannot read ${path}: more than ${mostBytes} bytes (EFBIG)`, 'EFBIG');
    }
    chunks.push(buffer.subarray(0, bytesRead));
  }
}

/** Renaming a file onto /dev/null or /dev/stdout would break the host. */
async function refuseDevice(path: string): Promise<void> {
  const status = await stat(path).catch(() => undefined);
  if (status === undefined || status.isFile() || status.isDirectory()) return;
  throw new SystemError(`Cannot write ${path}: not a regular file (EINVAL)`, 'EINVAL');
}

/** Makes what is missing, readable for everybody whatever the umask is: Docker looks inside. */
async function makeDirectories(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true }).catch((error) => {
    // mkdir speaks of the file that stands there; for us it is one in the way to another.
    if (codeOf(error) !== 'EEXIST') throw error;
    throw new SystemError(`Cannot write into ${directory}: not a directory (ENOTDIR)`, 'ENOTDIR');
  });
  if (first === undefined) return;
  const owner = await ownerIn(dirname(first));
  for (let made = directory; made.length >= first.length; made = dirname(made)) {
    await chmod(made, 0o755);
    if (owner !== undefined) await lchown(made, owner.uid, owner.gid).catch(stayRoots);
  }
}

/** Root without CAP_CHOWN, as in some containers, keeps what it makes. */
function stayRoots(): void {}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Whom something new in `directory` is given to: what root writes where an ordinary daemon is at home stays that one's. */
async function ownerIn(directory: string): Promise<Owner | undefined> {
  if (process.geteuid?.() !== 0) return undefined;
  const { uid, gid } = await stat(directory);
  return uid === 0 ? undefined : { uid, gid };
}

/**
 * Whose the file at `path` is to be: where only root may put one it stays whose it is, so that whoever may read it still may.
 * In /tmp what is there may have been put there for that.
 */
async function ownerOf(path: string): Promise<Owner | undefined> {
  const directory = dirname(path);
  const owner = await ownerIn(directory);
  if (owner !== undefined || process.geteuid?.() !== 0) return owner;
  const isRootsAlone = ((await stat(directory)).mode & 0o022) === 0;
  return isRootsAlone ? stat(path).catch(() => undefined) : undefined;
}

async function replace(path: string, content: string, mode: number): Promise<void> {
  const temporary = join(dirname(path), `${temporaryPrefix(path)}${randomBytes(6).toString('hex')}`);
  const owner = await ownerOf(path);
  try {
    await withFile(open(temporary, 'wx', 0o600), async (file) => {
      await file.writeFile(content);
      if (owner !== undefined) await file.chown(owner.uid, owner.gid).catch(stayRoots);
      // After the content: what is meant for few is never readable by more. The umask has no say in it.
      await file.chmod(mode);
      // Without it a crash may leave the new name with no content.
      await file.sync();
    });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function withFile<T>(opening: Promise<FileHandle>, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await opening;
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

function temporaryPrefix(path: string): string {
  return `.${basename(path)}.new-`;
}

/** A killed process cannot tidy up: the next write to the same path does, as far as it can. */
async function removeAbandoned(path: string): Promise<void> {
  const directory = dirname(path);
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter((name) => name.startsWith(temporaryPrefix(path)))) {
    const left = join(directory, name);
    const status = await lstat(left).catch(() => undefined);
    const isOld = status !== undefined && Date.now() - status.mtimeMs > ABANDONED_AFTER_MS;
    if (isOld) await rm(left, { force: true }).catch(() => undefined);
  }
}

/** Makes the new name itself survive a crash. */
async function synchronise(directory: string): Promise<void> {
  const opening = open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  await withFile(opening, (handle) => handle.sync());
}

function isAbsent(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function systemError(action: string, error: unknown): unknown {
  if (error instanceof SystemError || !(error instanceof Error) || !('errno' in error)) return error;
  const [code, meaning] = getSystemErrorMap().get(Number(error.errno)) ?? [codeOf(error), error.message];
  return new SystemError(`Cannot ${action}: ${meaning} (${code})`, code, { cause: error });
}
