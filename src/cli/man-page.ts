/** The manual page, in the language of man(7). Pure. */
import type { OptionOutline, VerbOutline } from './command-outline.js';

/** What exit codes, or variables of the environment, mean: the tables at the end. */
export type Meanings = readonly (readonly [name: string, meaning: string])[];

/** Examples by the name of their verb, subcommands with their parent's before it. */
export type Examples = Readonly<Record<string, readonly string[]>>;

export interface ManualParts {
  readonly version: string;
  readonly examples: Examples;
  readonly exitCodes: Meanings;
  readonly environment: Meanings;
}

export function manPage(
  program: VerbOutline,
  { version, examples, exitCodes, environment }: ManualParts,
): string {
  const { name, description, verbs } = program;
  return [
    `.TH ${name.toUpperCase()} 8 "" "${name} ${text(version)}" "System Administration"`,
    '.SH NAME',
    `${text(name)} \\- ${text(description)}`,
    '.SH SYNOPSIS',
    `.B ${name}`,
    '.I verb',
    '.RI [ options ]',
    '.SH DESCRIPTION',
    'What is wanted stands in one YAML file. It is compared with the store, the kernel and the files that Docker starts from;',
    'the difference is shown, carried out, and kept away. Results go to standard output, everything else to standard error.',
    '.SH VERBS',
    ...verbs.flatMap((verb) => verbLines([name], verb, examples)),
    '.SH EXIT STATUS',
    ...exitCodes.flatMap(meaningLines),
    '.SH ENVIRONMENT',
    ...environment.flatMap(meaningLines),
    '.SH SEE ALSO',
    '.BR docker (1),',
    '.BR etcd (1),',
    '.BR ip (8)',
    '',
  ].join('\n');
}

function verbLines(before: readonly string[], verb: VerbOutline, examples: Examples): readonly string[] {
  const path = [...before, verb.name];
  const usage = [...path, verb.usage].filter((word) => word !== '').join(' ');
  return [
    `.SS ${quoted(usage)}`,
    sentence(verb.description),
    ...verb.options.flatMap(optionLines),
    ...(examples[path.slice(1).join(' ')] ?? []).flatMap((line) => ['.PP', '.EX', text(line), '.EE']),
    ...verb.verbs.flatMap((inner) => verbLines(path, inner, examples)),
  ];
}

function meaningLines([name, meaning]: Meanings[number]): readonly string[] {
  return ['.TP', `.B ${text(name)}`, text(meaning)];
}

function optionLines({
  short,
  long,
  value,
  choices,
  description,
  default: otherwise,
}: OptionOutline): readonly string[] {
  const flags = [short && `-${short}`, long && `--${long}`].filter((flag) => flag !== undefined).join(', ');
  const given = value === undefined ? '' : ` <${value}>`;
  const notes = [
    ...(choices.length > 0 ? [`Choices: ${choices.join(', ')}.`] : []),
    ...(otherwise === undefined ? [] : [`Default: ${otherwise}.`]),
  ];
  return ['.TP', `.B ${text(flags + given)}`, [sentence(description), ...notes.map(text)].join(' ')];
}

function sentence(words: string): string {
  return `${text(words.slice(0, 1).toUpperCase() + words.slice(1))}.`;
}

function quoted(words: string): string {
  return `"${text(words).replaceAll('"', '\\(dq')}"`;
}

/** groff_char(7): a dash that is to be copied, a backslash, and no request at the beginning of a line. */
function text(words: string): string {
  return words.replaceAll('\\', '\\e').replaceAll('-', '\\-').replace(/^[.']/, '\\&$&');
}
