/** The YAML file's text → Config, or every mistake in it. */
import { z } from 'zod';
import type { Config } from '../model/config.js';
import type { ConfigError } from '../model/config-error.js';
import type { ConfigPlaces } from '../model/config-places.js';
import { configOf } from './config-of.js';
import { type Environment, expanded } from './expansion.js';
import { MOST_REPORTED, mistakesOf, valueAt } from './issues.js';
import { type ConfigPart, type Layers, readLayers } from './layers.js';
import { type Mistake, pathOf, pathText, type RuleMistake } from './mistake.js';
import type { Path } from './outline.js';
import { ruleMistakes } from './rules.js';
import { configSchema, type FileValues } from './schema.js';
import { readSettings, SETTINGS_FILE } from './settings.js';
import { fieldAt, nearestKey } from './suggestion.js';
import { readYaml } from './yaml.js';

/** One file, by itself: see readConfigParts. */
export function readConfig(text: string, file: string): ConfigResult {
  return readConfigParts([{ file, text }], {});
}

export type ConfigResult =
  | { readonly config: Config; readonly places: ConfigPlaces }
  | { readonly errors: readonly ConfigError[] };

/**
 * Several texts as one file, the later ones over the earlier; files are only named, never opened. Never throws; errors
 * come in the order of the texts, a hundred at most, and hold no secret. At least one part.
 */
export function readConfigParts(parts: readonly ConfigPart[], environment: Environment): ConfigResult {
  const layers = readLayers(parts, ({ file, text }) =>
    file === SETTINGS_FILE ? readSettings(text) : readYaml(text),
  );
  if ('errors' in layers) return layers;
  const expansion = expanded(layers.value, environment);
  const { values, mistakes } =
    expansion.mistakes.length > 0 ? { mistakes: expansion.mistakes } : checked(expansion.value);
  const orderOf = ({ file }: ConfigError) => parts.findIndex((part) => part.file === file);
  const errors = [
    ...layers.duplicates,
    ...mistakes.map(({ at, path, ...mistake }) => ({
      ...layers.locate(path, at),
      path: pathText(path),
      ...mistake,
    })),
  ]
    .sort(
      (left, right) => orderOf(left) - orderOf(right) || left.line - right.line || left.column - right.column,
    )
    .slice(0, MOST_REPORTED);
  if (errors.length > 0 || values === undefined) return { errors };
  return { config: configOf(values), places: placesIn(layers) };
}

function placesIn({ value, locate }: Layers): ConfigPlaces {
  return (key) => {
    const path = pathOf(key);
    if (valueAt(value, path) === undefined) return undefined;
    const { file, line } = locate(path, 'key');
    return { file, line };
  };
}

/** The mistakes of single fields, and those between the fields that are right. */
function checked(value: unknown): { values?: FileValues; mistakes: readonly Mistake[] } {
  const content = withoutEmptySections(value);
  if (content === null) {
    const message = 'the file is empty: must hold settings, or {} to take every default';
    return { mistakes: [{ path: [], at: 'value', message }] };
  }
  const isWritten = (path: Path) => valueAt(content, path) !== undefined;
  const result = configSchema.safeParse(content);
  if (result.success) {
    const mistakes = ruleMistakes(result.data, isWritten);
    return { values: result.data, mistakes: mistakes.map(withoutReads) };
  }
  const mistakes = mistakesOf(result.error.issues, content);
  if (mistakes.length >= MOST_REPORTED) return { mistakes };
  const wrong = mistakes.flatMap(({ path }) => [path, ...meantBy(path)]);
  // Without the wrong fields the rest can be compared; whatever concerns a wrong one is not said.
  const rest = configSchema.safeParse(wrong.reduce(without, content));
  if (!rest.success) return { mistakes };
  const between = ruleMistakes(rest.data, isWritten).filter(
    ({ reads }) => !reads.some((read) => wrong.some((path) => isWithin(path, read) || isWithin(read, path))),
  );
  return { mistakes: [...mistakes, ...between.map(withoutReads)] };
}

function withoutReads({ reads: _, ...mistake }: RuleMistake): Mistake {
  return mistake;
}

/** A section whose lines are all commented out holds null in YAML: it counts as left out. */
function withoutEmptySections(value: unknown, path: Path = []): unknown {
  if (!isSection(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(
        ([key, inner]) => inner !== null || !z.safeParse(fieldAt([...path, key]) ?? z.never(), {}).success,
      )
      .map(([key, inner]) => [key, path.length < 2 ? withoutEmptySections(inner, [...path, key]) : inner]),
  );
}

function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The field that a wrong key was probably meant to be: it is not missing. */
function meantBy(path: Path): readonly Path[] {
  const [section, key] = [path.slice(0, -1), path.at(-1)];
  const meant = typeof key === 'string' ? nearestKey(section, key) : undefined;
  return meant === undefined ? [] : [[...section, meant]];
}

/** `value` without what stands at `path`; a list is dropped as a whole, so that no index moves. */
function without(value: unknown, path: Path): unknown {
  const [step, ...rest] = path;
  if (!isSection(value) || step === undefined) return {};
  if (!Object.hasOwn(value, step)) return value;
  const { [step]: inner, ...others } = value;
  return rest.length > 0 && isSection(inner) ? { ...others, [step]: without(inner, rest) } : others;
}

function isWithin(path: Path, outer: Path): boolean {
  return outer.every((step, index) => path[index] === step);
}
