/** Everything that was given to flanneld, from all places, with flanneld's own order of precedence. */
import { type Argument, checked, type Given, readCommandLine } from './command-line.js';
import { type Assignment, type NamedText, readEnvironmentFile, wordsOf } from './environment-file.js';
import { flagNamed, flagOfVariable } from './flanneld-flags.js';
import { InputError, idle, joined, lost, type Note, type Part } from './part.js';

export interface Options {
  /** The one value that counts; undefined when the flag was not given. */
  value(flag: string): Given | undefined;
  /** All values of a list, in order. */
  values(flag: string): readonly Given[];
  /** About what was given and does not count. */
  readonly notes: readonly Note[];
}

/** Variables of other start scripts, as flags: Red Hat's flanneld-start has them, in two generations of names. */
const START_SCRIPT = [
  { flag: 'etcd-endpoints', variables: ['FLANNEL_ETCD_ENDPOINTS', 'FLANNEL_ETCD'] },
  { flag: 'etcd-prefix', variables: ['FLANNEL_ETCD_PREFIX', 'FLANNEL_ETCD_KEY'] },
] as const;
/** Red Hat's and CoreOS's: words that the unit appends. */
const MORE_WORDS = ['FLANNEL_OPTIONS', 'FLANNEL_OPTS'] as const;

/** `argv` is flanneld's command line; of several files that set a variable the last one counts. Throws InputError. */
export function givenOptions(argv: readonly string[], files: readonly NamedText[]): Options {
  const assignments = files.flatMap(readEnvironmentFile);
  const variables = new Map(assignments.map((assignment) => [assignment.name, assignment]));
  const used = new Set<string>();
  const typed = argv.flatMap((text, index) =>
    index === 0 && isProgram(text) ? [] : expanded(text, `argument ${index + 1}`, variables, used),
  );
  // A command line that names these variables itself is complete; otherwise a start script puts it together.
  const script = fromStartScript(variables, used);
  const { given, notes: unread } = readCommandLine([...moreWords(variables, used), ...typed]);
  const commandLine = [...script, ...given];
  const environment = fromEnvironment(variables, commandLine, used);
  const { counting, notes } = lastOfEach([...commandLine, ...environment.given]);
  return {
    value: (flag) => counting.findLast((given) => given.flag.name === flag),
    values: (flag) => counting.filter((given) => given.flag.name === flag),
    notes: joined(
      { lines: [], notes: [...unread, ...environment.notes, ...notes] },
      repeated(assignments, variables),
      strangers([...variables.values()], used),
    ).notes,
  };
}

/** `${NAME}` within a word and `$NAME` as a whole one, as systemd replaces them in a unit's command line. */
function expanded(
  text: string,
  place: string,
  variables: ReadonlyMap<string, Assignment>,
  used: Set<string>,
): readonly Argument[] {
  const lookUp = (name: string): Assignment => {
    used.add(name);
    const found = variables.get(name);
    if (found === undefined) throw new InputError(place, `no --env-file sets ${name}`);
    return found;
  };
  const [, whole] = /^\$([A-Za-z_]\w*)$/.exec(text) ?? [];
  if (whole !== undefined) return wordsIn(lookUp(whole));
  const replaced = text.replace(/\$\{([A-Za-z_]\w*)\}/g, (_, name: string) => lookUp(name).value);
  return [{ text: replaced, place, within: '' }];
}

function wordsIn({ name, value, place }: Assignment): readonly Argument[] {
  return wordsOf(value).map((text) => ({ text, place, within: ` in ${name} (${place})` }));
}

function fromStartScript(variables: ReadonlyMap<string, Assignment>, used: Set<string>): readonly Given[] {
  return START_SCRIPT.flatMap(({ flag: name, variables: names }) => {
    const flag = flagNamed(name);
    const assignment = names.map((name) => variables.get(name)).find((found) => (found?.value ?? '') !== '');
    if (flag === undefined || assignment === undefined || used.has(assignment.name)) return [];
    used.add(assignment.name);
    const { value, place } = assignment;
    return [{ flag, value, origin: `${assignment.name} (${place})`, place }];
  });
}

function moreWords(variables: ReadonlyMap<string, Assignment>, used: Set<string>): readonly Argument[] {
  return MORE_WORDS.flatMap((name) => {
    const assignment = variables.get(name);
    if (assignment === undefined || used.has(name)) return [];
    used.add(name);
    return wordsIn(assignment);
  });
}

/** A variable counts when its flag was not given, and when it is not empty. */
function fromEnvironment(
  variables: ReadonlyMap<string, Assignment>,
  commandLine: readonly Given[],
  used: ReadonlySet<string>,
): { readonly given: readonly Given[]; readonly notes: readonly Note[] } {
  const given: Given[] = [];
  const parts: Part[] = [];
  for (const { name, value, place } of variables.values()) {
    if (!name.startsWith('FLANNELD_')) continue;
    const flag = flagOfVariable(name);
    const origin = `${name} (${place})`;
    if (flag === undefined && used.has(name)) continue;
    if (flag === undefined) parts.push(lost(origin, 'flanneld has no flag of this name, and ignores it'));
    else if (value === '') parts.push(idle(origin, 'empty, which flanneld takes for not given'));
    else if (commandLine.some((other) => other.flag === flag)) {
      parts.push(idle(origin, `-${flag.name} was given too, and a flag counts more than its variable`));
    } else given.push(checked({ flag, value, origin, place }));
  }
  return { given, notes: joined(...parts).notes };
}

/** Of a flag that is given again the last value counts, but for lists. */
function lastOfEach(all: readonly Given[]): {
  readonly counting: readonly Given[];
  readonly notes: readonly Note[];
} {
  const last = new Map(all.map((given) => [given.flag.name, given]));
  const counts = (given: Given) => given.flag.kind === 'list' || last.get(given.flag.name) === given;
  const rest = all.filter((given) => !counts(given));
  const notes = rest.map(({ origin, place }) =>
    idle(origin, `given again after ${place}, and the last counts`),
  );
  return { counting: all.filter(counts), notes: joined(...notes).notes };
}

function repeated(all: readonly Assignment[], variables: ReadonlyMap<string, Assignment>): Part {
  const rest = all.filter((assignment) => variables.get(assignment.name) !== assignment);
  return joined(
    ...rest.map(({ name, place }) => idle(`${name} (${place})`, 'set again later, and the last counts')),
  );
}

/** Variables that neither flanneld nor its start scripts read. */
function strangers(assignments: readonly Assignment[], used: ReadonlySet<string>): Part {
  const names = assignments
    .map(({ name }) => name)
    .filter((name) => !used.has(name) && !name.startsWith('FLANNELD_'));
  return names.length === 0 ? joined() : idle(names.join(', '), 'flanneld does not read it');
}

/** The program itself, pasted with the rest of ExecStart: `/usr/bin/flanneld`, `flanneld-start`, `flannel-wrapper`. */
function isProgram(text: string): boolean {
  return /^(?:.*\/)?flannel[a-z-]*$/.test(text);
}
