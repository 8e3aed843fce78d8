/** What a service manager hears from the daemon, message by message, from its start to its end. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ARTICLE_CONFIG, ETCD_URL, Member } from '../lab/cluster.js';
import { startEtcdOn } from '../lab/etcd-host.js';
import { NotifySocket } from '../lab/notify-socket.js';
import { onUnderlay } from '../lab/underlay.js';

const HEARD_MS = 30_000;

test('the daemon says when it is ready, reloads, lives and stops', { timeout: 120_000 }, async () => {
  const socket = NotifySocket.open();
  try {
    await onUnderlay(async (underlay) => {
      const etcd = await underlay.addHost('etcd', '10.8.64.10');
      const member = new Member(await underlay.addHost('host', '10.8.65.1'), '10.8.65.1');
      await member.host.writeFile(member.configPath, ARTICLE_CONFIG);
      const daemon = member.start({ environment: { NOTIFY_SOCKET: socket.name, WATCHDOG_USEC: '2000000' } });

      // Without etcd it is alive, asks for patience and says why; it is not ready.
      await socket.line(/^STATUS=not ready: .*connection refused/, HEARD_MS);
      await socket.line(/^WATCHDOG=1$/, HEARD_MS);
      await socket.line(/^EXTEND_TIMEOUT_USEC=3000000$/, HEARD_MS);
      assert.ok(!socket.lines().includes('READY=1'), socket.lines().join('\n'));

      await startEtcdOn(etcd, ETCD_URL);
      await socket.line(/^READY=1$/, HEARD_MS);
      const ready = socket.messages().find(([line]) => line === 'READY=1');
      assert.match(ready?.join() ?? '', /^READY=1,STATUS=ready: 4\.0\.\d+\.0\/24 by udp, MTU 1472$/);
      // At that moment everything is in place.
      assert.equal((await member.command('diff')).code, 0);

      // Ready or not, each reload has its two ends.
      let heard = socket.lines().length;
      daemon.signal('SIGHUP');
      await socket.line(/^READY=1$/, HEARD_MS, heard);
      const reload = socket
        .lines()
        .slice(heard)
        .filter((line) => /^(RELOADING|MONOTONIC_USEC|READY)=/.test(line));
      assert.match(reload.join(), /^RELOADING=1,MONOTONIC_USEC=\d+,READY=1$/);

      heard = socket.lines().length;
      await socket.line(/^WATCHDOG=1$/, HEARD_MS, heard);
      assert.equal(await daemon.stop(), 0);
      assert.deepEqual(socket.lines().slice(-2), ['STOPPING=1', 'STATUS=stopping']);
    });
  } finally {
    socket.close();
  }
});
