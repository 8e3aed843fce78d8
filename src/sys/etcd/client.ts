/**
 * One etcd3 client for one endpoint, set up so that its own fault handling stays out of the way: see
 * docs/decisions/0003-etcd3-raw-streams.md. The packages are loaded at the first use: 0.15 s that a daemon
 * which forwards from memory need not wait for.
 */
import type { Interceptor } from '@grpc/grpc-js';
import type { Etcd3, IOptions } from 'etcd3';
import type { EtcdStoreSection } from '../../model/config.js';
import { ClientFileError } from './failure.js';
import { type Credentials, Login } from './login.js';

/**
 * A call that is not a stream; etcd3 itself would wait for ever. A store that takes two seconds for everything serves all
 * the same, and that one is silent is noticed without a call.
 */
export const CALL_DEADLINE_MS = 5_000;

/** Reads a file that may hold a secret: a password, a key. */
export type ReadSecret = (path: string) => Promise<Buffer>;

/** Logged in. Rejects also when a file cannot be read or is no certificate; the files are read anew for every client. */
export async function openClient(
  endpoint: string,
  section: EtcdStoreSection,
  readSecret: ReadSecret,
): Promise<Etcd3> {
  const { Etcd3, InterceptingCall, noop } = await import('./packages.js');
  // Without it a member that has lost its quorum keeps a watch open and silent for ever.
  const requireLeader: Interceptor = (callOptions, next) =>
    new InterceptingCall(next(callOptions), {
      start(metadata, listener, go) {
        metadata.set('hasleader', 'true');
        go(metadata, listener);
      },
    });
  const credentials = endpoint.startsWith('https:') ? await tlsFiles(section, readSecret) : undefined;
  const user = await userOf(section, readSecret);
  const login = new Login();
  const asUser = user === undefined ? [] : [login.interceptor(InterceptingCall)];
  const options: IOptions = {
    hosts: [endpoint],
    // Its circuit breaker would keep failing after etcd is back, its retries would repeat writes.
    faultHandling: { host: () => noop, global: noop },
    // A deadline on a stream would end the watch.
    defaultCallOptions: ({ isStream }) =>
      isStream
        ? { interceptors: [requireLeader, ...asUser] }
        : { interceptors: asUser, deadline: Date.now() + CALL_DEADLINE_MS },
    grpcOptions: {
      // A peer that fell silent is noticed after 8 s at most. Below 5 s etcd takes the pings for an attack.
      'grpc.keepalive_time_ms': 5_000,
      'grpc.keepalive_timeout_ms': 3_000,
      'grpc.initial_reconnect_backoff_ms': 200,
      'grpc.max_reconnect_backoff_ms': 1_000,
      // Ten thousand leases, or a few of a megabyte, exceed the usual 4 MiB; etcd's own quota is the bound.
      'grpc.max_receive_message_length': -1,
    },
    ...(credentials && { credentials }),
  };
  const client = clientOf(Etcd3, options);
  if (user === undefined) return client;
  try {
    await login.begin(user, client);
    return client;
  } catch (error) {
    client.close();
    throw error;
  }
}

function clientOf(Client: typeof Etcd3, options: IOptions): Etcd3 {
  try {
    return new Client(options);
  } catch (cause) {
    if (options.credentials === undefined) throw cause;
    throw new ClientFileError('tls', cause);
  }
}

async function userOf(
  { username, passwordFile }: EtcdStoreSection,
  readSecret: ReadSecret,
): Promise<Credentials | undefined> {
  if (username === undefined) return undefined;
  const file = await secretFile('passwordFile', passwordFile, readSecret);
  const text = file?.toString('utf8') ?? '';
  return { username, password: text.replace(/\r?\n$/, '') };
}

/** Undefined without files: then the system's certificate authorities are trusted. */
async function tlsFiles({ tls }: EtcdStoreSection, readSecret: ReadSecret): Promise<IOptions['credentials']> {
  if (tls === undefined) return undefined;
  const [ca, privateKey, certChain] = await Promise.all([
    secretFile('tls.caFile', tls.caFile, readSecret),
    secretFile('tls.keyFile', tls.keyFile, readSecret),
    secretFile('tls.certFile', tls.certFile, readSecret),
  ]);
  return {
    // etcd3's type demands it; gRPC takes undefined for the system's authorities.
    rootCertificate: ca as Buffer,
    ...(privateKey && { privateKey }),
    ...(certChain && { certChain }),
  };
}

async function secretFile(setting: string, path: string | undefined, readSecret: ReadSecret) {
  if (path === undefined) return undefined;
  try {
    return await readSecret(path);
  } catch (cause) {
    throw new ClientFileError(setting, cause);
  }
}
