import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Action, Verb } from '../../../src/model/plan.js';
import { carryOut } from '../../../src/reconcilers/carry-out.js';

const never = new AbortController().signal;

function action(verb: Verb, name: string): Action<string> {
  return { verb, key: `thing:${name}`, reason: 'test', requires: [], interrupts: false };
}

describe('carryOut', () => {
  it('does every action in order', async () => {
    const done: string[] = [];
    const actions = [action('create', 'a'), action('update', 'b'), action('delete', 'c')];
    const results = await carryOut(actions, never, async ({ key }) => {
      done.push(key);
    });
    assert.deepEqual(done, ['thing:a', 'thing:b', 'thing:c']);
    assert.deepEqual(
      results.map(({ key, outcome }) => `${key} ${outcome}`),
      ['thing:a done', 'thing:b done', 'thing:c done'],
    );
  });

  it('goes on after a failure, but holds back deletes', async () => {
    const failure = new Error('no');
    const actions = [
      action('delete', 'before'),
      action('create', 'a'),
      action('update', 'b'),
      action('delete', 'c'),
    ];
    const results = await carryOut(actions, never, async ({ key }) => {
      if (key === 'thing:a') throw failure;
    });
    assert.deepEqual(results, [
      { key: 'thing:before', outcome: 'done' },
      { key: 'thing:a', outcome: 'failed', error: failure },
      { key: 'thing:b', outcome: 'done' },
      { key: 'thing:c', outcome: 'skipped' },
    ]);
  });

  it('makes an Error of whatever was thrown', async () => {
    const [result] = await carryOut([action('create', 'a')], never, () => Promise.reject('text'));
    assert.equal(result?.error?.message, 'text');
  });

  it('rejects with the reason of the abort, without a further step', async () => {
    const stop = new AbortController();
    const reason = new Error('stop');
    let steps = 0;
    const run = carryOut([action('create', 'a'), action('create', 'b')], stop.signal, async () => {
      steps++;
      stop.abort(reason);
    });
    await assert.rejects(run, reason);
    assert.equal(steps, 1);
  });

  it('takes an error that comes with the abort for the abort', async () => {
    const stop = new AbortController();
    const reason = new Error('stop');
    const run = carryOut([action('create', 'a')], stop.signal, async () => {
      stop.abort(reason);
      throw new Error('torn');
    });
    await assert.rejects(run, reason);
  });
});
