/** What somebody may have meant: the nearest known key, or the same value written another way. */
import { z } from 'zod';
import { shortText } from './mistake.js';
import type { Path } from './outline.js';
import { configSchema } from './schema.js';

/** The schema of what stands at `path` in `content`; undefined for a key that is not known. */
export function fieldAt(path: Path, content?: unknown): z.core.$ZodType | undefined {
  return fieldsAt(path, content)[0];
}

/** Each schema that may be meant: of a section that has several forms, those of the form that `content` says. */
function fieldsAt(path: Path, content?: unknown): readonly z.core.$ZodType[] {
  let fields: readonly z.core.$ZodType[] = [configSchema];
  let inner = content;
  for (const step of path) {
    const held = inner;
    fields = fields
      .flatMap((field) => branches(field, held))
      .flatMap((field) => {
        if (field instanceof z.ZodArray && typeof step === 'number') return [field.element];
        const known = field instanceof z.ZodObject && Object.hasOwn(field.shape, step);
        return known ? [field.shape[step] as z.core.$ZodType] : [];
      });
    inner = valueIn(inner, step);
  }
  return fields;
}

function valueIn(value: unknown, step: string | number): unknown {
  const isHeld = typeof value === 'object' && value !== null && Object.hasOwn(value, step);
  return isHeld ? (value as Record<string | number, unknown>)[step] : undefined;
}

/** The keys that are known in the section at `path` of `content`. */
export function knownKeys(path: Path, content?: unknown): readonly string[] {
  const value = path.reduce<unknown>(valueIn, content);
  const keys = fieldsAt(path, content)
    .slice(0, 1)
    .flatMap((field) => branches(field, value))
    .flatMap((branch) => (branch instanceof z.ZodObject ? Object.keys(branch.shape) : []));
  return [...new Set(keys)];
}

/** `field` without its wrappers (a default, optional, a transformation), and each side of a union that `value` may be meant for. */
function branches(field: z.core.$ZodType, value?: unknown): readonly z.core.$ZodType[] {
  if (field instanceof z.ZodDefault || field instanceof z.ZodPrefault || field instanceof z.ZodOptional) {
    return branches(field.unwrap(), value);
  }
  if (field instanceof z.ZodPipe) return branches(field.in, value);
  if (field instanceof z.ZodDiscriminatedUnion) {
    const kind = valueIn(value, field.def.discriminator);
    const sides = field.options.flatMap((option) => branches(option));
    const meant = sides.filter(
      (side) =>
        side instanceof z.ZodObject &&
        z.safeParse(side.shape[field.def.discriminator] as z.core.$ZodType, kind).success,
    );
    return value === undefined || meant.length === 0 ? sides : meant;
  }
  return field instanceof z.ZodUnion ? field.options.flatMap((option) => branches(option, value)) : [field];
}

/** The key that was meant by `key` in the section at `path` of `content`: a neighbour, or the same key of another section. */
export function nearestKey(path: Path, key: string, content?: unknown): string | undefined {
  return nearest(key, knownKeys(path, content));
}

/** The one other place where `key` is known, for text that is indented wrongly. */
export function otherPlaceOf(key: string): Path | undefined {
  const places = keyPaths(configSchema, []).filter((path) => isSameWord(key, String(path.at(-1))));
  const exact = places.filter((path) => plain(key) === plain(String(path.at(-1))));
  // `subnetLength` stands in the network, and once more in the part that is within it.
  const [first, second] = (exact.length > 0 ? exact : places).sort(
    (left, right) => left.length - right.length,
  );
  return second === undefined || second.length > (first?.length ?? 0) ? first : undefined;
}

function keyPaths(field: z.core.$ZodType, path: Path): readonly Path[] {
  return branches(field).flatMap((branch) => {
    if (!(branch instanceof z.ZodObject)) return [];
    return Object.entries(branch.shape).flatMap(([key, inner]) => {
      const at = [...path, key];
      return [at, ...keyPaths(inner as z.core.$ZodType, at)];
    });
  });
}

/** The value that was meant by `value` at `path`, as it is written in YAML: `8285` for `"8285"`, `true` for `yes`. */
export function nearestValue(path: Path, value: unknown): string | undefined {
  const meant = fieldsAt(path)
    .flatMap((field) => rewritten(field, value).filter((other) => z.safeParse(field, other).success))
    .at(0);
  if (meant === undefined) return undefined;
  return Array.isArray(meant) ? `[${meant.map(shortText).join(', ')}]` : shortText(meant);
}

function rewritten(field: z.core.$ZodType, value: unknown): readonly unknown[] {
  if (typeof value === 'number' || typeof value === 'boolean') return [String(value)];
  if (typeof value !== 'string' || value.length > LONGEST_WORD) return [];
  const trimmed = value.trim();
  const number = /^\d+$/.test(trimmed) ? [Number(trimmed)] : [];
  const word = YES_NO.get(trimmed.toLowerCase());
  const choice = nearest(
    trimmed,
    branches(field).flatMap((branch) => choices(branch)),
  );
  const items = trimmed.split(trimmed.includes(',') ? /\s*,\s*/ : /\s+/);
  return [...number, word, choice, trimmed, trimmed.toLowerCase(), items].filter(
    (other) => other !== undefined && other !== value,
  );
}

function choices(field: z.core.$ZodType): readonly string[] {
  if (field instanceof z.ZodEnum) return field.options.map(String);
  return field instanceof z.ZodLiteral ? [...field.values].map(String) : [];
}

/** YAML 1.1 took these for booleans; YAML 1.2 takes them for text. */
const YES_NO = new Map([
  ['yes', true],
  ['on', true],
  ['true', true],
  ['no', false],
  ['off', false],
  ['false', false],
]);

/** The distance grows with the square of the length: nothing we know is longer. */
const LONGEST_WORD = 200;

/** The one of `known` that `word` most likely stands for; undefined when none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length > LONGEST_WORD) return undefined;
  const same = known.find((candidate) => isSameWord(word, candidate));
  if (same !== undefined) return same;
  const [first] = known
    .map((candidate) => ({ candidate, distance: distance(plain(word), plain(candidate)) }))
    .sort((left, right) => left.distance - right.distance);
  return first !== undefined && first.distance <= (word.length <= 4 ? 1 : 2) ? first.candidate : undefined;
}

/** flannel writes "SubnetLen" for subnetLength, and "ip-masq" as a flag. */
function isSameWord(word: string, known: string): boolean {
  const [left, right] = [plain(word), plain(known)];
  return left === right || (left.length >= 5 && right.startsWith(left));
}

function plain(word: string): string {
  return word.toLowerCase().replace(/[-_\s]/g, '');
}

/** Optimal string alignment: edits and swaps of neighbours (Levenshtein's distance calls a swap two edits). */
function distance(left: string, right: string): number {
  let [beforeLast, last]: [number[], number[]] = [
    [],
    Array.from({ length: right.length + 1 }, (_, at) => at),
  ];
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1] ? 0 : 1;
      const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      current[column] = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + same,
        swapped ? (beforeLast[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    [beforeLast, last] = [last, current];
  }
  return last[right.length] ?? 0;
}
