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
  /** Forms of one section, told apart by their `type`. */
  readonly oneOf?: readonly Node[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly description?: string;
  readonly examples?: readonly string[];
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
  return [...own, ...(node.oneOf === undefined ? [] : keysOfForms(node.oneOf, path)), ...inner];
}

/** Each key once, whichever forms have it: what they say of it differently is said of each. */
function keysOfForms(forms: readonly Node[], path: string): readonly KeyReference[] {
  const byPath = new Map<string, { form: string; key: KeyReference }[]>();
  for (const form of forms) {
    for (const key of keysOf(form, path)) {
      const of = { form: String(form.properties?.type?.const), key };
      byPath.set(key.path, [...(byPath.get(key.path) ?? []), of]);
    }
  }
  return [...byPath.values()].map((uses) => {
    const [{ key }] = uses as [(typeof uses)[number]];
    const isShared = uses.length === forms.length;
    const differing = (texts: readonly (string | undefined)[]) =>
      uses.flatMap(({ form }, index) => (texts[index] === undefined ? [] : [`${texts[index]} (${form})`]));
    const said = (texts: readonly (string | undefined)[]) =>
      new Set(texts).size === 1 ? (texts[0] ?? '') : inWords(differing(texts));
    const types = uses.map((use) => use.key.type);
    const fallback = isShared ? key.default : said(uses.map((use) => use.key.default));
    const { default: _, ...rest } = key;
    return {
      ...rest,
      type: isShared ? inWords(types) : said(types),
      ...(fallback !== undefined && fallback !== '' && { default: fallback }),
      description: isShared
        ? key.description
        : `${inWords(uses.map(({ form }) => form))}: ${said(uses.map((use) => use.key.description))}`,
    };
  });
}

function keyReference(node: Node, path: string): KeyReference {
  const isSection = node.type === 'object' || node.oneOf !== undefined;
  const example = EXAMPLES[path] ?? node.examples?.[0];
  return {
    path,
    type: typeText(node),
    ...(!isSection && node.default !== undefined && { default: written(node.default) }),
    description: node.description ?? '',
    ...(example !== undefined && { example }),
    isLive: !NEEDS_RESTART.test(path),
  };
}

const BOOLEANS = ['true', 'false'];

function typeText(node: Node): string {
  if (node.oneOf !== undefined) return 'section';
  if (node.anyOf !== undefined)
    return inWords(node.anyOf.flatMap((each) => (each.type === 'boolean' ? BOOLEANS : [typeText(each)])));
  if (node.const !== undefined) return written(node.const);
  if (node.enum !== undefined) return inWords(node.enum.map(written));
  switch (node.type) {
    case 'object':
      return 'section';
    case 'array':
      return node.items?.type === 'object' ? 'list of sections' : 'list of texts';
    case 'boolean':
      return inWords(BOOLEANS);
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
