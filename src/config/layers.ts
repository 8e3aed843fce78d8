/** Several texts as one file: sections are merged key by key, and what a later text says of anything else counts. Knows no keys. */
import type { ConfigError } from '../model/config-error.js';
import { pathText } from './mistake.js';
import type { Path, Place } from './outline.js';
import { readYaml, type YamlDocument } from './yaml.js';

/** A text and what the operator calls it. */
export interface ConfigPart {
  readonly file: string;
  readonly text: string;
}

export interface Layers {
  readonly value: unknown;
  /** Where something stands: in the last text that has it, or in the last that has what is next around it. */
  locate(path: Path, at: 'value' | 'key'): Place & { readonly file: string };
  readonly duplicates: readonly ConfigError[];
}

/** The faults of all texts that cannot be read, or what they say together. At least one part. */
export function readLayers(
  parts: readonly ConfigPart[],
  read: (part: ConfigPart) => ReturnType<typeof readYaml> = ({ text }) => readYaml(text),
): Layers | { readonly errors: readonly ConfigError[] } {
  const documents: { readonly file: string; readonly document: YamlDocument }[] = [];
  const errors: ConfigError[] = [];
  for (const part of parts) {
    const { file } = part;
    const document = read(part);
    if ('fault' in document) {
      const { place, ...fault } = document.fault;
      errors.push({ file, ...place, path: '', ...fault });
    } else documents.push({ file, document });
  }
  if (errors.length > 0) return { errors };
  const written = documents.filter(({ document }) => document.value !== null);
  return {
    value: written.reduce<unknown>((whole, { document }) => merged(whole, document.value), null),
    locate(path, at) {
      const depths = documents.map(({ document }) => document.depthOf(path));
      const { file, document } = documents[
        depths.lastIndexOf(Math.max(...depths))
      ] as (typeof documents)[number];
      return { file, ...(at === 'key' ? document.keyAt(path) : document.valueAt(path)) };
    },
    duplicates: documents.flatMap(({ file, document }) =>
      document.duplicates.map(({ path, place, first }) => {
        const message = `is written twice, first on line ${first.line}`;
        return { file, ...place, path: pathText(path), message };
      }),
    ),
  };
}

/** An empty section takes nothing away. */
function merged(below: unknown, above: unknown): unknown {
  if (!isSection(below)) return above;
  if (above === null) return below;
  if (!isSection(above)) return above;
  const entries = Object.entries(above).map(
    ([key, value]) => [key, Object.hasOwn(below, key) ? merged(below[key], value) : value] as const,
  );
  return { ...below, ...Object.fromEntries(entries) };
}

function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
