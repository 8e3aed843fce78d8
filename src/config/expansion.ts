/** Variables of the environment in the file's values: those that the file declares, and no others. */
import type { Mistake } from './mistake.js';
import type { Path } from './outline.js';
import { readYaml } from './yaml.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export const VARIABLE_NAME = /^[A-Za-z_]\w*$/;

/** The key at the top of the file that declares them. */
const DECLARATION = 'environment';

export interface Expansion {
  readonly value: unknown;
  readonly mistakes: readonly Mistake[];
}

/**
 * `${NAME}` of a declared NAME becomes the variable's text. Where it is the whole of a value, that is read as YAML would
 * read it there: a number is one. All else is left as it stands, `${OTHER}` too.
 */
export function expanded(value: unknown, environment: Environment): Expansion {
  const declared = declaredIn(value);
  if (declared.size === 0) return { value, mistakes: [] };
  const mistakes: Mistake[] = [];

  function textOf(name: string, path: Path): string {
    const text = environment[name];
    if (text === undefined) {
      const message = `needs ${name}, which is not set in the environment`;
      mistakes.push({ path, at: 'value', message });
    }
    return text ?? '';
  }

  function walk(inner: unknown, path: Path): unknown {
    if (typeof inner === 'string') {
      const [, whole] = /^\$\{(\w+)\}$/.exec(inner) ?? [];
      if (whole !== undefined && declared.has(whole)) return scalarOf(textOf(whole, path));
      return inner.replace(/\$\{(\w+)\}/g, (text, name: string) =>
        declared.has(name) ? textOf(name, path) : text,
      );
    }
    if (Array.isArray(inner)) return inner.map((item, index) => walk(item, [...path, index]));
    if (typeof inner !== 'object' || inner === null) return inner;
    return Object.fromEntries(
      Object.entries(inner).map(([key, item]) => [
        key,
        path.length === 0 && key === DECLARATION ? item : walk(item, [...path, key]),
      ]),
    );
  }

  return { value: walk(value, []), mistakes };
}

function declaredIn(value: unknown): ReadonlySet<string> {
  const declared =
    typeof value === 'object' && value !== null && DECLARATION in value ? value[DECLARATION] : [];
  return new Set(Array.isArray(declared) ? declared.filter((name) => typeof name === 'string') : []);
}

/** A list or a section in a variable stays text: a value is expanded, not the file's shape. */
function scalarOf(text: string): unknown {
  const document = readYaml(text);
  if ('fault' in document || (typeof document.value === 'object' && document.value !== null)) return text;
  return document.value === null ? text : document.value;
}
