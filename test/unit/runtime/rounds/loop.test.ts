import assert from 'node:assert/strict';
import test from 'node:test';
import type { Desired } from '../../../../src/model/diff.js';
import type { SysctlState } from '../../../../src/model/objects.js';
import type { ResourceKey } from '../../../../src/model/plan.js';
import type { Log } from '../../../../src/ports.js';
import { Loop, type LoopReport } from '../../../../src/runtime/rounds/loop.js';
import { FakeClock, settle } from '../../../fakes/fake-clock.js';
import { FakeReconciler } from '../../../fakes/fake-reconciler.js';
import { leftOn } from '../left-on.js';

const A: Desired<SysctlState> = { key: 'sysctl:a', state: { name: 'a', value: '1' } };
const B: Desired<SysctlState> = { key: 'sysctl:b', state: { name: 'b', value: '1' }, requires: ['link:x'] };

const TIMINGS = {
  resyncMs: 30_000,
  leastGapMs: 20,
  roundDeadlineMs: 15_000,
  backOff: { firstMs: 100, mostMs: 10_000 },
};

class LoopWorld {
  readonly clock = new FakeClock();
  readonly reconciler = new FakeReconciler<SysctlState>();
  desired: readonly Desired<SysctlState>[] | undefined = [A];
  readonly present = new Set<ResourceKey>();
  readonly reports: LoopReport[] = [];
  /** The keys told with each report. */
  readonly told: (readonly ResourceKey[] | undefined)[] = [];
  readonly tried: string[] = [];
  readonly healedMs: number[] = [];
  readonly said: string[] = [];
  /** When each round began. */
  readonly begun: number[] = [];
  chance = 0.5;
  mayDelete = true;
  readonly loop: Loop<'sysctl'>;

  constructor() {
    const say = (fields: object, message: string) => {
      const { kind, verb, key, error, failures } = fields as Record<string, unknown>;
      const words = [message, kind, verb, key, failures, error].filter((word) => word !== undefined);
      this.said.push(words.join(' '));
    };
    const log: Log = { debug: () => {}, info: say, warn: say, error: say };
    this.loop = new Loop({
      kind: 'sysctl',
      reconciler: this.reconciler,
      desired: () => {
        this.begun.push(this.clock.boottimeMs());
        return this.desired;
      },
      isPresent: (key) => this.present.has(key),
      mayDelete: () => this.mayDelete,
      onReport: (report, present) => {
        this.reports.push(report);
        this.told.push(present);
      },
      onAction: ({ kind, verb, key }, { outcome }) => this.tried.push(`${kind} ${verb} ${key} ${outcome}`),
      onHealed: (ms) => this.healedMs.push(ms),
      clock: this.clock,
      random: { next: () => this.chance },
      log,
      timings: TIMINGS,
    });
  }

  get last(): LoopReport {
    const report = this.reports.at(-1);
    assert.ok(report, 'no report yet');
    return report;
  }
}

/** A loop that runs for the length of `body`. */
async function looping(
  body: (world: LoopWorld) => Promise<void>,
  prepare: (world: LoopWorld) => void = () => {},
): Promise<void> {
  const world = new LoopWorld();
  prepare(world);
  const stop = new AbortController();
  const running = world.loop.run(stop.signal);
  await settle();
  try {
    await body(world);
  } finally {
    stop.abort();
    await running;
    assert.equal(world.clock.sleeping, 0);
  }
}

const NOTHING_DONE = { converged: false, isSettled: false, awaits: new Set() };

test('the first round comes at once, and does what is wanted', async () => {
  await looping(async ({ desired, reconciler, reports, told, tried, said }) => {
    assert.deepEqual(reconciler.log, ['observe', 'create sysctl:a', 'observe']);
    assert.deepEqual(reports, [
      {
        kind: 'sysctl',
        round: 1,
        converged: true,
        isSettled: true,
        awaits: new Set(),
        desired,
        objects: [{ key: 'sysctl:a', state: 'in-sync', reason: '' }],
        troubles: [],
      },
    ]);
    assert.deepEqual(told, [['sysctl:a']]);
    assert.deepEqual(tried, ['sysctl create sysctl:a done']);
    assert.deepEqual(said, ['changed sysctl create sysctl:a']);
  });
});

test('a wake runs a round at once', async () => {
  await looping(async ({ clock, reconciler, loop, begun }) => {
    await clock.advance(1_000);
    reconciler.world.clear();
    reconciler.changed();
    await settle();
    assert.equal(reconciler.world.has('sysctl:a'), true);
    loop.wake();
    await clock.advance(20);
    assert.deepEqual(begun, [0, 1_000, 1_020]);
  });
});

test('a burst of wakes costs one round for each gap', async () => {
  await looping(async ({ clock, loop, begun }) => {
    await clock.advance(1_000);
    for (let ms = 0; ms < 100; ms++) {
      loop.wake();
      loop.wake();
      await clock.advance(1);
    }
    await clock.advance(1_000);
    assert.deepEqual(begun, [0, 1_000, 1_020, 1_040, 1_060, 1_080, 1_100]);
  });
});

test('a wake during a round is not lost: the world may have changed behind its back', async () => {
  await looping(async ({ clock, loop, reconciler, begun }) => {
    await clock.advance(1_000);
    let finish = () => {};
    reconciler.beforeObserve = () => new Promise((resolve) => (finish = resolve));
    loop.wake();
    await settle();
    loop.wake();
    reconciler.beforeObserve = () => {};
    finish();
    await clock.advance(20);
    assert.deepEqual(begun, [0, 1_000, 1_020]);
  });
});

for (const { chance, want } of [
  { chance: 0, want: 22_520 },
  { chance: 0.5, want: 30_020 },
  { chance: 0.999, want: 37_505 },
]) {
  test(`messages get lost, so it looks again after ${want} ms when chance says ${chance}`, async () => {
    await looping(
      async ({ clock, begun }) => {
        await clock.advance(want - 1);
        assert.deepEqual(begun, [0]);
        await clock.advance(1);
        assert.deepEqual(begun, [0, want]);
      },
      (world) => {
        world.chance = chance;
      },
    );
  });
}

test('failing rounds back off, and are spoken of at the 1st, 2nd, 4th, 8th...', async () => {
  await looping(
    async ({ clock, begun, said }) => {
      await clock.advance(40_000);
      const gaps = begun.slice(1).map((ms, index) => ms - (begun[index] ?? 0));
      assert.deepEqual(
        gaps,
        [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000].map((ms) => ms + 20),
      );
      assert.deepEqual(
        said,
        [1, 2, 4, 8].map((count) => `round failed sysctl ${count} cannot see`),
      );
    },
    ({ reconciler }) => {
      reconciler.beforeObserve = () => {
        throw new Error('cannot see');
      };
    },
  );
});

test('a kind whose tries cost nothing is tried again sooner', async () => {
  await looping(
    async ({ clock, begun }) => {
      await clock.advance(5_000);
      const gaps = begun.slice(1).map((ms, index) => ms - (begun[index] ?? 0));
      assert.deepEqual(
        gaps.slice(0, 6),
        [100, 200, 400, 800, 800, 800].map((ms) => ms + 20),
      );
    },
    ({ reconciler }) => {
      reconciler.mostRetryMs = 800;
      reconciler.beforeObserve = () => {
        throw new Error('cannot see');
      };
    },
  );
});

test('a failing action backs off as well, and is spoken of as seldom', async () => {
  await looping(
    async ({ clock, begun, said, last, tried }) => {
      await clock.advance(1_000);
      assert.deepEqual(begun, [0, 120, 340, 760]);
      assert.deepEqual(said, Array(3).fill('change failed sysctl create sysctl:a busy'));
      assert.equal(tried.length, 4);
      assert.deepEqual(last.objects, [{ key: 'sysctl:a', state: 'failed', reason: 'create: busy' }]);
    },
    ({ reconciler }) => {
      reconciler.beforeAction = () => {
        throw new Error('busy');
      };
    },
  );
});

test('after a success the back-off begins anew', async () => {
  await looping(
    async ({ clock, loop, reconciler, begun }) => {
      await clock.advance(2_000);
      const count = begun.length;
      reconciler.beforeAction = () => {};
      loop.wake();
      await clock.advance(10_000);
      assert.equal(begun.length, count + 1);
      reconciler.world.clear();
      reconciler.beforeAction = () => {
        throw new Error('busy');
      };
      loop.wake();
      await clock.advance(120);
      assert.deepEqual(
        begun.slice(count + 1).map((ms) => ms - 12_000),
        [0, 120],
      );
    },
    ({ reconciler }) => {
      reconciler.beforeAction = () => {
        throw new Error('busy');
      };
    },
  );
});

test('a round that could not look keeps silent about what is there', async () => {
  await looping(async ({ clock, loop, reconciler, reports, told }) => {
    await clock.advance(20);
    reconciler.beforeObserve = () => {
      throw new Error('cannot see');
    };
    loop.wake();
    await settle();
    assert.deepEqual(told, [['sysctl:a'], undefined]);
    const { error, ...report } = reports.at(-1) as LoopReport;
    assert.equal(error?.message, 'cannot see');
    const objects = [{ key: 'sysctl:a', state: 'failed', reason: 'cannot see' }];
    assert.deepEqual(report, {
      kind: 'sysctl',
      round: 2,
      ...NOTHING_DONE,
      objects,
      troubles: objects,
    });
  });
});

test('it tells whether it is at a round or at rest, and how long each may take', async () => {
  await looping(
    async ({ clock, loop, reconciler }) => {
      const inRound = loop.turn;
      assert.equal(inRound.mostMs, 15_000);
      await clock.advance(15_000);
      reconciler.beforeObserve = () => {};
      await clock.advance(100);
      const atRest = loop.turn;
      assert.equal(atRest.mostMs, 37_500);
      assert.ok(atRest.count > inRound.count);
      assert.deepEqual(loop.turn, atRest);
    },
    ({ reconciler }) => {
      reconciler.beforeObserve = () => new Promise(() => {});
    },
  );
});

test('a round that hangs is ended at its deadline, and the loop goes on', async () => {
  await looping(
    async ({ clock, reconciler, begun, reports, said }) => {
      await clock.advance(15_000);
      assert.match(reports.at(-1)?.error?.message ?? '', /^Cannot finish a round of sysctl: .* 15000 ms$/);
      assert.equal(said.length, 1);
      reconciler.beforeObserve = () => {};
      await clock.advance(100);
      assert.deepEqual(begun, [0, 15_100]);
      assert.equal(reports.at(-1)?.converged, true);
    },
    ({ reconciler }) => {
      reconciler.beforeObserve = () => new Promise(() => {});
    },
  );
});

test('while it cannot be told what is wanted nothing is looked at or touched', async () => {
  await looping(
    async (world) => {
      const { reconciler, reports, told, clock, loop } = world;
      assert.deepEqual(reconciler.log, []);
      assert.deepEqual(reports, [{ ...NOTHING_DONE, kind: 'sysctl', round: 1, objects: [], troubles: [] }]);
      assert.deepEqual(told, [[]]);
      await clock.advance(20);
      world.desired = [];
      loop.wake();
      await settle();
      assert.deepEqual(reconciler.log, ['observe', 'delete sysctl:a', 'observe']);
    },
    (world) => {
      world.desired = undefined;
      world.reconciler.world.set(A.key, { key: A.key, state: A.state, ours: true });
    },
  );
});

test('what waits for another object is told as waiting, tried by nobody, and no failure', async () => {
  await looping(
    async (world) => {
      const { clock, loop, present, tried, said } = world;
      assert.deepEqual(world.last.objects, [
        { key: 'sysctl:b', state: 'waiting', reason: 'create needs link:x' },
      ]);
      assert.equal(world.last.converged, false);
      assert.deepEqual([tried, said], [[], []]);
      await clock.advance(29_000);
      assert.equal(world.begun.length, 1);
      present.add('link:x');
      loop.wake();
      await settle();
      assert.equal(world.last.converged, true);
      assert.deepEqual(world.told, [[], ['sysctl:b']]);
    },
    (world) => {
      world.desired = [B];
    },
  );
});

test('a steady loop writes nothing', async () => {
  await looping(async ({ clock, reconciler, said }) => {
    await clock.advance(600_000);
    assert.equal(reconciler.log.filter((entry) => entry !== 'observe').length, 1);
    assert.equal(said.length, 1);
  });
});

test('it ends at once when told to, also in the middle of a round, and reports no failure', async () => {
  for (const beforeObserve of [() => {}, () => new Promise<void>(() => {})]) {
    const world = new LoopWorld();
    world.reconciler.beforeObserve = beforeObserve;
    const stop = new AbortController();
    const running = world.loop.run(stop.signal);
    await settle();
    const { length } = world.reports;
    stop.abort(new Error('stop'));
    await running;
    assert.equal(world.reports.length, length);
    assert.deepEqual(
      world.said.filter((line) => line.includes('failed')),
      [],
    );
    assert.equal(world.clock.sleeping, 0);
  }
});

test('a thousand rounds leave nothing but the watch on the signal', async () => {
  const world = new LoopWorld();
  const stop = new AbortController();
  const running = world.loop.run(stop.signal);
  await settle();
  const left = leftOn(stop.signal);
  for (let n = 0; n < 1_000; n++) {
    world.loop.wake();
    await world.clock.advance(20);
  }
  assert.equal(world.begun.length, 1_001);
  assert.equal(leftOn(stop.signal), left);
  stop.abort();
  await running;
});

test('what somebody undoes again and again is put right five times a minute, and said once', async () => {
  await looping(async (world) => {
    const { clock, reconciler, tried, said } = world;
    reconciler.world.clear();
    for (let second = 0; second < 30; second++) {
      reconciler.world.clear();
      reconciler.changed();
      await clock.advance(1_000);
    }
    assert.equal(tried.length, 5);
    assert.equal(said.filter((line) => line.startsWith('contested')).length, 1);
    const [object] = world.last.objects;
    assert.equal(object?.state, 'contested');
    // A minute after the first time.
    await clock.advance(30_000);
    assert.equal(tried.length, 6);
  });
});

test('whoever asks for another look gets what is contested put right at once', async () => {
  await looping(async ({ clock, reconciler, loop, tried }) => {
    for (let second = 0; second < 10; second++) {
      reconciler.world.clear();
      reconciler.changed();
      await clock.advance(1_000);
    }
    loop.lookAgain();
    await clock.advance(20);
    assert.equal(tried.length, 6);
    assert.equal(reconciler.world.has('sysctl:a'), true);
  });
});

test('as long as nothing may be taken away, what is missing is made and the rest is pending', async () => {
  await looping(
    async (world) => {
      const { reconciler, clock, loop } = world;
      assert.deepEqual([...reconciler.world.keys()].sort(), ['sysctl:a', 'sysctl:b']);
      assert.equal(world.last.converged, false);
      world.mayDelete = true;
      loop.wake();
      await clock.advance(20);
      assert.deepEqual([...reconciler.world.keys()], ['sysctl:a']);
      assert.equal(world.last.converged, true);
    },
    (world) => {
      world.mayDelete = false;
      world.reconciler.world.set('sysctl:b', { key: 'sysctl:b', state: B.state, ours: true });
    },
  );
});

test('many changes of one round are told by their number and the first of them', async () => {
  await looping(
    async ({ said }) => {
      assert.deepEqual(said, ['changed sysctl create']);
    },
    (world) => {
      world.desired = Array.from({ length: 11 }, (_, index) => ({ ...A, key: `sysctl:a${index}` }) as const);
    },
  );
});
