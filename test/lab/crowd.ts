/**
 * Many hosts without a program: each has a lease in etcd and an address, and one bare socket hears what is sent to all
 * of them.
 *
 *   member ═ flannelette ═ UDP 8285 ══ crowd 10.9.0.0/16
 *               └── etcd ── a lease for each of them
 */
import type { Socket } from 'node:dgram';
import { Etcd3 } from 'etcd3';
import { type Prefix, parseAddress } from '../../src/model/address.js';
import { leaseEntryKey, leaseJson } from '../../src/wire/flannel-store.js';
import { type Cluster, type ClusterOptions, ETCD_URL, type Member, memberAt, onCluster } from './cluster.js';
import { inNamespaceOf } from './namespace.js';
import { udpSocketIn } from './udp-socket.js';

const PORT = 8285;
const ADDRESS = '10.8.66.250';
const ROOT = '/coreos.com/network';
const LEASE_TTL_SECONDS = 3_600;
/** etcd takes 128 operations in a transaction. */
const PUTS_AT_ONCE = 100;
/** Bytes 16 to 19 of an IPv4 header are the destination (RFC 791); the first two of them count from here. */
const DESTINATION = 16;
const FIRST_SUBNET = 65;

/** The member's file for a network that has room for 15,000 of them, and a subnet that none of them has. */
export const CROWDED_CONFIG = `network:
  cidr: 10.64.0.0/10
  subnetLength: 24
  backend: { type: udp, port: ${PORT} }
host: { subnet: 10.64.1.0/24 }
store:
  etcd: { endpoints: ["${ETCD_URL}"] }
`;

export class Crowd {
  readonly #etcd: Etcd3;
  readonly #lease: string;
  readonly #sender: Socket;
  readonly #receiver: Socket;
  readonly #heard = new Map<number, number>();

  private constructor(etcd: Etcd3, lease: string, sender: Socket, receiver: Socket) {
    this.#etcd = etcd;
    this.#lease = lease;
    this.#sender = sender;
    this.#receiver = receiver;
    receiver.on('message', (packet) => {
      const index = (((packet[DESTINATION + 1] ?? 0) - FIRST_SUBNET) << 8) | (packet[DESTINATION + 2] ?? 0);
      if (!this.#heard.has(index)) this.#heard.set(index, performance.now());
    });
  }

  /** Nobody is in it yet. `member` is who will send to them. To be closed. */
  static async start(cluster: Cluster, member: Member): Promise<Crowd> {
    const host = await cluster.underlay.addHost('crowd', ADDRESS);
    await host.script('ip route add local 10.9.0.0/16 dev lo');
    await member.host.script(`ip route add 10.9.0.0/16 via ${ADDRESS} dev eth0`);
    // It connects at its first call, and stays connected.
    const [etcd, lease] = await inNamespaceOf(cluster.etcd.pid, async () => {
      const client = new Etcd3({ hosts: ETCD_URL });
      return [client, (await client.leaseClient.leaseGrant({ TTL: String(LEASE_TTL_SECONDS) })).ID] as const;
    });
    return new Crowd(etcd, lease, await udpSocketIn(member.host), await udpSocketIn(host, PORT));
  }

  /** Resolves once all are in the store. */
  async add(from: number, count: number): Promise<void> {
    for (let next = from; next < from + count; next += PUTS_AT_ONCE) {
      const puts = indexes(next, Math.min(PUTS_AT_ONCE, from + count - next)).map((index) =>
        this.#put(index),
      );
      await this.#etcd.kv.txn({ success: puts.map((put) => ({ request_put: put })) });
    }
  }

  async write(index: number): Promise<void> {
    await this.#etcd.kv.put(this.#put(index));
  }

  #put(index: number) {
    const publicIp = parseAddress(`10.9.${index >> 8}.${index & 255}`);
    const value = leaseJson({ publicIps: { ipv4: publicIp }, backendType: '' });
    return { key: keyOf(index), value: Buffer.from(value), lease: this.#lease };
  }

  async remove(index: number): Promise<void> {
    await this.#etcd.kv.deleteRange({ key: keyOf(index) });
  }

  /** From the member to a container of that one's. */
  send(index: number): void {
    this.#sender.send('x', 9, `10.${FIRST_SUBNET + (index >> 8)}.${index & 255}.9`);
  }

  /** When something first came through to this one, as performance.now() tells it. */
  heardAt(index: number): number | undefined {
    return this.#heard.get(index);
  }

  /** From now on nothing has been heard. */
  forget(): void {
    this.#heard.clear();
  }

  close(): void {
    this.#etcd.close();
    this.#sender.close();
    this.#receiver.close();
  }
}

/** A cluster with a crowd that nobody is in yet, for the length of `body`; the first member is who will send to them. */
export function onCrowd<T>(
  options: ClusterOptions,
  body: (crowd: Crowd, member: Member, cluster: Cluster) => Promise<T>,
): Promise<T> {
  return onCluster(options, async (cluster) => {
    const member = memberAt(cluster, 0);
    const crowd = await Crowd.start(cluster, member);
    try {
      return await body(crowd, member, cluster);
    } finally {
      crowd.close();
    }
  });
}

function keyOf(index: number): Buffer {
  const subnet = `10.${FIRST_SUBNET + (index >> 8)}.${index & 255}.0/24` as Prefix;
  return Buffer.from(`${ROOT}/${leaseEntryKey({ ipv4: subnet })}`);
}

export function indexes(from: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}
