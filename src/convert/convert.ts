/** flanneld's options and its network → our file, with nothing lost silently. */
import { LONGEST_FILE } from '../config/yaml.js';
import type { Family } from '../model/address.js';
import type { NamedText } from './environment-file.js';
import { givenOptions } from './given-options.js';
import { hostPart } from './host-part.js';
import { networkPart } from './network-part.js';
import { InputError, joined, type Part } from './part.js';
import { remainingPart } from './remaining-part.js';
import { storePart } from './store-part.js';
import { noteText, yamlText } from './yaml-text.js';

export interface ConvertInput {
  /** flanneld's command line, with or without the program's own name. */
  readonly argv: readonly string[];
  /** As a unit names them with EnvironmentFile=: the later one counts more. */
  readonly environmentFiles: readonly NamedText[];
  /** The value of `<prefix>/config`. */
  readonly netConf?: NamedText | undefined;
}

export interface Conversion {
  /** Always valid for `validate`; the notes about what is not converted are its last comments. */
  readonly yaml: string;
  /** One line for each option that is not converted; empty when all are. */
  readonly notConverted: readonly string[];
}

/** Throws InputError naming the place of what cannot be read. No secret that was given is in the result or the error. */
export function convert({ argv, environmentFiles, netConf }: ConvertInput): Conversion {
  const options = givenOptions(argv, environmentFiles);
  const network = netConf === undefined ? joined() : networkPart(netConf);
  const part = joined(
    network,
    hostPart(options, familiesIn(network)),
    storePart(options),
    remainingPart(options),
    { lines: [], notes: options.notes },
  );
  const yaml = yamlText(part);
  if (yaml.length > LONGEST_FILE) {
    throw new InputError('the result', `has ${yaml.length} characters, must have at most ${LONGEST_FILE}`);
  }
  return { yaml, notConverted: part.notes.filter(({ isLost }) => isLost).map(noteText) };
}

/** Of the network in the file; undefined where it is read from the store. */
function familiesIn({ lines }: Part): readonly Family[] | undefined {
  const has = (key: string) => lines.some(({ path }) => path.join('.') === key);
  const families: readonly Family[] = [
    ...(has('network.cidr') ? (['ipv4'] as const) : []),
    ...(has('network.ipv6.cidr') ? (['ipv6'] as const) : []),
  ];
  return families.length === 0 ? undefined : families;
}
