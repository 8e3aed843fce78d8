/** The reference of the file's keys, made from the schema: what it says is written nowhere else. */
import { z } from 'zod';
import type { ConfigReference, KeyReference } from '../model/config-reference.js';
import { EXAMPLES } from './examples.js';
import { inWords } from './fields.js';
import { configSchema } from './schema.js';
import { nearest } from './suggestion.js';

/** The part of JSON Schema that zod writes for our schema. */
interface Node {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Node[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly description?: string;
}

/** Names and marks hang on these: the daemon refuses to change them while it runs. */
const NEEDS_RESTART = /^instance\b/;

export function configReference(): ConfigReference {
  // What is written in the file, not what becomes of it.
  const schema = z.toJSONSchema(configSchema, { io: 'input' });
  const keys = keysOf(schema as Node, '');
  return {
    keys,
    jsonSchema: { title: 'flannelette', ...schema },
    nearest: (path) =>
      nearest(
        path,
        keys.map((key) => key.path),
      ),
  };
}

function keysOf(node: Node, path: string): readonly KeyReference[] {
  const inner = [
    ...(node.anyOf ?? []).map((branch) => [branch, path] as const),
    ...(node.items === undefined ? [] : [[node.items, `${path}[]`] as const]),
  ].flatMap(([child, at]) => keysOf(child, at));
  const own = Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const at = path === '' ? name : `${path}.${name}`;
    return [keyReference(child, at), ...keysOf(child, at)];
  });
  return [...own, ...inner];
}

function keyReference(node: Node, path: string): KeyReference {
  const isSection = node.type === 'object';
  const example = EXAMPLES[path];
  return {
    path,
    type: typeText(node),
    ...(!isSection && node.default !== undefined && { default: written(node.default) }),
    description: node.description ?? '',
    ...(example !== undefined && { example }),
    isLive: !NEEDS_RESTART.test(path),
  };
}

function typeText(node: Node): string {
  if (node.anyOf !== undefined) return inWords(node.anyOf.map(typeText));
  if (node.const !== undefined) return written(node.const);
  if (node.enum !== undefined) return inWords(node.enum.map(written));
  switch (node.type) {
    case 'object':
      return 'section';
    case 'array':
      return node.items?.type === 'object' ? 'list of sections' : 'list of texts';
    case 'boolean':
      return 'true or false';
    case 'integer':
      return `${node.minimum} to ${node.maximum}`;
    default:
      return 'text';
  }
}

/** As YAML has it: a text bare, a list in brackets. */
function written(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(written).join(', ')}]` : String(value);
}
