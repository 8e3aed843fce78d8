/** YAML text → one value and the place of everything in it. Knows YAML, not the configuration. */
import {
  constructFromEvents,
  EVENT_ID,
  type Event,
  getScalarValue,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
  YAMLException,
} from 'js-yaml';

/** Keys and list indices from the top: `['store', 'static', 'peers', 0]`. */
export type Path = readonly (string | number)[];

/** Both 1-based. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface YamlFault {
  readonly place: Place;
  readonly message: string;
  readonly hint?: string;
}

export interface YamlDocument {
  /** Plain objects, lists, strings, numbers, booleans and null. Aliases share objects, so it may be cyclic. */
  readonly value: unknown;
  /** Where the value begins; where the nearest section around it begins when it is not written. */
  valueAt(path: Path): Place;
  /** Where the key begins; the value's place in a list. */
  keyAt(path: Path): Place;
  /** The second and later uses of a key in one section; the last one's value counts. */
  readonly duplicates: readonly { readonly path: Path; readonly place: Place; readonly first: Place }[];
}

/**
 * The parser takes up to 1 ms a KiB on a small machine: the bound keeps any file, however built, under
 * 100 ms. It has room for 1,000 static peers; who has more wants a server.
 */
export const LONGEST_FILE = 64 * 1024;

/** The file's own sections are four deep. */
const MOST_NESTED = 16;
/** Sharing a peer list or an endpoint is fine; reading a shared value costs as much as a copy. */
const MOST_ALIASES = 32;

/** What to look for when the parser's own words say where but not why. */
const HINTS: Readonly<Record<string, string>> = {
  'bad indentation of a mapping entry':
    'keys of one section start in one column; text that holds ": " needs quotes',
  'bad indentation of a sequence entry': 'the dashes of one list start in one column',
  'can not read a block mapping entry; a multiline key may not be an implicit key':
    'a key is followed by a colon and a space',
  'deficient indentation': 'is a quote or a bracket above not closed?',
  "expected ':' after a mapping key": 'a key is followed by a colon and a space',
  'missed comma between flow collection entries': 'is a bracket or a brace not closed?',
  'tab characters must not be used in indentation': 'indent with spaces',
  'unexpected end of the stream within a flow collection': 'a bracket or a brace is not closed',
};

/** Never throws: whatever `text` is, either a document or the one fault that stopped the reading. */
export function readYaml(text: string): YamlDocument | { readonly fault: YamlFault } {
  if (text.length > LONGEST_FILE) {
    const message = `the file has ${text.length} characters, must have at most ${LONGEST_FILE}`;
    return { fault: { place: { line: 1, column: 1 }, message } };
  }
  const placeOf = placesIn(text);
  try {
    const events = parseEvents(text, { maxDepth: MOST_NESTED });
    // `json` lets a later key win, so that a duplicate is reported together with all other mistakes.
    const values = constructFromEvents(events, { source: text, maxAliases: MOST_ALIASES, json: true });
    const second = secondDocument(events);
    if (values.length > 1) {
      return { fault: { place: placeOf(second), message: 'a second document begins, must be one' } };
    }
    return { value: values[0] ?? null, ...new Outline(text, events, placeOf).lookups() };
  } catch (error) {
    return { fault: faultOf(error) };
  }
}

function faultOf(error: unknown): YamlFault {
  const first = { line: 1, column: 1 };
  if (!(error instanceof YAMLException)) {
    return {
      place: first,
      message: `cannot be read as YAML: ${error instanceof Error ? error.message : error}`,
    };
  }
  const { reason, mark } = error;
  const hint = HINTS[reason];
  return {
    place: mark === undefined ? first : { line: mark.line + 1, column: mark.column + 1 },
    message: `not valid YAML: ${withoutContent(reason)}`,
    ...(hint === undefined ? {} : { hint }),
  };
}

/** The parser quotes names and tags out of the text, which may be parts of a password: `unidentified alias "..."`. */
function withoutContent(reason: string): string {
  return reason.replace(/(?:"|!<|: ).*$/s, '').trimEnd();
}

/** What the parser's events say about places: a tree in the shape of the value. */
interface Node {
  /** Offset into the text; -1 for nothing after a colon. */
  readonly start: number;
  /** A scalar's text. */
  readonly text?: string;
  readonly entries?: Map<string, { readonly keyStart: number; readonly node: Node }>;
  readonly items?: Node[];
}

class Outline {
  readonly #text: string;
  readonly #placeOf: (offset: number) => Place;
  readonly #anchors = new Map<string, Node>();
  readonly #duplicates: { path: Path; place: Place; first: Place }[] = [];
  #root: Node = { start: 0 };

  constructor(text: string, events: readonly Event[], placeOf: (offset: number) => Place) {
    this.#text = text;
    this.#placeOf = placeOf;
    this.#read(events);
  }

  lookups(): Omit<YamlDocument, 'value'> {
    return {
      duplicates: this.#duplicates,
      valueAt: (path) => this.#placeOf(this.#find(path).valueStart),
      keyAt: (path) => this.#placeOf(this.#find(path).keyStart),
    };
  }

  #read(events: readonly Event[]): void {
    const open: { node: Node; path: Path; key?: Node | undefined }[] = [];
    for (const event of events) {
      if (event.type === EVENT_ID.DOCUMENT) open.push({ node: { start: 0 }, path: [] });
      else if (event.type === EVENT_ID.POP) open.pop();
      else {
        const parent = open.at(-1);
        if (parent === undefined) continue;
        const node = this.#node(event);
        if (open.length === 1) this.#root = node;
        const path = this.#attach(parent, node);
        if (event.type === EVENT_ID.MAPPING || event.type === EVENT_ID.SEQUENCE) open.push({ node, path });
      }
    }
  }

  #node(event: Exclude<Event, { type: typeof EVENT_ID.DOCUMENT | typeof EVENT_ID.POP }>): Node {
    const name = event.anchorStart < 0 ? undefined : this.#text.slice(event.anchorStart, event.anchorEnd);
    if (event.type === EVENT_ID.ALIAS) {
      return { ...this.#anchors.get(name ?? ''), start: event.anchorStart - '*'.length };
    }
    const node =
      event.type === EVENT_ID.SCALAR
        ? { start: scalarStart(event), text: getScalarValue(this.#text, event) }
        : {
            start: event.start,
            ...(event.type === EVENT_ID.MAPPING ? { entries: new Map() } : { items: [] }),
          };
    if (name !== undefined) this.#anchors.set(name, node);
    return node;
  }

  /** Puts `node` where it belongs in `parent` and returns its path. */
  #attach(parent: { node: Node; path: Path; key?: Node | undefined }, node: Node): Path {
    const { entries, items } = parent.node;
    if (entries === undefined) {
      items?.push(node);
      return parent.path.concat(items === undefined ? [] : items.length - 1);
    }
    const { key } = parent;
    if (key === undefined) {
      parent.key = node;
      return parent.path;
    }
    parent.key = undefined;
    const text = key.text ?? '';
    const path = [...parent.path, text];
    const earlier = entries.get(text);
    if (earlier !== undefined) {
      const [place, first] = [this.#placeOf(key.start), this.#placeOf(earlier.keyStart)];
      this.#duplicates.push({ path, place, first });
    }
    entries.set(text, { keyStart: key.start, node });
    return path;
  }

  #find(path: Path): { valueStart: number; keyStart: number } {
    let node = this.#root;
    let [valueStart, keyStart] = [node.start, node.start];
    for (const step of path) {
      const entry = node.entries?.get(String(step));
      const next = entry?.node ?? (typeof step === 'number' ? node.items?.[step] : undefined);
      if (next === undefined) break;
      keyStart = entry?.keyStart ?? next.start;
      valueStart = next.start < 0 ? keyStart : next.start;
      node = next;
    }
    return { valueStart, keyStart };
  }
}

/** The parser's offsets lie inside the quotes. */
function scalarStart({ valueStart, style }: ScalarEvent): number {
  const quoted = style === SCALAR_STYLE.SINGLE_QUOTED || style === SCALAR_STYLE.DOUBLE_QUOTED;
  return quoted ? valueStart - 1 : valueStart;
}

function secondDocument(events: readonly Event[]): number {
  const second = events.findIndex((event, index) => index > 0 && event.type === EVENT_ID.DOCUMENT);
  const content = events[second + 1];
  if (content === undefined || content.type === EVENT_ID.DOCUMENT || content.type === EVENT_ID.POP) return 0;
  if (content.type === EVENT_ID.SCALAR) return Math.max(content.valueStart, 0);
  return content.type === EVENT_ID.ALIAS ? content.anchorStart : content.start;
}

function placesIn(text: string): (offset: number) => Place {
  const starts = [0, ...Array.from(text.matchAll(/\r\n|\r|\n/g), (end) => end.index + end[0].length)];
  return (offset) => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: Math.max(offset, 0) - (starts[low] ?? 0) + 1 };
  };
}
