/** Replays the corpus, and tries each target with a few new inputs; `make fuzz` tries millions. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keptInputs, nameOf } from './corpus.js';
import { fuzz, outcomeOf } from './fuzz.js';
import { TARGETS } from './targets.js';

const INPUTS = 20_000;
const SEED = 20_261_127;

describe('fuzzing', () => {
  for (const target of TARGETS) {
    it(`${target.name}: what is kept is dealt with as it was`, () => {
      const kept = keptInputs(target.name);
      assert.ok(kept.length >= 2, `only ${kept.length} inputs are kept`);
      for (const { name, input } of kept) assert.equal(nameOf(outcomeOf(target, input)), name.split('--')[0]);
    });

    it(`${target.name}: new inputs are dealt with as the slow model says`, () => {
      const { outcomes } = fuzz(target, SEED, Math.ceil((INPUTS * target.share) / 1e6));
      assert.ok(outcomes.size >= 2, `every input came to the same: ${[...outcomes.keys()]}`);
    });
  }

  it('shares its inputs out among all targets', () => {
    assert.equal(
      TARGETS.reduce((sum, { share }) => sum + share, 0),
      1_000_000,
    );
  });
});
