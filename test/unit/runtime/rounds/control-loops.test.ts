import assert from 'node:assert/strict';
import test from 'node:test';
import type { Undecided } from '../../../../src/model/desired.js';
import type { Desired } from '../../../../src/model/diff.js';
import type {
  DesiredObjects,
  FileState,
  LinkState,
  MasqueradeState,
  SysctlState,
} from '../../../../src/model/objects.js';
import type { Log } from '../../../../src/ports.js';
import { ControlLoops } from '../../../../src/runtime/rounds/control-loops.js';
import { desiredObjects, desiredSysctl } from '../../../fakes/desired-objects.js';
import { FakeClock, settle } from '../../../fakes/fake-clock.js';
import { FakeReconciler } from '../../../fakes/fake-reconciler.js';

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };
const LINK: Desired<LinkState> = {
  key: 'link:flannel0',
  state: { name: 'flannel0', kind: 'tun', mtu: 1472, up: true, alias: 'ours', multiQueue: false },
};
const SYSCTL = desiredSysctl('a', '1', [LINK.key]);
const FILE: Desired<FileState> = { key: 'file:/env', state: { path: '/env', content: '', mode: 0o644 } };
const EVERYTHING = desiredObjects({ link: [LINK], sysctl: [SYSCTL], file: [FILE] });

class LoopsWorld {
  readonly clock = new FakeClock();
  readonly link = new FakeReconciler<LinkState>();
  readonly sysctl = new FakeReconciler<SysctlState>();
  readonly file = new FakeReconciler<FileState>();
  readonly masquerade = new FakeReconciler<MasqueradeState>();
  desired: { readonly objects: DesiredObjects } | Undecided = { objects: EVERYTHING };
  mayDelete = true;
  reports = 0;
  readonly tried: string[] = [];
  readonly healed: string[] = [];
  readonly loops = new ControlLoops({
    reconcilers: { link: this.link, sysctl: this.sysctl, file: this.file, masquerade: this.masquerade },
    desired: () => this.desired,
    mayDelete: () => this.mayDelete,
    onReport: () => this.reports++,
    onAction: ({ kind, verb }, { outcome }) => this.tried.push(`${kind} ${verb} ${outcome}`),
    onHealed: (kind) => this.healed.push(kind),
    clock: this.clock,
    random: { next: () => 0.5 },
    log: SILENT,
  });

  /** `link:flannel0 in-sync`, ... */
  states(): string[] {
    return this.loops.objects().map(({ key, state }) => `${key} ${state}`);
  }

  since(key: string): number | undefined {
    const object = this.loops.objects().find((one) => one.key === key);
    return object && object.since - this.clock.now() + this.clock.boottimeMs();
  }
}

async function looping(
  body: (world: LoopsWorld) => Promise<void>,
  prepare: (world: LoopsWorld) => void = () => {},
): Promise<void> {
  const world = new LoopsWorld();
  prepare(world);
  const stop = new AbortController();
  const running = world.loops.run(stop.signal);
  await settle();
  try {
    await body(world);
  } finally {
    stop.abort();
    await running;
    assert.equal(world.clock.sleeping, 0);
  }
}

const HANGING = () => new Promise<void>(() => {});
const THROWING = () => {
  throw new Error('broken');
};

test('every kind is driven, and the reports come in the order of the kinds', async () => {
  await looping(async ({ clock, loops, tried }) => {
    await clock.advance(20);
    assert.deepEqual(
      loops.reports().map(({ kind }) => kind),
      ['link', 'sysctl', 'masquerade', 'file'],
    );
    assert.equal(loops.isConverged(), true);
    assert.deepEqual(tried.sort(), ['file create done', 'link create done', 'sysctl create done']);
  });
});

test('one kind waits for an object of another, and goes on as soon as that is there', async () => {
  await looping(
    async (world) => {
      await world.clock.advance(60);
      assert.deepEqual(world.states(), ['link:flannel0 failed', 'sysctl:a waiting', 'file:/env in-sync']);
      world.link.beforeAction = () => {};
      // The next try of the link; nothing else wakes the sysctl for half a minute.
      await world.clock.advance(200);
      assert.deepEqual(world.states(), ['link:flannel0 in-sync', 'sysctl:a in-sync', 'file:/env in-sync']);
    },
    ({ link }) => {
      link.beforeAction = THROWING;
    },
  );
});

test('what went away keeps from being made what needs it', async () => {
  await looping(async (world) => {
    await world.clock.advance(1_000);
    world.link.world.clear();
    world.link.beforeAction = THROWING;
    world.sysctl.world.clear();
    world.link.changed();
    await world.clock.advance(20);
    assert.deepEqual(world.states().slice(0, 2), ['link:flannel0 failed', 'sysctl:a waiting']);
  });
});

test('a kind that cannot be looked at is thought to be as it was seen last', async () => {
  await looping(async (world) => {
    await world.clock.advance(1_000);
    world.link.beforeObserve = THROWING;
    world.link.changed();
    await world.clock.advance(20);
    world.sysctl.world.clear();
    world.sysctl.changed();
    await world.clock.advance(20);
    assert.deepEqual(world.states().slice(0, 2), ['link:flannel0 failed', 'sysctl:a in-sync']);
  });
});

for (const [name, behaviour] of [
  ['hangs', HANGING],
  ['throws', THROWING],
] as const) {
  test(`a kind that ${name} while observing delays no other`, async () => {
    await looping(
      async (world) => {
        assert.equal(world.file.world.has(FILE.key), true);
        await world.clock.advance(1_000);
        world.file.world.clear();
        world.file.changed();
        await settle();
        assert.equal(world.file.world.has(FILE.key), true);
        assert.equal(world.loops.isConverged(), false);
      },
      ({ link }) => {
        link.beforeObserve = behaviour;
      },
    );
  });
}

test('a kind that hangs while changing delays no other', async () => {
  await looping(
    async (world) => {
      assert.equal(world.file.world.has(FILE.key), true);
      await world.clock.advance(14_000);
      world.file.world.clear();
      world.file.changed();
      await settle();
      assert.equal(world.file.world.has(FILE.key), true);
    },
    ({ link }) => {
      link.beforeAction = HANGING;
    },
  );
});

test('it is converged only when every kind was looked at', async () => {
  await looping(
    async (world) => {
      await world.clock.advance(1_000);
      assert.deepEqual(
        world.loops.reports().map(({ kind, converged }) => [kind, converged]),
        [
          ['link', true],
          ['masquerade', true],
          ['file', true],
        ],
      );
      assert.equal(world.loops.isConverged(), false);
    },
    ({ sysctl }) => {
      sysctl.beforeObserve = HANGING;
    },
  );
});

test('it is not converged on what was seen before a device was made anew', async () => {
  await looping(async ({ clock, loops, link, sysctl }) => {
    await clock.advance(1_000);
    link.interrupts = true;
    link.world.set(LINK.key, { ...LINK, state: { ...LINK.state, multiQueue: true }, ours: true });
    // What hangs on it goes with it, and the kernel takes its time to say so.
    link.beforeAction = () => sysctl.world.clear();
    let goOn = () => {};
    sysctl.beforeObserve = () => new Promise((resolve) => (goOn = resolve));
    link.changed();
    await clock.advance(20);
    assert.deepEqual(
      loops.reports().map(({ converged }) => converged),
      [true, true, true, true],
    );
    assert.equal(loops.isConverged(), false);
    sysctl.beforeObserve = () => {};
    goOn();
    await clock.advance(20);
    assert.equal(sysctl.world.size, 1);
    assert.equal(loops.isConverged(), true);
  });
});

test('it is not converged while it cannot be told what is wanted', async () => {
  await looping(async (world) => {
    await world.clock.advance(20);
    world.desired = { waitsFor: 'store', reason: 'the store has not been read yet' };
    world.loops.wakeAll();
    await world.clock.advance(20);
    assert.equal(world.loops.isConverged(), false);
    assert.deepEqual(world.states(), []);
    assert.equal(world.link.world.size, 1);
  });
});

test('an object is dated by the last change of its state or its reason', async () => {
  await looping(async (world) => {
    const { clock, loops, sysctl } = world;
    await clock.advance(1_000);
    loops.wakeAll();
    await clock.advance(1_000);
    // Its first round found the link missing.
    assert.equal(world.since('sysctl:a'), 20);

    sysctl.world.clear();
    sysctl.beforeAction = () => {
      throw new Error('busy');
    };
    loops.wakeAll();
    await clock.advance(1_000);
    assert.equal(world.since('sysctl:a'), 2_000);
    assert.equal(world.since('link:flannel0'), 0);

    sysctl.beforeAction = () => {
      throw new Error('denied');
    };
    loops.wakeAll();
    await clock.advance(1_000);
    assert.equal(world.since('sysctl:a'), 3_000);
  });
});

test('an object that was not wanted for a while is dated anew', async () => {
  await looping(async (world) => {
    const { clock, loops } = world;
    await clock.advance(1_000);
    world.desired = { objects: desiredObjects({ link: [LINK] }) };
    loops.wakeAll();
    await clock.advance(1_000);
    assert.equal(world.since('sysctl:a'), undefined);
    world.desired = { objects: EVERYTHING };
    loops.wakeAll();
    await clock.advance(1_000);
    assert.equal(world.since('sysctl:a'), 2_000);
  });
});

test('having looked again means rounds that began after the question', async () => {
  await looping(async (world) => {
    const { clock, loops, file } = world;
    await clock.advance(1_000);
    let finish = () => {};
    file.beforeObserve = () =>
      new Promise((resolve) => {
        finish = resolve;
      });
    file.changed();
    await settle();
    const haveLooked = loops.lookAgain();
    assert.equal(haveLooked(), false);
    // The round that was under way has seen the world before the question.
    file.beforeObserve = () => {};
    finish();
    await settle();
    assert.equal(haveLooked(), false);
    await clock.advance(20);
    assert.equal(haveLooked(), true);
  });
});

test('a kind without a reconciler is nobody one waits for', async () => {
  const world = new LoopsWorld();
  assert.deepEqual(world.loops.reports(), []);
  await looping(async ({ clock, loops }) => {
    await clock.advance(20);
    assert.equal(loops.isConverged(), true);
    assert.deepEqual(
      loops.objects().map(({ kind }) => kind),
      ['link', 'sysctl', 'file'],
    );
  });
});

test('what was held back is done as soon as it may be, though what is wanted is the same', async () => {
  await looping(
    async (world) => {
      await world.clock.advance(100);
      assert.ok(world.sysctl.world.has('sysctl:old'));
      world.mayDelete = true;
      world.loops.wakeChanged();
      await world.clock.advance(100);
      assert.ok(!world.sysctl.world.has('sysctl:old'));
    },
    (world) => {
      world.mayDelete = false;
      world.sysctl.world.set('sysctl:old', {
        key: 'sysctl:old',
        state: { name: 'old', value: '1' },
        ours: true,
      });
    },
  );
});

test('what starts programs begins once the way of the packets is there, or after a second', async () => {
  await looping(
    async (world) => {
      await world.clock.advance(20);
      assert.deepEqual(world.masquerade.log, ['observe']);
    },
    ({ masquerade, link }) => {
      masquerade.beforeObserve = () => assert.equal(link.world.size, 1);
    },
  );
  await looping(
    async (world) => {
      await world.clock.advance(900);
      assert.deepEqual(world.masquerade.log, []);
      await world.clock.advance(200);
      assert.deepEqual(world.masquerade.log, ['observe']);
    },
    ({ link }) => {
      link.beforeAction = THROWING;
    },
  );
});
