/** Completion scripts for the shells, whole: nothing is asked of the program while somebody types. Pure. */
import type { OptionOutline, VerbOutline } from './command-outline.js';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export function completionScript(shell: Shell, program: VerbOutline): string {
  switch (shell) {
    case 'bash':
      return bash(program);
    case 'zsh':
      return zsh(program);
    case 'fish':
      return fish(program);
  }
}

/** bash(1), "Programmable Completion". */
function bash({ name, verbs }: VerbOutline): string {
  const withValues = (verb: VerbOutline) => verb.options.filter(({ value }) => value !== undefined);
  const values = verbs.flatMap((verb) => withValues(verb).map((option) => [verb, option] as const));
  const cases = values.map(
    ([verb, option]) =>
      `    ${patterns(option)
        .map((pattern) => `'${verb.name} ${pattern}'`)
        .join('|')}) ${bashValue(option)} ;;`,
  );
  const words = verbs.map((verb) => {
    const all = [...verb.options.flatMap(patterns), ...wordsAfter(verb), '--help'];
    const files = verb.takesFiles ? ' files=yes' : '';
    return `    ${verb.name}) words='${all.join(' ')}'${files} ;;`;
  });
  return `# bash completion for ${name}
_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} verb=\${COMP_WORDS[1]} words= files=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${[...verbs.map((verb) => verb.name), '--help', '--version'].join(' ')}' -- "$current"))
    return
  fi
  case "$verb $before" in
${cases.join('\n')}
  esac
  case "$verb" in
${words.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ -n "$files" ] && [[ "$current" != -* ]]; then
    compopt -o filenames
    COMPREPLY+=($(compgen -f -- "$current"))
  fi
}
complete -F _${name} ${name}
`;
}

function bashValue({ value, choices }: OptionOutline): string {
  if (choices.length > 0) return `COMPREPLY=($(compgen -W '${choices.join(' ')}' -- "$current")); return`;
  if (value === 'path') return 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$current")); return';
  return 'return';
}

/** zshcompsys(1), "_arguments" and "_describe". */
function zsh({ name, verbs }: VerbOutline): string {
  const described = verbs.map((verb) => `    ${zshQuoted(`${verb.name}:${verb.description}`)}`);
  const cases = verbs.map((verb) => {
    const rest = [
      ...(wordsAfter(verb).length > 0 ? [`'1:word:(${wordsAfter(verb).join(' ')})'`] : []),
      ...(verb.takesFiles ? ["'*:file:_files'"] : []),
    ];
    const specifications = [...verb.options.map(zshOption), "'--help[show the options]'", ...rest];
    return `    ${verb.name}) _arguments -s ${specifications.join(' \\\n        ')} ;;`;
  });
  return `#compdef ${name}
_${name}() {
  local -a verbs=(
${described.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe verb verbs
    return
  fi
  local verb=$words[2]
  shift words
  (( CURRENT-- ))
  case $verb in
${cases.join('\n')}
  esac
}
_${name} "$@"
`;
}

function zshOption(option: OptionOutline): string {
  const { value, choices, description } = option;
  const flags = patterns(option);
  const action = choices.length > 0 ? `(${choices.join(' ')})` : value === 'path' ? '_files' : ' ';
  const what = `[${description.replaceAll(/[[\]]/g, '\\$&')}]${value === undefined ? '' : `:${value}:${action}`}`;
  const [first = '', second] = flags;
  if (second === undefined) return zshQuoted(`${first}${what}`);
  return `'(${flags.join(' ')})'{${flags.join(',')}}${zshQuoted(what)}`;
}

function zshQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** complete(1) of fish. */
function fish({ name, verbs }: VerbOutline): string {
  const first = `not __fish_seen_subcommand_from ${verbs.map((verb) => verb.name).join(' ')}`;
  const lines = verbs.flatMap((verb) => {
    const seen = `__fish_seen_subcommand_from ${verb.name}`;
    return [
      `complete -c ${name} -f -n ${fishQuoted(first)} -a ${verb.name} -d ${fishQuoted(verb.description)}`,
      ...wordsAfter(verb).map((word) => `complete -c ${name} -f -n ${fishQuoted(seen)} -a ${word}`),
      ...(verb.takesFiles ? [`complete -c ${name} -F -n ${fishQuoted(seen)}`] : []),
      ...verb.options.map((option) => `complete -c ${name} -n ${fishQuoted(seen)} ${fishOption(option)}`),
    ];
  });
  return `# fish completion for ${name}\n${lines.join('\n')}\n`;
}

function fishOption({ short, long, value, choices, description }: OptionOutline): string {
  const words = [
    ...(short === undefined ? [] : ['-s', short]),
    ...(long === undefined ? [] : ['-l', long]),
    ...(choices.length > 0 ? ['-x', '-a', fishQuoted(choices.join(' '))] : []),
    ...(choices.length === 0 && value !== undefined ? [value === 'path' ? '-rF' : '-x'] : []),
  ];
  return [...words, '-d', fishQuoted(description)].join(' ');
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
}

/** The words that may stand behind the verb itself. */
function wordsAfter({ verbs, choices }: VerbOutline): readonly string[] {
  return [...verbs.map((inner) => inner.name), ...choices];
}

/** `-f`, `--file`. */
function patterns({ short, long }: OptionOutline): readonly string[] {
  return [...(short === undefined ? [] : [`-${short}`]), ...(long === undefined ? [] : [`--${long}`])];
}
