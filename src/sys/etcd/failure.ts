/** What went wrong with a call to etcd, in words for whoever is paged. */
import type { StoreTrouble } from '../../model/conditions.js';
import { asError, StoreUnavailableError } from '../../ports.js';

/** A file of ours that the client needs cannot be read or used: etcd was not asked. The message names the setting and the file. */
export class ClientFileError extends Error {
  override readonly name = 'ClientFileError';
  readonly trouble: 'auth' | 'tls';

  /** `setting` as in the configuration below `store`: `passwordFile`, `tls.caFile`. */
  constructor(setting: string, cause: unknown) {
    super(`store.${setting}: ${(cause as Error).message}`, { cause });
    this.trouble = setting.startsWith('tls') ? 'tls' : 'auth';
  }
}

/** Whether another endpoint may do better: the one asked is down, silent, cut off or without a leader. */
export function isEndpointTrouble(error: unknown): boolean {
  const { code } = grpcStatus(error);
  return code === UNAVAILABLE || code === DEADLINE_EXCEEDED || code === CANCELLED || code === INTERNAL;
}

/**
 * Whether etcd understood who asks and refused what was asked: another member would say the same, and a new
 * connection would not help.
 */
export function isRefusal(error: unknown): boolean {
  // The system's own "permission denied" for a file is none of etcd's: the next client reads the file anew.
  if (error instanceof ClientFileError) return false;
  const { details } = grpcStatus(error);
  return /permission denied|lease not found|database space exceeded|required revision/.test(details);
}

/**
 * Whether etcd knows the token of the call no more: it ran out, or etcd was started anew, or its users have changed.
 * The call was not done; with a new login it may be repeated, also a write.
 */
export function isLoggedOut(error: unknown): boolean {
  const { details } = grpcStatus(error);
  return /invalid auth token|revision of auth store is old/.test(details);
}

export function isLeaseGone(error: unknown): boolean {
  return /requested lease not found/.test(grpcStatus(error).details);
}

/** `action` as in "read the leases"; the message names the endpoint and the cause and holds no secret. */
export function unavailable(
  action: string,
  endpoint: string,
  error: unknown,
  detail = '',
): StoreUnavailableError {
  if (error instanceof StoreUnavailableError) return error;
  const { trouble, cause } = causeOf(error);
  return new StoreUnavailableError(`Cannot ${action} (etcd ${endpoint}): ${cause}${detail}`, trouble, {
    cause: error,
  });
}

/** Whether the connection was made and then not trusted, by either side. */
export function isDistrust(error: unknown): boolean {
  return causeOf(error).trouble === 'tls';
}

// Status codes of gRPC (google.golang.org/grpc/codes).
const CANCELLED = 1;
const DEADLINE_EXCEEDED = 4;
const INTERNAL = 13;
const UNAVAILABLE = 14;

/** etcd3 drops the code of most errors but keeps grpc-js's message: `14 UNAVAILABLE: details`. */
function grpcStatus(error: unknown): { readonly code?: number; readonly details: string } {
  const message = asError(error).message;
  const match = /^(\d+) [A-Z_]+: (.*)$/s.exec(message);
  if (match === null) return { details: message };
  // What grpc-js says around the cause when it could not connect.
  const details = (match[2] ?? '')
    .replace(/^No connection established\. Last error: (Error: |Error )?/, '')
    .replace(/\.? Resolution note: .*$/s, '');
  return { code: Number(match[1]), details };
}

const CAUSES: readonly (readonly [pattern: RegExp, cause: string, trouble?: StoreTrouble])[] = [
  [/ECONNREFUSED/, 'connection refused'],
  [/ENOTFOUND|EAI_AGAIN|Name resolution failed/, 'the host name does not resolve'],
  [/EHOSTUNREACH|ENETUNREACH/, 'no route to the host'],
  [/Connection dropped|ECONNRESET|socket hang up/, 'the connection was lost'],
  [/authentication failed, invalid user ID or password/, 'the user or the password is wrong', 'auth'],
  [/authentication is not enabled/, 'it has authentication switched off, leave the user out', 'auth'],
  [/user name is empty/, 'it wants a user and a password', 'auth'],
  [/permission denied/, 'permission denied for this user', 'auth'],
  [/invalid auth token|auth: /, 'it does not know this user any more', 'auth'],
  [/no leader/, 'it has no leader, most of its members are gone'],
  [/requested lease not found/, 'the lease is gone'],
  [/database space exceeded/, 'its quota is used up (alarm NOSPACE), it takes no writes', 'alarm'],
  [/corrupt cluster/, 'its members disagree about their data (alarm CORRUPT), it serves nothing', 'alarm'],
];

const TLS = /certificate|CERT_|altnames|\bSSL\b|ssl3?_|\bTLS\b|wrong version number/i;

function causeOf(error: unknown): { readonly trouble: StoreTrouble; readonly cause: string } {
  if (error instanceof ClientFileError) return { trouble: error.trouble, cause: error.message };
  const { code, details } = grpcStatus(error);
  const known = CAUSES.find(([pattern]) => pattern.test(details));
  if (known !== undefined) return { trouble: known[2] ?? 'unreachable', cause: known[1] };
  if (TLS.test(details)) return { trouble: 'tls', cause: `TLS: ${details}` };
  return { trouble: 'unreachable', cause: code === DEADLINE_EXCEEDED ? 'no answer in time' : details };
}
