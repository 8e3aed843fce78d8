/** flanneld's command line, read as Go's package flag reads it. */
import { type Flag, flagNamed } from './flanneld-flags.js';
import { InputError, lost, type Note } from './part.js';

/** One word of a command line, and where it stands. */
export interface Argument {
  readonly text: string;
  /** `argument 3`, or the line of the file whose variable holds it. */
  readonly place: string;
  /** Added to a flag's name where it did not come from the command line itself: ` in FLANNEL_OPTIONS (...)`. */
  readonly within: string;
}

/** One flag that was given, with its value. */
export interface Given {
  readonly flag: Flag;
  readonly value: string;
  /** `-iface`, `FLANNELD_IFACE (/etc/default/flanneld:3)`: for comments. */
  readonly origin: string;
  readonly place: string;
}

/** Throws InputError where flanneld would not start. */
export function readCommandLine(words: readonly Argument[]): {
  readonly given: readonly Given[];
  readonly notes: readonly Note[];
} {
  const given: Given[] = [];
  for (let next = 0; next < words.length; next++) {
    const word = words[next] as Argument;
    if (word.text.length < 2 || !word.text.startsWith('-') || word.text === '--') {
      return { given, notes: unread(words.slice(next)) };
    }
    const { flag, value } = flagIn(word);
    const origin = `-${flag.name}${word.within}`;
    if (value !== undefined) given.push(checked({ flag, value, origin, place: word.place }));
    else if (flag.kind === 'switch') given.push({ flag, value: 'true', origin, place: word.place });
    else {
      const argument = words[++next];
      if (argument === undefined) throw new InputError(word.place, `-${flag.name} needs a value`);
      given.push(checked({ flag, value: argument.text, origin, place: argument.place }));
    }
  }
  return { given, notes: [] };
}

function flagIn({ text, place }: Argument): { readonly flag: Flag; readonly value: string | undefined } {
  const [, name = '', value] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(text) ?? [];
  if (name === '') throw new InputError(place, 'is no flag: must be -NAME or -NAME=VALUE');
  const flag = flagNamed(name);
  if (flag === undefined) throw new InputError(place, `flanneld has no flag ${shownFlag(name)}`);
  return { flag, value };
}

/** Only what can be a name: `-etcd-password:...` must not show what follows. */
function shownFlag(name: string): string {
  const shown = /^[\w-]{0,40}/.exec(name)?.[0] ?? '';
  return shown === name ? `-${name}` : `-${shown}...`;
}

/** Go takes these for truth values (strconv.ParseBool). */
const TRUTH: ReadonlyMap<string, string> = new Map([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((word) => [word, 'true'] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((word) => [word, 'false'] as const),
]);

/** With the value as flanneld understands it. Throws InputError where flanneld would. */
export function checked(given: Given): Given {
  const { flag, value, place } = given;
  if (flag.kind === 'switch') {
    const truth = TRUTH.get(value);
    if (truth === undefined) throw new InputError(place, `-${flag.name} must be true or false`);
    return { ...given, value: truth };
  }
  if (flag.kind === 'number' && !/^[+-]?\d{1,18}$/.test(value)) {
    throw new InputError(place, `-${flag.name} must be a whole number`);
  }
  return given;
}

/** flanneld stops reading at the first word that is no flag: `-ip-masq true -iface=eth0` sets no interface. */
function unread([stop, ...rest]: readonly Argument[]): readonly Note[] {
  if (stop === undefined || (stop.text === '--' && rest.length === 0)) return [];
  const flags = rest.flatMap(({ text }) => {
    const flag = flagNamed(/^--?([\w-]+)/.exec(text)?.[1] ?? '');
    return flag === undefined ? [] : [`-${flag.name}`];
  });
  const behind = flags.length === 0 ? '' : `, so ${flags.join(' ')} had no effect`;
  return lost(stop.place, `is no flag, and flanneld reads no further${behind}: mend it and convert again`)
    .notes;
}
