/** Tells systemd how the process is: datagrams to the socket that $NOTIFY_SOCKET names (sd_notify(3)). */
import { Buffer } from 'node:buffer';
import { type News, type Notifier, SystemError } from '../ports.js';
import * as libc from './libc.js';

const SUN_PATH_BYTES = 108;
/** The listener is there, but takes nothing at the moment. */
const FULL: ReadonlySet<string> = new Set(['EAGAIN', 'ENOBUFS', 'ENOMEM']);

export interface NotifyEnvironment {
  readonly NOTIFY_SOCKET?: string | undefined;
  readonly WATCHDOG_USEC?: string | undefined;
  readonly WATCHDOG_PID?: string | undefined;
}

/** Without NOTIFY_SOCKET, and with one that is no unix socket, every message goes nowhere. */
export function createNotifier(environment: NotifyEnvironment, pid: number): Notifier {
  const address = socketAddress(environment.NOTIFY_SOCKET ?? '');
  return {
    watchdogMs: address && watchdogMs(environment, pid),
    send: (news) => address === undefined || put(address, messageOf(news)),
  };
}

/** A process that inherited the variables of its parent is not the one that is watched (sd_watchdog_enabled(3)). */
function watchdogMs({ WATCHDOG_USEC, WATCHDOG_PID }: NotifyEnvironment, pid: number): number | undefined {
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(pid)) return undefined;
  const us = Number(WATCHDOG_USEC ?? 0);
  return us > 0 ? us / 1_000 : undefined;
}

function messageOf({ ready, reloading, stopping, alive, patienceMs, status }: News): Uint8Array {
  const lines = [
    ...(ready ? ['READY=1'] : []),
    // The manager tells a reload under way from one before it by the time (CLOCK_MONOTONIC).
    ...(reloading ? ['RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`] : []),
    ...(stopping ? ['STOPPING=1'] : []),
    ...(alive ? ['WATCHDOG=1'] : []),
    ...(patienceMs === undefined ? [] : [`EXTEND_TIMEOUT_USEC=${Math.round(patienceMs * 1_000)}`]),
    ...(status === undefined ? [] : [`STATUS=${status.replace(/\s*\n\s*/g, ' ')}`]),
  ];
  return Buffer.from(lines.join('\n'));
}

/** struct sockaddr_un. A name that begins with @ is an abstract one: NUL in its place, and no NUL at the end. */
function socketAddress(name: string): Uint8Array | undefined {
  if (!/^[/@]./.test(name)) return undefined;
  const path = Buffer.from(name.startsWith('@') ? name.replace('@', '\0') : `${name}\0`);
  if (path.length > SUN_PATH_BYTES) return undefined;
  return Buffer.concat([new Uint8Array(Uint16Array.of(libc.AF_UNIX).buffer), path]);
}

/** A socket for each message: there are few, and the listener may have been replaced since the last one. */
function put(address: Uint8Array, message: Uint8Array): boolean {
  const action = 'notify the service manager';
  const fd = libc.socket(libc.AF_UNIX, libc.SOCK_DGRAM, 0, action);
  try {
    libc.connect(fd, address, action);
    libc.send(fd, message, action);
    return true;
  } catch (error) {
    return !(error instanceof SystemError && FULL.has(error.code));
  } finally {
    libc.close(fd);
  }
}
