/** Variables of the environment that change what is printed, or how; for `--help`, the manual page and the README. */
export const ENVIRONMENT_MEANINGS = [
  ['NO_COLOR', 'when not empty, nothing is coloured (no-color.org)'],
  ['FORCE_COLOR', 'when neither empty nor 0, what goes into a pipe or a file is coloured too'],
  ['TERM', 'what the terminal can do; `dumb` is spared colours and progress'],
] as const;

/** Below `--help`. */
export function environmentText(): string {
  const width = Math.max(...ENVIRONMENT_MEANINGS.map(([name]) => name.length));
  const lines = ENVIRONMENT_MEANINGS.map(([name, meaning]) => `  ${name.padEnd(width)}  ${meaning}`);
  return ['', 'Environment:', ...lines].join('\n');
}
