import assert from 'node:assert/strict';
import test from 'node:test';
import { withChildAbort } from '../../../../src/runtime/timing/child-abort.js';
import { leftOn } from '../left-on.js';

test('a child is aborted with its parent, for the same reason', async () => {
  const parent = new AbortController();
  const reason = new Error('enough');
  await withChildAbort(parent.signal, async ({ signal }) => {
    assert.equal(signal.aborted, false);
    parent.abort(reason);
    assert.equal(signal.reason, reason);
  });
});

test('a child of an aborted parent is born aborted', async () => {
  const reason = new Error('too late');
  await withChildAbort(AbortSignal.abort(reason), async ({ signal }) => assert.equal(signal.reason, reason));
});

test("a child's own abort does not reach its parent", async () => {
  const parent = new AbortController();
  await withChildAbort(parent.signal, async (child) => child.abort());
  assert.equal(parent.signal.aborted, false);
});

test('nothing is left on the parent, whether the work succeeds, fails or is aborted', async () => {
  const { signal } = new AbortController();
  assert.equal(await withChildAbort(signal, async () => 7), 7);
  assert.equal(leftOn(signal), 0);
  const failing = withChildAbort(signal, async () => {
    throw new Error('broken');
  });
  await assert.rejects(failing, /^Error: broken$/);
  assert.equal(leftOn(signal), 0);
  await withChildAbort(signal, async (child) => {
    assert.equal(leftOn(signal), 1);
    child.abort();
  });
  assert.equal(leftOn(signal), 0);
});

test('what hangs on a signal is seen, also when AbortSignal.any put it there', () => {
  const { signal } = new AbortController();
  const derived = AbortSignal.any([signal, new AbortController().signal]);
  assert.equal(leftOn(signal), 1);
  assert.equal(derived.aborted, false);
});
