/** A lease of a few seconds on real etcd, kept by the program's own keeper over a line that can be bad. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../src/ports.js';
import { LeaseKeeper } from '../../src/runtime/store/lease-keeper.js';
import { StoreMirror } from '../../src/runtime/store/store-mirror.js';
import { systemClock, systemRandom } from '../../src/sys/clock.js';
import { createEtcdStore } from '../../src/sys/etcd-store.js';
import { type EtcdServer, withEtcd } from '../lab/etcd.js';
import { TcpProxy } from '../lab/tcp-proxy.js';

const SILENCE: Log = { debug() {}, info() {}, warn() {}, error() {} };
const KEY = 'subnets/10.5.1.0-24';

export interface LeaseLine {
  readonly etcd: EtcdServer;
  readonly proxy: TcpProxy;
  readonly keeper: LeaseKeeper;
  /** Seconds that etcd gives it, asked beside the line; 0 when it is lost. */
  secondsLeft(): Promise<number>;
}

/** Begins when the lease has been refreshed once. */
export function onLeaseLine<T>(ttlSeconds: number, body: (line: LeaseLine) => Promise<T>): Promise<T> {
  return withEtcd(async (etcd) => {
    const proxy = await TcpProxy.start(etcd.port);
    const section = { type: 'etcd', prefix: '/line', leaseTtlSeconds: ttlSeconds } as const;
    const beside = createEtcdStore({ ...section, endpoints: [etcd.endpoint] });
    const store = createEtcdStore({ ...section, endpoints: [proxy.endpoint] });
    const stop = new AbortController();
    const { signal } = stop;
    const lease = await beside.grantLease(ttlSeconds, signal);
    await beside.compareAndPut({ key: KEY, value: '{"PublicIP":"192.0.2.1"}', expected: 0n, lease }, signal);
    const parts = { clock: systemClock, random: systemRandom, log: SILENCE };
    const mirror = new StoreMirror({ store, ...parts });
    const keeper = new LeaseKeeper({
      access: mirror,
      ownLease: () => mirror.view()?.leases[0],
      isLive: () => mirror.state.status === 'live',
      ...parts,
    });
    mirror.subscribe(keeper.wake);
    const running = Promise.all([mirror.run(signal), keeper.run(signal)]);
    try {
      while (keeper.timeLeft() === undefined) await sleep(10);
      return await body({ etcd, proxy, keeper, secondsLeft: () => beside.secondsLeft(lease, signal) });
    } finally {
      stop.abort();
      await running;
      store.close();
      beside.close();
      await proxy.close();
    }
  });
}
