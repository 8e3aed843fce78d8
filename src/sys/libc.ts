/**
 * The libc calls that Node does not offer, for control-side work. Every failure is thrown as a SystemError that
 * names the errno and what was attempted; only "nothing to read now" is an ordinary answer.
 */
import koffi from 'koffi';
import { SystemError } from '../ports.js';

const libc = koffi.load('libc.so.6');
const native = {
  open: libc.func('int open(const char *path, int flags, uint32_t mode)'),
  close: libc.func('int close(int fd)'),
  ioctlPointer: libc.func('int ioctl(int fd, unsigned long request, void *argument)'),
  ioctlValue: libc.func('int ioctl(int fd, unsigned long request, unsigned long argument)'),
  flock: libc.func('int flock(int fd, int operation)'),
  eventfd: libc.func('int eventfd(uint32_t initial, int flags)'),
  socket: libc.func('int socket(int domain, int type, int protocol)'),
  bind: libc.func('int bind(int fd, const void *address, uint32_t addressBytes)'),
  connect: libc.func('int connect(int fd, const void *address, uint32_t addressBytes)'),
  listen: libc.func('int listen(int fd, int backlog)'),
  accept: libc.func('int accept4(int fd, void *address, void *addressBytes, int flags)'),
  setsockopt: libc.func(
    'int setsockopt(int fd, int level, int option, const void *value, uint32_t valueBytes)',
  ),
  getsockopt: libc.func(
    'int getsockopt(int fd, int level, int option, void *value, _Inout_ uint32_t *valueBytes)',
  ),
  // koffi has no ssize_t; intptr_t is as wide.
  send: libc.func('intptr_t send(int fd, const void *data, size_t dataBytes, int flags)'),
  recv: libc.func('intptr_t recv(int fd, void *buffer, size_t bufferBytes, int flags)'),
  clockGettime: libc.func('int clock_gettime(int clock, void *timespec)'),
  strerror: libc.func('const char *strerror(int errno)'),
};

// asm-generic values: the same on every architecture that Node 20 supports on Linux.
export const AF_UNIX = 1;
export const AF_NETLINK = 16;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const O_RDWR = 2;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;
const EFD_CLOEXEC = 0o2000000;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const LOCK_EX = 2;
const LOCK_NB = 4;
const CLOCK_BOOTTIME = 7;
const EAGAIN = 11;

// Second names of one number; the first name is the one that strace and man pages print.
const ALIASES: ReadonlySet<string> = new Set(['EWOULDBLOCK', 'ENOTSUP', 'EDEADLOCK']);
const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(koffi.os.errno)
    .filter(([name]) => !ALIASES.has(name))
    .map(([name, number]) => [number, name]),
);

/** The symbolic name of a positive errno: `ENODEV` for 19. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

/** The error of a failed call. `action` reads after "Cannot": `add route 10.5.34.0/24 dev flannel0`. */
export function systemError(action: string, errno: number, detail?: string): SystemError {
  const name = errnoName(errno);
  const text = detail ?? native.strerror(errno);
  return new SystemError(`Cannot ${action}: ${text} (${name})`, name);
}

function checked(result: number, action: string): number {
  if (result < 0) throw systemError(action, koffi.errno());
  return result;
}

/** Resolves symlinks; `flags` are O_*. The caller closes. */
export function open(path: string, flags: number): number {
  return checked(native.open(path, flags, 0), `open ${path}`);
}

/** Close reports nothing that a caller could act on: the descriptor is gone either way (close(2)). */
export function close(fd: number): void {
  native.close(fd);
}

/** An ioctl whose argument is a structure; the kernel may write into `argument`. */
export function ioctl(fd: number, request: number, argument: Uint8Array, action: string): void {
  checked(native.ioctlPointer(fd, request, argument), action);
}

/** An ioctl whose argument is the number itself, such as TUNSETPERSIST. */
export function ioctlValue(fd: number, request: number, argument: number, action: string): void {
  checked(native.ioctlValue(fd, request, argument), action);
}

/** flock(2), exclusive: kept until the last descriptor of this opening is closed. False when another opening has it. */
export function tryLock(fd: number, action: string): boolean {
  const result: number = native.flock(fd, LOCK_EX | LOCK_NB);
  if (result < 0 && koffi.errno() === EAGAIN) return false;
  checked(result, action);
  return true;
}

/** A non-blocking event counter: write 8 bytes to wake whoever polls it. The caller closes. */
export function eventFd(): number {
  return checked(native.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), 'make an eventfd');
}

/** Non-blocking and close-on-exec. Belongs to the network namespace of the calling thread for life. The caller closes. */
export function socket(domain: number, type: number, protocol: number, action: string): number {
  return checked(native.socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol), action);
}

export function bind(fd: number, address: Uint8Array, action: string): void {
  checked(native.bind(fd, address, address.length), action);
}

export function connect(fd: number, address: Uint8Array, action: string): void {
  checked(native.connect(fd, address, address.length), action);
}

export function listen(fd: number, backlog: number, action: string): void {
  checked(native.listen(fd, backlog), action);
}

/** The next connection, which the caller closes. Undefined when nobody waits, or nobody any more. */
export function accept(fd: number): number | undefined {
  const connection: number = native.accept(fd, null, null, SOCK_CLOEXEC);
  return connection < 0 ? undefined : connection;
}

export function setSocketOption(fd: number, level: number, option: number, value: number): void {
  const bytes = new Uint8Array(Int32Array.of(value).buffer);
  checked(
    native.setsockopt(fd, level, option, bytes, bytes.length),
    `set socket option ${option} of level ${level} to ${value}`,
  );
}

const filterProgram = koffi.struct({ length: 'uint16_t', instructions: 'const uint8_t *' }); // struct sock_fprog
const setFilter = libc.func('setsockopt', 'int', [
  'int',
  'int',
  'int',
  koffi.pointer(filterProgram),
  'uint32_t',
]);

/** SO_ATTACH_FILTER and the like: `program` is an array of struct sock_filter, eight bytes each. */
export function setSocketProgram(fd: number, option: number, program: Uint8Array): void {
  const argument = { length: program.length / 8, instructions: program };
  checked(
    setFilter(fd, SOL_SOCKET, option, argument, koffi.sizeof(filterProgram)),
    `attach a filter of ${argument.length} instructions`,
  );
}

const SIOCETHTOOL = 0x8946;
// struct ifreq with ifr_data, on 64-bit; the kernel copies all of it.
const dataRequest = koffi.struct({
  name: koffi.array('uint8_t', 16),
  data: 'uint32_t *',
  padding: koffi.array('uint8_t', 16),
});
const ethtoolIoctl = libc.func('ioctl', 'int', ['int', 'unsigned long', koffi.pointer(dataRequest)]);

/** linux/ethtool.h: `command` begins with its number, and takes the answer. Throws SystemError. */
export function ethtool(fd: number, device: string, command: Uint32Array, action: string): void {
  const name = new Uint8Array(16); // IFNAMSIZ
  new TextEncoder().encodeInto(device, name.subarray(0, 15));
  const request = { name, data: command, padding: new Uint8Array(16) };
  checked(ethtoolIoctl(fd, SIOCETHTOOL, request), action);
}

/** Fills `value` and returns how many bytes the kernel wrote. */
export function socketOption(fd: number, level: number, option: number, value: Uint8Array): number {
  const valueBytes = [value.length];
  checked(
    native.getsockopt(fd, level, option, value, valueBytes),
    `read socket option ${option} of level ${level}`,
  );
  return valueBytes[0] ?? 0;
}

/** Sends one datagram whole. */
export function send(fd: number, data: Uint8Array, action: string): void {
  checked(Number(native.send(fd, data, data.length, 0)), action);
}

/**
 * Receives one datagram into `buffer` and returns its own length: more than the buffer's means that the rest is
 * lost. Undefined when none is waiting.
 */
export function receive(fd: number, buffer: Uint8Array, action: string): number | undefined {
  const bytes = Number(native.recv(fd, buffer, buffer.length, MSG_DONTWAIT | MSG_TRUNC));
  if (bytes < 0 && koffi.errno() === EAGAIN) return undefined;
  return checked(bytes, action);
}

/** Nanoseconds since boot, running on through suspend. */
export function boottimeNs(): bigint {
  const timespec = new BigInt64Array(2); // struct timespec of the 64-bit ABIs
  checked(native.clockGettime(CLOCK_BOOTTIME, timespec), 'read CLOCK_BOOTTIME');
  return (timespec[0] ?? 0n) * 1_000_000_000n + (timespec[1] ?? 0n);
}
