/** One process for each instance and network namespace: among processes that live, stall and are killed. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { acquireInstanceLock, instanceHolder } from '../../src/sys/instance-lock.js';
import { eventually } from '../lab/eventually.js';
import { inFreshNamespace } from '../lab/namespace.js';
import { runProcess } from '../lab/process.js';

const MODULE = JSON.stringify(new URL('../../src/sys/instance-lock.js', import.meta.url).href);
const GONE_MS = 5000;

/** Runs `body` while a process holds flannel0, having said so, and does `then`. The process is dead afterwards. */
async function withHolder(then: string, body: (holder: ChildProcess) => Promise<void>): Promise<void> {
  const program = `
    import { acquireInstanceLock } from ${MODULE};
    import { writeSync } from 'node:fs';
    acquireInstanceLock('flannel0');
    writeSync(1, 'held');
    ${then}`;
  await inFreshNamespace(async () => {
    const holder = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(holder.stdout, 'data');
      await body(holder);
    } finally {
      holder.kill('SIGKILL');
    }
  });
}

const STAYS = 'setInterval(() => {}, 1000);';
const STALLS = 'for (;;);';

describe('acquireInstanceLock', () => {
  for (const [name, then] of [
    ['lives', STAYS],
    ['stalls', STALLS],
  ] as const) {
    it(`is refused naming the holder while it ${name}`, () =>
      withHolder(then, async ({ pid }) => {
        assert.throws(() => acquireInstanceLock('flannel0'), {
          name: 'InstanceHeldError',
          pid,
          message: `Cannot hold instance "flannel0": process ${pid} holds it`,
        });
        assert.equal(instanceHolder('flannel0'), pid);
      }));
  }

  it('is free again when the holder is killed', () =>
    withHolder(STAYS, async (holder) => {
      holder.kill('SIGKILL');
      const lock = await eventually('the lock', GONE_MS, () => acquireInstanceLock('flannel0'));
      assert.equal(instanceHolder('flannel0'), process.pid);
      lock.release();
    }));

  it('is free again once released, which may be done twice', () =>
    inFreshNamespace(async () => {
      assert.equal(instanceHolder('flannel0'), undefined);
      const lock = acquireInstanceLock('flannel0');
      assert.throws(() => acquireInstanceLock('flannel0'), { pid: process.pid });
      lock.release();
      lock.release();
      assert.equal(instanceHolder('flannel0'), undefined);
      acquireInstanceLock('flannel0').release();
    }));

  it('holds one instance, in one network namespace', () =>
    withHolder(STAYS, async () => {
      acquireInstanceLock('flannel1').release();
      await inFreshNamespace(async () => acquireInstanceLock('flannel0').release());
    }));

  it('answers any number of questions', () =>
    withHolder(STAYS, async ({ pid }) => {
      // More than the kernel keeps for a holder that never takes them up (net.core.somaxconn, 4096).
      for (let question = 0; question < 5; question++) {
        for (let count = 0; count < 1000; count++) instanceHolder('flannel0');
        await eventually('the holder', GONE_MS, () => assert.equal(instanceHolder('flannel0'), pid));
      }
    }));

  it('keeps no process alive', async () => {
    const program = `import { acquireInstanceLock } from ${MODULE}; acquireInstanceLock('flannel0');`;
    await inFreshNamespace(async () => {
      const { code } = await runProcess([process.execPath, '--input-type=module', '--eval', program]);
      assert.equal(code, 0);
    });
  });

  it('refuses a name that does not fit', () => {
    assert.throws(() => acquireInstanceLock('x'.repeat(97)), { name: 'SystemError', code: 'EINVAL' });
  });
});
