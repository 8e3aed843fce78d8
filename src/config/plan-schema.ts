/** The form of a saved plan, and the reading of one. docs/plan.schema.json is made from it. */
import { z } from 'zod';
import { KINDS } from '../model/objects.js';
import type { PlanDocument } from '../model/plan-document.js';

const kind = z.enum(KINDS).describe('The kind of the object.');
const key = z
  .string()
  .regex(/^[^:]+:/s)
  .describe("The object's name: `route:4.0.0.0/16`.");
const state = z
  .record(z.string(), z.unknown())
  .describe("The managed fields of an object of the action's kind, as src/model/objects.ts has them.");
const count = z.int().nonnegative();

const origin = z
  .strictObject({
    config: z
      .strictObject({
        key: z.string().describe('A key of the configuration: `network.cidr`.'),
        file: z.string().optional().describe('Where it is written; absent where it has its default.'),
        line: z.int().positive().optional().describe('From 1.'),
      })
      .optional(),
    store: z
      .strictObject({
        key: z.string().describe("Below the store's prefix: `subnets/4.0.32.0-24`."),
        revision: z.string().regex(/^\d+$/).describe("The store's revision of its last write."),
      })
      .optional(),
    rule: z.string().describe('Why there is such an object.'),
  })
  .describe('What the object follows from.');

const action = z.strictObject({
  kind,
  verb: z.enum(['create', 'update', 'delete']),
  key,
  reason: z.string().describe('What is not as wanted: `mtu 1500, want 1472`.'),
  before: state.optional().describe('What was found. Absent for a create.'),
  after: state.optional().describe('What is wanted. Absent for a delete.'),
  requires: z.array(key).describe('What must be in place before.'),
  interrupts: z.boolean().describe('Traffic stops for a moment.'),
  from: origin.optional(),
});

const foreign = z.strictObject({
  kind,
  key,
  reason: z.string(),
  blocks: z.boolean().describe('Something wanted cannot be made because of it.'),
});

const renumbering = z.strictObject({
  from: z.string(),
  to: z.string(),
  reason: z.string(),
  needsConsent: z.boolean(),
});

export const planSchema = z
  .strictObject({
    apiVersion: z.literal('flannelette/v1'),
    kind: z.literal('Plan'),
    file: z.string().describe('Absolute path of the configuration.'),
    instance: z.string(),
    adopt: z.boolean().describe('What a stopped flanneld left is taken over.'),
    only: z.array(kind).optional().describe('The kinds that were looked at. Absent: all.'),
    set: z.array(z.string()).optional().describe("Values over the file's: `network.mtu=1400`. Absent: none."),
    actions: z.array(action).describe('In the order of the kinds; apply deletes backwards, and at the end.'),
    foreign: z.array(foreign).describe('Not ours, and left alone.'),
    renumbering: renumbering.optional().describe('Another subnet than the one in use.'),
    summary: z.strictObject({ create: count, update: count, delete: count, foreign: count }),
  })
  .describe('A plan, as `flannelette diff -o json` prints it and `diff --out` saves it.');

/** Never throws: the plan, or what is wrong with the text. */
export function readPlan(text: string): { readonly plan: PlanDocument } | { readonly error: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { error: `not JSON: ${error instanceof Error ? error.message : error}` };
  }
  const result = planSchema.safeParse(value);
  if (!result.success) {
    const [first] = result.error.issues;
    return { error: `${first?.path.join('.') || 'the whole'}: ${first?.message}` };
  }
  // Keys and prefixes are plain text to the schema.
  return { plan: result.data as unknown as PlanDocument };
}
