/** What is in a cluster's etcd, as etcdctl tells it. */
import type { Cluster } from './cluster.js';

export interface StoreKey {
  readonly key: string;
  readonly value: string;
  readonly modRevision: number;
  /** The etcd lease it hangs on, decimal; `0` for none. */
  readonly lease: string;
}

export interface StoreContent {
  readonly revision: number;
  readonly keys: readonly StoreKey[];
  readonly leases: string;
}

/** All of etcd: a write of any kind shows in the revision, a grant in the list of leases. */
export async function storeOf({ etcdctl }: Cluster): Promise<StoreContent> {
  // Ids of leases exceed what a JSON number holds.
  const printed = (await etcdctl('get', '--prefix', '', '-w', 'json')).replace(
    /"lease":(\d+)/g,
    '"lease":"$1"',
  );
  const { header, kvs = [] } = JSON.parse(printed) as {
    header: { revision: number };
    kvs?: { key: string; value: string; mod_revision: number; lease?: string }[];
  };
  const text = (base64: string) => Buffer.from(base64, 'base64').toString();
  return {
    revision: header.revision,
    keys: kvs.map((kv) => ({
      key: text(kv.key),
      value: text(kv.value),
      modRevision: kv.mod_revision,
      lease: kv.lease ?? '0',
    })),
    leases: await etcdctl('lease', 'list'),
  };
}

/** What a host with this address holds. */
export async function leasesOf(cluster: Cluster, publicIp: string): Promise<readonly StoreKey[]> {
  return (await storeOf(cluster)).keys.filter(({ value }) => value.includes(`"PublicIP":"${publicIp}"`));
}
