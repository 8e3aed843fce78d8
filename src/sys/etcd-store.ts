/**
 * The store in etcd, protocol version 3. Reads go to the next member when one fails; writes are never
 * repeated, since a failed one may have been done. Works on etcd3's raw services: docs/decisions/0003-etcd3-raw-streams.md.
 */
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Etcd3, IEvent, IRangeResponse } from 'etcd3';
import type { EtcdStoreSection } from '../model/config.js';
import {
  type Store,
  type StoreEvent,
  type StorePut,
  type StoreSnapshot,
  StoreUnavailableError,
  type WatchEnd,
} from '../ports.js';
import { shownCertificate } from './etcd/certificate.js';
import { CALL_DEADLINE_MS, type ReadSecret } from './etcd/client.js';
import { watchCredentials } from './etcd/credential-watch.js';
import { Endpoints } from './etcd/endpoints.js';
import {
  isDistrust,
  isEndpointTrouble,
  isLeaseGone,
  isLoggedOut,
  isRefusal,
  unavailable,
} from './etcd/failure.js';
import { NetworkKeys } from './etcd/network-keys.js';
import { type StreamEnd, watchOnce } from './etcd/watch.js';
import { orAborted } from './or-aborted.js';

export interface EtcdStoreDependencies {
  readonly readSecret?: ReadSecret;
  /** In [0, 1). */
  readonly random?: () => number;
}

/** Connects at the first call, not before. Files are read when it connects, again after a failure, and when they change during a watch. */
export function createEtcdStore(section: EtcdStoreSection, dependencies: EtcdStoreDependencies = {}): Store {
  const { readSecret = readRegularFile, random = Math.random } = dependencies;
  return new EtcdStore(section, new Endpoints(section, readSecret, random()));
}

/** A FIFO would be waited for without end. */
async function readRegularFile(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new Error(`Cannot read ${path}: it is no regular file`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** Ten thousand leases take etcd a while. */
const SNAPSHOT_DEADLINE_MS = 5_000;

class EtcdStore implements Store {
  readonly description: string;
  readonly #section: EtcdStoreSection;
  readonly #endpoints: Endpoints;
  readonly #keys: NetworkKeys;
  readonly #closing = new AbortController();
  /** How to tell each open watch that it is to be opened anew. */
  readonly #renewals = new Set<() => void>();
  /** Leases that may be there for the rest of their term and that nobody wants: given back before the next one is taken. */
  readonly #owed = new Set<string>();

  constructor(section: EtcdStoreSection, endpoints: Endpoints) {
    this.#section = section;
    this.description = `etcd ${section.endpoints.join(', ')}`;
    this.#endpoints = endpoints;
    this.#keys = new NetworkKeys(section.prefix);
    setMaxListeners(0, this.#closing.signal); // One for each call under way.
  }

  snapshot(signal: AbortSignal): Promise<StoreSnapshot> {
    return this.#call('read the network', this.#endpoints.count, signal, async (client) => {
      // One transaction: both ranges at one revision. Without "serializable" it is confirmed by the leader.
      const { header, responses } = await client.kv.txn(
        {
          success: this.#keys.ranges().map(({ key, rangeEnd }) => ({
            request_range: { key, ...(rangeEnd && { range_end: rangeEnd }) },
          })),
        },
        { deadline: Date.now() + SNAPSHOT_DEADLINE_MS },
      );
      const kvs = responses.flatMap(
        ({ response_range: range }: { response_range: IRangeResponse }) => range.kvs,
      );
      return {
        revision: BigInt(header.revision),
        clusterId: header.cluster_id,
        entries: kvs.map((kv) => this.#keys.entry(kv)),
      };
    });
  }

  async watch(
    from: bigint,
    onEvents: (events: readonly StoreEvent[]) => void,
    signal: AbortSignal,
  ): Promise<WatchEnd> {
    const endpoint = this.#endpoints.current;
    const over = new AbortController();
    const onAbort = () => over.abort();
    let isRenewed = false;
    const onRenewed = () => {
      isRenewed = true;
      over.abort();
    };
    this.#renewals.add(onRenewed);
    watchCredentials(this.#section, this.#endpoints, () => this.renew(), over.signal);
    for (const source of [signal, this.#closing.signal]) {
      if (source.aborted) onAbort();
      else source.addEventListener('abort', onAbort, { once: true });
    }
    const opening = this.#endpoints.open();
    let end: StreamEnd;
    try {
      const client = await orAborted(opening, over.signal);
      const deliver = (events: readonly IEvent[]) => onEvents(events.map((event) => this.#keys.event(event)));
      end = await watchOnce(client, this.#keys.ranges(), from, deliver, over.signal);
    } catch (error) {
      end = over.signal.aborted ? { why: 'aborted' } : { why: 'failed', error };
    } finally {
      for (const source of [signal, this.#closing.signal]) source.removeEventListener('abort', onAbort);
      // One that could not be opened has nothing to close.
      opening.then(
        (client) => client.close(),
        () => {},
      );
    }
    over.abort();
    this.#renewals.delete(onRenewed);
    if (end.why === 'aborted') return { why: signal.aborted ? 'aborted' : isRenewed ? 'renewed' : 'ended' };
    if (end.why !== 'compacted') this.#endpoints.failed(endpoint);
    if (end.why === 'failed')
      return {
        why: 'failed',
        error: unavailable('watch the network', endpoint, end.error, await this.#shown(endpoint, end.error)),
      };
    return end;
  }

  compareAndPut({ key, value, expected, lease }: StorePut, signal: AbortSignal): Promise<boolean> {
    const put = { key: this.#keys.path(key), value: Buffer.from(value), lease };
    return this.#compareAnd({ request_put: put }, key, expected, signal);
  }

  compareAndDelete(key: string, expected: bigint, signal: AbortSignal): Promise<boolean> {
    return this.#compareAnd({ request_delete_range: { key: this.#keys.path(key) } }, key, expected, signal);
  }

  async grantLease(ttlSeconds: number, signal: AbortSignal): Promise<string> {
    for (const lease of this.#owed) await this.revokeLease(lease, signal);
    // Named here and not by etcd: whether a grant without an answer was done cannot be known.
    const lease = newLeaseId();
    try {
      await this.#call('get a lease', 1, signal, (client) =>
        client.leaseClient.leaseGrant({ TTL: String(ttlSeconds), ID: lease }),
      );
    } catch (error) {
      this.#owed.add(lease);
      throw error;
    }
    return lease;
  }

  keepAlive(lease: string, signal: AbortSignal): Promise<number> {
    return this.#call('refresh the lease', 1, signal, async (client) => {
      const stream = await client.leaseClient.leaseKeepAlive({ deadline: Date.now() + CALL_DEADLINE_MS });
      try {
        return await new Promise<number>((resolve, reject) => {
          stream.on('error', reject);
          stream.on('end', () => reject(new Error('the stream ended without an answer')));
          // An unknown or expired lease is a normal answer with TTL 0.
          stream.on('data', ({ TTL }) => resolve(Number(TTL)));
          stream.write({ ID: lease });
        });
      } finally {
        // Not cancel(): etcd3 takes a cancelled stream for a broken host and drops the connection, the watch with it.
        stream.end();
      }
    });
  }

  secondsLeft(lease: string, signal: AbortSignal): Promise<number> {
    return this.#call('ask for the lease', 1, signal, async (client) => {
      // -1 for one that is gone.
      const { TTL } = await client.leaseClient.leaseTimeToLive({ ID: lease });
      return Math.max(0, Number(TTL));
    });
  }

  async revokeLease(lease: string, signal: AbortSignal): Promise<void> {
    this.#owed.add(lease);
    await this.#call('give back the lease', 1, signal, async (client) => {
      try {
        await client.leaseClient.leaseRevoke({ ID: lease });
      } catch (error) {
        if (!isLeaseGone(error)) throw error;
      }
    });
    this.#owed.delete(lease);
  }

  alarms(signal: AbortSignal): Promise<readonly string[]> {
    return this.#call('ask for alarms', 1, signal, async (client) => {
      const { alarms } = await client.maintenance.alarm({ action: 'Get' });
      return [...new Set(alarms.map(({ alarm }) => alarm.toUpperCase()))].sort();
    });
  }

  renew(): void {
    this.#endpoints.renew();
    for (const tell of this.#renewals) tell();
  }

  close(): void {
    this.#closing.abort(new StoreUnavailableError(`Cannot use ${this.description}: it was closed`));
    this.#endpoints.close();
  }

  #compareAnd(
    request: { request_put: object } | { request_delete_range: object },
    key: string,
    expected: bigint,
    signal: AbortSignal,
  ): Promise<boolean> {
    // A key that is absent has the modification revision 0.
    const compare = {
      key: this.#keys.path(key),
      target: 'Mod',
      result: 'Equal',
      mod_revision: String(expected),
    } as const;
    return this.#call(`write ${key}`, 1, signal, async (client) => {
      const { succeeded } = await client.kv.txn({ compare: [compare], success: [request] });
      return succeeded;
    });
  }

  /** Tries up to `attempts` members, each with the call's own deadline. */
  async #call<T>(
    action: string,
    attempts: number,
    signal: AbortSignal,
    run: (client: Etcd3) => Promise<T>,
  ): Promise<T> {
    let mayLogIn = true;
    for (let left = attempts; ; ) {
      signal.throwIfAborted();
      this.#closing.signal.throwIfAborted();
      const endpoint = this.#endpoints.current;
      const client = this.#endpoints.client();
      try {
        const result = client.then(run);
        return await orAborted(orAborted(result, this.#closing.signal), signal);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (mayLogIn && isLoggedOut(error)) {
          mayLogIn = false;
          this.#endpoints.logInAnew(client);
          continue;
        }
        // Also after a wrong password or certificate: the next client reads the files anew.
        if (!isRefusal(error)) this.#endpoints.failed(endpoint);
        if (--left === 0 || !isEndpointTrouble(error))
          throw unavailable(action, endpoint, error, await this.#shown(endpoint, error));
      }
    }
  }

  /** For somebody who has to find out why a certificate is not trusted: what it says. */
  async #shown(endpoint: string, error: unknown): Promise<string> {
    if (!isDistrust(error)) return '';
    const certificate = await shownCertificate(endpoint);
    return certificate === undefined ? '' : `; the server shows a certificate ${certificate}`;
  }
}

/** Of 63 bits, as etcd takes it; nobody else will come upon it. */
function newLeaseId(): string {
  return String(randomBytes(8).readBigUInt64BE() >> 1n);
}
