/** A store whose calls are timed. */
import type { Clock, Meters, Store } from '../../ports.js';

export function meteredStore(store: Store, meters: Meters, clock: Clock): Store {
  const timed = async <T>(call: string, answer: Promise<T>): Promise<T> => {
    const begunAt = clock.boottimeMs();
    try {
      const result = await answer;
      meters.storeCalled(call, (clock.boottimeMs() - begunAt) / 1000, 'answered');
      return result;
    } catch (error) {
      meters.storeCalled(call, (clock.boottimeMs() - begunAt) / 1000, 'failed');
      throw error;
    }
  };
  return {
    description: store.description,
    snapshot: (signal) => timed('snapshot', store.snapshot(signal)),
    // Lasts as long as all is well: its time says nothing.
    watch: (from, onEvents, signal) => store.watch(from, onEvents, signal),
    compareAndPut: (put, signal) => timed('put', store.compareAndPut(put, signal)),
    compareAndDelete: (key, expected, signal) =>
      timed('delete', store.compareAndDelete(key, expected, signal)),
    grantLease: (ttlSeconds, signal) => timed('grant-lease', store.grantLease(ttlSeconds, signal)),
    keepAlive: (lease, signal) => timed('keep-alive', store.keepAlive(lease, signal)),
    secondsLeft: (lease, signal) => timed('seconds-left', store.secondsLeft(lease, signal)),
    revokeLease: (lease, signal) => timed('revoke-lease', store.revokeLease(lease, signal)),
    alarms: (signal) => timed('alarms', store.alarms(signal)),
    renew: () => store.renew(),
    close: () => store.close(),
  };
}
