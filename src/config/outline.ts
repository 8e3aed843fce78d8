/** Where everything in a YAML text stands: a tree in the shape of the value, made from the parser's events. */
import { EVENT_ID, type Event, getScalarValue, SCALAR_STYLE, type ScalarEvent } from 'js-yaml';

/** Keys and list indices from the top: `['store', 'static', 'peers', 0]`. */
export type Path = readonly (string | number)[];

/** Both 1-based. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface Outline {
  /** Where the value begins; where the nearest section around it begins when it is not written. */
  valueAt(path: Path): Place;
  /** Where the key begins; the value's place in a list. */
  keyAt(path: Path): Place;
  /** How many steps of the path are written, from the top. */
  depthOf(path: Path): number;
  /** The second and later uses of a key in one section; the last one's value counts. */
  readonly duplicates: readonly { readonly path: Path; readonly place: Place; readonly first: Place }[];
}

/** `events` are the parser's for `text`, of one document. */
export function outlineOf(
  text: string,
  events: readonly Event[],
  placeOf: (offset: number) => Place,
): Outline {
  return new Reading(text, events, placeOf).outline();
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

class Reading {
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

  outline(): Outline {
    return {
      duplicates: this.#duplicates,
      valueAt: (path) => this.#placeOf(this.#find(path).valueStart),
      keyAt: (path) => this.#placeOf(this.#find(path).keyStart),
      depthOf: (path) => this.#find(path).depth,
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

  #find(path: Path): { valueStart: number; keyStart: number; depth: number } {
    let node = this.#root;
    let [valueStart, keyStart, depth] = [node.start, node.start, 0];
    for (const step of path) {
      const entry = node.entries?.get(String(step));
      const next = entry?.node ?? (typeof step === 'number' ? node.items?.[step] : undefined);
      if (next === undefined) break;
      keyStart = entry?.keyStart ?? next.start;
      valueStart = next.start < 0 ? keyStart : next.start;
      node = next;
      depth++;
    }
    return { valueStart, keyStart, depth };
  }
}

/** The parser's offsets lie inside the quotes. */
function scalarStart({ valueStart, style }: ScalarEvent): number {
  const quoted = style === SCALAR_STYLE.SINGLE_QUOTED || style === SCALAR_STYLE.DOUBLE_QUOTED;
  return quoted ? valueStart - 1 : valueStart;
}

/** Offsets into `text` as lines and columns. */
export function placesIn(text: string): (offset: number) => Place {
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
