/** One process for each instance and network namespace: among processes that live, stall and are killed. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { acquireInstanceLock, type InstanceLock } from '../../src/sys/instance-lock.js';
import { eventually } from '../lab/eventually.js';
import { inFreshNamespace } from '../lab/namespace.js';
import { runProcess } from '../lab/process.js';

const MODULE = JSON.stringify(new URL('../../src/sys/instance-lock.js', import.meta.url).href);
const SYS = new URL('../../src/sys/', import.meta.url).href;
const GONE_MS = 5000;
const NOBODY = 65_534;

const directory = mkdtempSync(join(tmpdir(), 'instance-lock-'));
after(() => rmSync(directory, { recursive: true }));
const FLANNEL0 = { name: 'flannel0', runtimeDirectory: directory };

/** What the locks below have warned of. */
const warned: object[] = [];

function acquire(instance = FLANNEL0): InstanceLock {
  return acquireInstanceLock(instance, { warn: (fields) => warned.push(fields) });
}

function acquiring(instance = FLANNEL0): string {
  return `
    import { acquireInstanceLock } from ${MODULE};
    acquireInstanceLock(${JSON.stringify(instance)}, { warn() {} });`;
}

/** The pid of who holds flannel0, found by trying. */
function holder(): number | undefined {
  try {
    acquire().release();
    return undefined;
  } catch (error) {
    return (error as { pid?: number }).pid;
  }
}

/** Runs `body` while a process that has done `take` does `then`: by default it holds flannel0. The process is dead afterwards. */
async function withHolder(
  then: string,
  body: (holder: ChildProcess) => Promise<void>,
  take = acquiring(),
): Promise<void> {
  const program = `
    import { writeSync } from 'node:fs';
    ${take}
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

/** Imports come first, since the user may not be able to read them. */
const AS_NOBODY = `process.setgroups([]); process.setgid(${NOBODY}); process.setuid(${NOBODY});`;
const BIND = `
  import { bindSocket } from '${SYS}instance-socket.js';
  ${AS_NOBODY}
  bindSocket('flannel0');`;
const BIND_ALONE = `
  import * as libc from '${SYS}libc.js';
  ${AS_NOBODY}
  const address = Buffer.concat([Uint8Array.of(libc.AF_UNIX, 0), Buffer.from('\\0flannelette/flannel0')]);
  libc.bind(libc.socket(libc.AF_UNIX, libc.SOCK_STREAM, 0, 'squat'), address, 'squat');`;
const STAYS = 'setInterval(() => {}, 1000);';
const STALLS = 'for (;;);';

describe('acquireInstanceLock', () => {
  for (const [name, then] of [
    ['lives', STAYS],
    ['stalls', STALLS],
  ] as const) {
    it(`is refused naming the holder while it ${name}`, () =>
      withHolder(then, async ({ pid }) => {
        assert.throws(() => acquire(), {
          name: 'InstanceHeldError',
          pid,
          message: `Cannot hold instance "flannel0": process ${pid} holds it; stop that first, or wait for its end`,
        });
        assert.equal(holder(), pid);
      }));
  }

  it('is free again when the holder is killed', () =>
    withHolder(STAYS, async (other) => {
      other.kill('SIGKILL');
      const lock = await eventually('the lock', GONE_MS, () => acquire());
      assert.equal(holder(), process.pid);
      lock.release();
    }));

  it('is free again once released, which may be done twice', () =>
    inFreshNamespace(async () => {
      assert.equal(holder(), undefined);
      const lock = acquire();
      assert.throws(() => acquire(), { pid: process.pid });
      lock.release();
      lock.release();
      assert.equal(holder(), undefined);
      acquire().release();
    }));

  it('holds one instance, in one network namespace', () =>
    withHolder(STAYS, async () => {
      acquire({ ...FLANNEL0, name: 'flannel1' }).release();
      await inFreshNamespace(async () => acquire().release());
    }));

  it('answers any number of questions', () =>
    withHolder(STAYS, async ({ pid }) => {
      // More than the kernel keeps for a holder that never takes them up (net.core.somaxconn, 4096).
      for (let question = 0; question < 5; question++) {
        for (let count = 0; count < 1000; count++) holder();
        await eventually('the holder', GONE_MS, () => assert.equal(holder(), pid));
      }
    }));

  it('keeps no process alive', async () => {
    await inFreshNamespace(async () => {
      const { code } = await runProcess([process.execPath, '--input-type=module', '--eval', acquiring()]);
      assert.equal(code, 0);
    });
  });

  it('has a file of its own, which it takes away', () =>
    inFreshNamespace(async () => {
      const lock = acquire();
      const name = `flannel0.${statSync('/proc/thread-self/ns/net').ino}.lock`;
      assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600);
      lock.release();
      assert.ok(!readdirSync(directory).includes(name));
    }));

  for (const { name, bind, isHeard } of [
    { name: 'has bound its socket', bind: BIND, isHeard: true },
    { name: 'has bound its socket without listening', bind: BIND_ALONE, isHeard: false },
  ]) {
    it(`is not kept out by a stranger who ${name}`, () =>
      withHolder(
        STAYS,
        async ({ pid }) => {
          warned.length = 0;
          const lock = acquire();
          const stranger = isHeard ? { pid, uid: NOBODY } : { pid: undefined, uid: undefined };
          assert.deepEqual(warned, [{ instance: 'flannel0', socket: '@flannelette/flannel0', ...stranger }]);
          assert.throws(() => acquire(), { name: 'InstanceHeldError', pid: process.pid });
          lock.release();
        },
        bind,
      ));
  }

  it('is kept out by root with another runtime directory, and by its owner', async () => {
    const other = mkdtempSync(join(tmpdir(), 'instance-lock-'));
    try {
      await withHolder(
        STAYS,
        async ({ pid }) => assert.equal(holder(), pid),
        acquiring({ ...FLANNEL0, runtimeDirectory: other }),
      );
      chownSync(directory, NOBODY, NOBODY);
      await withHolder(STAYS, async ({ pid }) => assert.equal(holder(), pid), BIND);
    } finally {
      chownSync(directory, 0, 0);
      rmSync(other, { recursive: true });
    }
  });

  it("excludes root and the directory's owner from each other, whoever was first", async () => {
    chownSync(directory, NOBODY, NOBODY);
    try {
      await withHolder(STAYS, async ({ pid }) => assert.equal(holder(), pid), `${AS_NOBODY}${acquiring()}`);
      await inFreshNamespace(async () => {
        const lock = acquire();
        const program = `${AS_NOBODY}${acquiring()}`;
        const { code, stderr } = await runProcess([
          process.execPath,
          '--input-type=module',
          '--eval',
          program,
        ]);
        lock.release();
        assert.notEqual(code, 0);
        assert.match(
          stderr,
          new RegExp(`process ${process.pid} holds it; stop that first, or wait for its end`),
        );
      });
    } finally {
      chownSync(directory, 0, 0);
    }
  });

  it('refuses a name that does not fit', () => {
    assert.throws(() => acquire({ ...FLANNEL0, name: 'x'.repeat(97) }), {
      name: 'SystemError',
      code: 'EINVAL',
    });
  });
});
