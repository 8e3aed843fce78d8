/** The clock and the chance that tests run by. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FakeClock } from '../../fakes/fake-clock.js';
import { seededRandom } from '../../fakes/seeded-random.js';

const { signal: never } = new AbortController();

describe('FakeClock', () => {
  it('stands still until it is moved', async () => {
    const clock = new FakeClock();
    const start = clock.now();
    let done = false;
    const sleep = clock.sleep(10, never).then(() => {
      done = true;
    });
    await clock.advance(9);
    assert.deepEqual([done, clock.now() - start, clock.boottimeMs()], [false, 9, 9]);
    await clock.advance(1);
    await sleep;
    assert.deepEqual([done, clock.now() - start, clock.boottimeMs()], [true, 10, 10]);
  });

  it('wakes sleepers in the order they are due, also those who go to sleep on the way', async () => {
    const clock = new FakeClock();
    const woken: string[] = [];
    const every = async (name: string, ms: number): Promise<void> => {
      for (;;) {
        await clock.sleep(ms, never);
        woken.push(`${name} ${clock.boottimeMs()}`);
      }
    };
    void every('a', 20);
    void every('b', 30);
    await clock.advance(65);
    assert.deepEqual(woken, ['a 20', 'b 30', 'a 40', 'b 60', 'a 60']);
    assert.equal(clock.sleeping, 2);
  });

  it('rejects a sleep with the reason of its signal', async () => {
    const clock = new FakeClock();
    const end = new AbortController();
    const sleep = clock.sleep(10, end.signal);
    end.abort(new Error('told to stop'));
    await assert.rejects(sleep, /told to stop/);
    await assert.rejects(clock.sleep(10, end.signal), /told to stop/);
    assert.equal(clock.sleeping, 0);
  });

  it('lets the wall clock jump without disturbing deadlines', async () => {
    const clock = new FakeClock();
    const start = clock.now();
    const sleep = clock.sleep(10, never);
    clock.jumpWall(-500);
    assert.deepEqual([clock.now() - start, clock.boottimeMs(), clock.sleeping], [-500, 0, 1]);
    await clock.advance(10);
    await sleep;
  });
});

describe('seededRandom', () => {
  it('gives the same numbers in [0, 1) for the same seed', () => {
    const numbers = (seed: number) => {
      const random = seededRandom(seed);
      return Array.from({ length: 1000 }, () => random.next());
    };
    assert.deepEqual(numbers(7), numbers(7));
    assert.notDeepEqual(numbers(7), numbers(8));
    assert.ok(numbers(7).every((number) => number >= 0 && number < 1));
    const mean = numbers(7).reduce((sum, number) => sum + number, 0) / 1000;
    assert.ok(mean > 0.45 && mean < 0.55, `mean ${mean}`);
  });
});
