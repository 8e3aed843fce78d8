/** Kinds of objects on the command line: `--only routes,files`. */
import { InvalidArgumentError } from 'commander';
import { KINDS, type KindName } from '../model/objects.js';

/** In the order of the kinds, each once. Throws commander's InvalidArgumentError. */
export function kindList(text: string): readonly KindName[] {
  const named = text.split(',').map(kindNamed);
  return KINDS.filter((kind) => named.includes(kind));
}

function kindNamed(name: string): KindName {
  const kind = KINDS.find((each) => [each, `${each}s`, `${each}es`].includes(name.trim()));
  if (kind === undefined) throw new InvalidArgumentError(`Want some of ${KINDS.join(', ')}.`);
  return kind;
}
