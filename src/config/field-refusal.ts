/** The rules of single fields for those who write files instead of reading them. */
import { z } from 'zod';
import type { Path } from './outline.js';
import { fieldAt } from './suggestion.js';

/** Undefined when the file may hold `value` at `path`; else what it must be: `must be 1 to 65535`. */
export function fieldRefusal(path: Path, value: unknown): string | undefined {
  const field = fieldAt(path);
  if (field === undefined) return 'is not a key of the file';
  const result = z.safeParse(field, value);
  return result.success ? undefined : result.error.issues[0]?.message;
}
