/**
 * Changes to the members of a JSON object as text: what is not changed keeps its bytes, its order and its place, so
 * that a file in somebody else's hands stays as they wrote it.
 */

/** One member, as offsets into the text. */
interface Member {
  readonly name: string;
  readonly start: number;
  readonly valueStart: number;
  readonly end: number;
}

interface ObjectText {
  /** Offset behind the opening brace. */
  readonly open: number;
  /** Offset of the closing brace. */
  readonly close: number;
  readonly members: readonly Member[];
}

/** Text of nothing but blanks counts as an object without members, as it does for dockerd. Throws SyntaxError for whatever is no JSON object. */
export function memberValues(text: string): ReadonlyMap<string, unknown> {
  if (text.trim() === '') return new Map();
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SyntaxError('it is not an object');
  }
  return new Map(Object.entries(value));
}

/** Replaces the value where `name` is, or adds the member behind the last one, written as the others are. */
export function withMember(text: string, name: string, value: unknown): string {
  const object = objectText(text);
  const json = JSON.stringify(value);
  if (object === undefined) return `{\n  ${JSON.stringify(name)}: ${json}\n}\n`;
  // Twice in one object: whoever reads it takes the last, so none may keep another value.
  const same = object.members.filter((member) => member.name === name).reverse();
  if (same.length > 0) {
    return same.reduce((result, { valueStart, end }) => spliced(result, valueStart, end, json), text);
  }
  const { open, close, members } = object;
  const last = members.at(-1);
  const first = members[0];
  if (last === undefined || first === undefined) {
    return spliced(text, open, close, `\n  ${JSON.stringify(name)}: ${json}\n`);
  }
  const colon = text.slice(first.start + JSON.stringify(first.name).length, first.valueStart);
  const isPlainColon = /^\s*:\s*$/.test(colon);
  const added = `,${gapBefore(text, object)}${JSON.stringify(name)}${isPlainColon ? colon : ': '}${json}`;
  return spliced(text, last.end, last.end, added);
}

/** Takes the member out, with the comma that goes with it. Gone already is success. */
export function withoutMember(text: string, name: string): string {
  const object = objectText(text);
  const index = object?.members.findIndex((member) => member.name === name) ?? -1;
  const member = object?.members[index];
  if (object === undefined || member === undefined) return text;
  const [before, after] = [object.members[index - 1], object.members[index + 1]];
  const rest =
    before !== undefined
      ? spliced(text, before.end, member.end, '')
      : after !== undefined
        ? spliced(text, member.start, after.start, '')
        : spliced(text, object.open, object.close, '');
  return withoutMember(rest, name);
}

/** What stands between a comma and the next member. */
function gapBefore(text: string, { open, members }: ObjectText): string {
  const [beforeLast, last] = members.slice(-2);
  if (beforeLast !== undefined && last !== undefined) {
    return text.slice(text.indexOf(',', beforeLast.end) + 1, last.start);
  }
  const first = members[0];
  const lead = first === undefined ? '' : text.slice(open, first.start);
  return lead.includes('\n') ? lead : ' ';
}

function spliced(text: string, start: number, end: number, replacement: string): string {
  return text.slice(0, start) + replacement + text.slice(end);
}

/** Undefined for a text of blanks. The text is known to be valid JSON, so its tokens can be told by their first character. */
function objectText(text: string): ObjectText | undefined {
  if (text.trim() === '') return undefined;
  memberValues(text);
  const open = text.indexOf('{') + 1;
  const members: Member[] = [];
  let depth = 0;
  let key: { readonly name: string; readonly start: number } | undefined;
  let valueStart: number | undefined;
  let end = open;
  for (const { token, start } of tokensOf(text, open)) {
    const isClosing = token === '}' || token === ']';
    if (depth === 0 && (token === ',' || isClosing)) {
      if (key !== undefined && valueStart !== undefined) members.push({ ...key, valueStart, end });
      key = undefined;
      valueStart = undefined;
      if (isClosing) return { open, close: start, members };
      continue;
    }
    if (isClosing) depth--;
    else if (token === '{' || token === '[') depth++;
    if (key === undefined) key = { name: JSON.parse(token), start };
    else if (token !== ':' || valueStart !== undefined) valueStart ??= start;
    end = start + token.length;
  }
  throw new SyntaxError('it does not end');
}

function* tokensOf(
  text: string,
  from: number,
): Generator<{ readonly token: string; readonly start: number }> {
  const pattern = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs;
  pattern.lastIndex = from;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    yield { token: match[0], start: match.index };
  }
}
