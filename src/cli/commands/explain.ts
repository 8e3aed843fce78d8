/** `explain`: what a key of the file means. */
import type { ConfigReference, KeyReference } from '../../model/config-reference.js';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.js';
import type { CommandContext } from '../session.js';

/** Without a path: the sections of the file. */
export async function explain(context: CommandContext, path: string | undefined): Promise<ExitCode> {
  const reference = await context.configReference();
  if (path === undefined) {
    context.out(list(reference.keys.filter((key) => !key.path.includes('.'))));
    return EXIT.done;
  }
  const key = reference.keys.find((candidate) => candidate.path === path);
  if (key === undefined) throw new CommandError(unknown(reference, path), EXIT.usage);
  const inner = reference.keys.filter((candidate) => isDirectlyIn(key, candidate));
  context.out(details(key) + (inner.length === 0 ? '' : `\n${list(inner)}`));
  return EXIT.done;
}

function unknown({ nearest }: ConfigReference, path: string): string {
  const meant = nearest(path);
  const remedy = meant === undefined ? '`flannelette explain` lists the sections' : `did you mean ${meant}?`;
  return `Cannot explain "${path}": the file has no such key; ${remedy}`;
}

function isDirectlyIn(section: KeyReference, { path }: KeyReference): boolean {
  const rest = path.startsWith(section.path) ? path.slice(section.path.length) : '';
  return /^(\[\])?\.[^.[]+$/.test(rest);
}

function details(key: KeyReference): string {
  const rows: readonly (readonly [label: string, text: string | undefined])[] = [
    ['value', key.type],
    ['default', key.default],
    ['example', key.example],
    ['a change', key.isLive ? 'takes effect at once' : 'takes effect after a restart of the daemon'],
  ];
  const lines = rows.flatMap(([label, text]) =>
    text === undefined ? [] : [`  ${label.padEnd(8)}  ${text}`],
  );
  return [key.path, `  ${key.description}`, '', ...lines, ''].join('\n');
}

function list(keys: readonly KeyReference[]): string {
  const width = Math.max(...keys.map(({ path }) => path.length));
  return keys
    .map(({ path, description }) => `${path.padEnd(width)}  ${firstSentence(description)}\n`)
    .join('');
}

function firstSentence(text: string): string {
  return /^.*?[.;:](?=\s|$)/.exec(text)?.[0].replace(/[.;:]$/, '') ?? text;
}
