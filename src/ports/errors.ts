/** Errors, classed by what the caller does. */
import type { StoreTrouble } from '../model/conditions.js';

/** The world could not be read completely: try again later, change nothing. */
export class ObserveError extends Error {
  override readonly name = 'ObserveError';
}

/** A privilege is missing: give up and name it. */
export class PrivilegeError extends Error {
  override readonly name = 'PrivilegeError';
  constructor(
    message: string,
    /** What is missing: `CAP_NET_ADMIN`, `/dev/net/tun`. */
    readonly capability: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The store cannot be reached or does not answer in time: try again later. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';
  constructor(
    message: string,
    readonly trouble: StoreTrouble = 'unreachable',
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** An errno of a system call, with what it was about: `EEXIST`, `route 10.5.34.0/24 dev flannel0`. */
export class SystemError extends Error {
  override readonly name = 'SystemError';
  constructor(
    message: string,
    /** Symbolic, for example `EEXIST`. */
    readonly code: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Whatever was thrown, as an Error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
