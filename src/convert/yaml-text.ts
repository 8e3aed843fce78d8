/** Lines and notes as the text of a file, in the order of the file's own keys. */

import { knownKeys } from '../config/suggestion.js';
import { printable } from '../model/printable.js';
import type { Line, Note, Part } from './part.js';

const HEADER = `# flanneld's options as flannelette's file, made by \`flannelette convert\`: behind each line, where it came from.
# flanneld 0.18 or newer is meant: older ones keep the network in etcd's v2 API, which flannelette does not read.
`;
const NO_NETWORK =
  '# The network itself is not here: it is read from etcd. To write it here too, convert with --net-conf.\n';

export function yamlText({ lines, notes }: Part): string {
  const sections = knownKeys([]).flatMap((key) => sectionText([key], lines));
  const hasNetwork = lines.some(
    ({ path: [section, ...rest] }) => section === 'network' && rest.at(-1) === 'cidr',
  );
  const header = hasNetwork ? HEADER : `${HEADER}${NO_NETWORK}`;
  return [header, ...sections, ...remarks(notes)].join('\n');
}

/** What stands at `path`: one line, a section, or nothing at all. */
function sectionText(path: readonly string[], lines: readonly Line[]): readonly string[] {
  const within = lines.filter((line) => path.every((key, at) => line.path[at] === key));
  if (within.length === 0) return [];
  const indent = '  '.repeat(path.length - 1);
  const own = within.find((line) => line.path.length === path.length);
  const key = `${indent}${path.at(-1)}:`;
  if (own !== undefined) return [`${key} ${valueText(own.value)} # ${printable(own.from)}\n`];
  const inner = knownKeys(path).flatMap((next) => sectionText([...path, next], within));
  return [`${key}\n${inner.join('')}`];
}

function remarks(notes: readonly Note[]): readonly string[] {
  const section = (title: string, isLost: boolean) => {
    const texts = notes.filter((note) => note.isLost === isLost).map(noteText);
    return texts.length === 0 ? [] : [`# ${title}\n${texts.map((text) => `# - ${text}\n`).join('')}`];
  };
  return [...section('Not converted:', true), ...section('Given, and nothing is lost with it:', false)];
}

/** One printable line. */
export function noteText({ what, why }: Note): string {
  return printable(`${what}: ${why}`);
}

function valueText(value: Line['value']): string {
  if (typeof value === 'string') return scalarText(value);
  return typeof value === 'object' ? `[${value.map(quotedText).join(', ')}]` : String(value);
}

/** YAML reads these as something else than text, in its first version or its second. */
const WORDS = ['null', 'true', 'false', 'yes', 'no', 'on', 'off', 'y', 'n'];

function scalarText(text: string): string {
  const isPlain = /^[A-Za-z_/][\w./-]*$/.test(text) && !WORDS.includes(text.toLowerCase());
  const isAddress = /^\d+\.\d+\.\d+\.\d+(?:\/\d+)?$/.test(text);
  return isPlain || isAddress ? text : quotedText(text);
}

function quotedText(text: string): string {
  // JSON's escapes are YAML's between double quotes.
  return printable(text) === text ? `'${text.replaceAll("'", "''")}'` : printable(JSON.stringify(text));
}
