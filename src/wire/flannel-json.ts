/**
 * JSON as flannel reads it: names of fields match whatever their case, the last of several counts, unknown
 * ones are somebody else's. Other hosts write these values, so size, depth and numbers are bounded here.
 */
import type { JsonValue } from '../model/lease.js';

/** What stands in the store cannot be read. The message says why and is safe to print. */
export class StoredValueError extends Error {
  override readonly name = 'StoredValueError';
}

const MOST_CHARACTERS = 64 * 1024; // flannel's largest values, an extension's data, are below 4 KiB.
const MOST_LEVELS = 32;
const QUOTED_CHARACTERS = 60;

/** A JSON object's fields, in order. */
export type Fields = readonly (readonly [name: string, value: JsonValue])[];

/** Throws StoredValueError unless `text` is one JSON object within bounds. */
export function parseFields(text: string): Fields {
  if (text.length > MOST_CHARACTERS) {
    throw new StoredValueError(`the value has ${text.length} characters, must be ${MOST_CHARACTERS} at most`);
  }
  let value: JsonValue;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, control characters and all.
    throw new StoredValueError('the value is not JSON');
  }
  checkBounds(value, 0);
  return fieldsOf('the value', value);
}

/** Throws StoredValueError unless `value` is an object. */
export function fieldsOf(what: string, value: JsonValue): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new StoredValueError(`${what} is ${quoted(value)}, must be an object`);
  }
  return Object.entries(value);
}

/** The field of that name, or undefined. */
export function field(fields: Fields, name: string): JsonValue | undefined {
  const lower = name.toLowerCase();
  return fields.findLast(([candidate]) => candidate.toLowerCase() === lower)?.[1];
}

/** `null` leaves a field as if it were absent, as in Go. `of` goes before the name in errors: `Backend.`. */
export function stringField(fields: Fields, name: string, of = ''): string | undefined {
  const value = field(fields, name) ?? undefined;
  if (value === undefined || typeof value === 'string') return value;
  throw new StoredValueError(`${of}${name} is ${quoted(value)}, must be a string`);
}

export function booleanField(fields: Fields, name: string, of = ''): boolean | undefined {
  const value = field(fields, name) ?? undefined;
  if (value === undefined || typeof value === 'boolean') return value;
  throw new StoredValueError(`${of}${name} is ${quoted(value)}, must be true or false`);
}

export function integerField(fields: Fields, name: string, of = ''): number | undefined {
  const value = field(fields, name) ?? undefined;
  if (value === undefined || (typeof value === 'number' && Number.isSafeInteger(value))) return value;
  throw new StoredValueError(`${of}${name} is ${quoted(value)}, must be a whole number`);
}

/** Fields that are none of `known`. */
export function unknownFields(
  fields: Fields,
  known: readonly string[],
): { readonly [name: string]: JsonValue } | undefined {
  const lower = new Set(known.map((name) => name.toLowerCase()));
  const unknown = fields.filter(([name]) => !lower.has(name.toLowerCase()));
  // fromEntries makes even "__proto__" a plain property.
  return unknown.length === 0 ? undefined : Object.fromEntries(unknown);
}

/** Short, and printable ASCII whatever it holds. */
export function quoted(value: JsonValue): string {
  const text = JSON.stringify(value).replace(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return text.length > QUOTED_CHARACTERS ? `${text.slice(0, QUOTED_CHARACTERS)}...` : text;
}

function checkBounds(value: JsonValue, level: number): void {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new StoredValueError('the value holds a number out of range');
  }
  if (typeof value !== 'object' || value === null) return;
  if (level >= MOST_LEVELS) {
    throw new StoredValueError(`the value is nested more than ${MOST_LEVELS} levels deep`);
  }
  for (const inner of Object.values(value)) checkBounds(inner, level + 1);
}
