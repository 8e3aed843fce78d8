/** docs/plan.schema.json is made from the schema that `apply --plan` reads with. Rewritten by `make golden`. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { z } from 'zod';
import { planSchema } from '../../src/config/plan-schema.js';
import { repositoryRoot } from '../lab/repository.js';

const SCHEMA = join(repositoryRoot(), 'docs/plan.schema.json');

test('the schema that is documented is the one in force', () => {
  const text = `${JSON.stringify(z.toJSONSchema(planSchema), undefined, 2)}\n`;
  if (process.env.GOLDEN === 'write') writeFileSync(SCHEMA, text);
  else assert.equal(readFileSync(SCHEMA, 'utf8'), text);
});
