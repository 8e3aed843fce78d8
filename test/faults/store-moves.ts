/** What rows about etcd do and wait for. */
import assert from 'node:assert/strict';
import type { Scene } from './scene.js';
import { ASK_EVERY_MS } from './station.js';

export const NETWORK = '/coreos.com/network';
/** A lease that somebody writes by hand. */
export const STRANGER = { key: `${NETWORK}/subnets/4.0.250.0-24`, publicIp: '10.8.65.250' };

export function leaseAt(publicIp: string): string {
  return JSON.stringify({ PublicIP: publicIp, PublicIPv6: null });
}

export async function storeIs({ first }: Scene, status: 'live' | 'stale', sinceMs: number): Promise<number> {
  return first.until(
    `the store is ${status}`,
    sinceMs,
    async () => assert.equal((await first.status()).store.status, status),
    // Seldom: the daemon's processor time is measured meanwhile.
    100,
  );
}

/** Between the first host and etcd; resolves with how to end that. */
export async function cutOff({ cluster, first }: Scene, target: string): Promise<() => Promise<unknown>> {
  const rule = `INPUT -p tcp -s ${first.member.address} --dport 2379 -j ${target}`;
  await cluster.etcd.script(`iptables -w 5 -I ${rule}`);
  return () => cluster.etcd.script(`iptables -w 5 -D ${rule}`);
}

export function strangerIsPeer({ first }: Scene, isPeer: boolean, sinceMs: number): Promise<number> {
  return first.until(
    `the stranger is ${isPeer ? 'a' : 'no'} peer`,
    sinceMs,
    async () => {
      const { peers } = await first.status();
      assert.equal(
        peers.some(({ publicIp }) => publicIp === STRANGER.publicIp),
        isPeer,
      );
    },
    ASK_EVERY_MS,
  );
}
