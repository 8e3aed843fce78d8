/** `network.backend` of the YAML file: one section for each backend there is, made from the backend's own list of options. */
import { z } from 'zod';
import type { Backend } from '../model/backends/backend.js';
import type { Option } from '../model/backends/options.js';
import { BACKENDS, DEFAULT_BACKEND } from '../model/backends/table.js';
import type { BackendConfig } from '../model/network.js';
import { choice, flag, integer, inWords, isOneLine, list, section } from './fields.js';

export function backendSection() {
  const [first, ...others] = BACKENDS.map(sectionOf);
  if (first === undefined) throw new TypeError('There is no backend');
  // What a section gives is what its backend asked for: the types of single backends are the table's affair.
  return z.discriminatedUnion('type', [first, ...others], {
    error: (issue) =>
      issue.code === 'invalid_union'
        ? `must be ${inWords(BACKENDS.map(({ type }) => type))}`
        : 'must be a section, that is keys and values',
  }) as unknown as z.ZodType<BackendConfig, Partial<BackendConfig>>;
}

function sectionOf(backend: Backend) {
  const options = Object.entries(backend.options).map(([name, option]) => [name, optionField(option)]);
  return section({ type: typeField(backend), ...Object.fromEntries(options) });
}

function typeField({ type }: Backend) {
  const about = `How packets reach the other hosts: ${inWords(BACKENDS.map((backend) => backend.type))}.`;
  const literal = z.literal(type);
  // A section without a type is the default backend's: the union finds it by the missing key.
  return type === DEFAULT_BACKEND.type
    ? literal.optional().default(type).describe(about)
    : literal.describe(about);
}

function optionField(option: Option): z.ZodType {
  const field = fieldOf(option);
  const isGiven = 'default' in option && option.default !== undefined;
  const optional = isGiven ? field.default(option.default as never) : field.optional();
  return optional.meta({ description: option.about, examples: [option.example] });
}

/** Checked and left as it is: of what is made into something else JSON Schema shows no example. */
function words() {
  const error = 'must be one line of text';
  return z.string({ error }).min(1, { error }).refine(isOneLine, { error });
}

function fieldOf(option: Option): z.ZodType {
  switch (option.kind) {
    case 'integer':
      return integer(option.least, option.most);
    case 'flag':
      return flag();
    case 'choice':
      return choice(option.of);
    case 'command':
      return z.union([words(), list(words()).min(1)], {
        error: 'must be a command, as one text or as a list of its words',
      });
    default:
      return option satisfies never;
  }
}
