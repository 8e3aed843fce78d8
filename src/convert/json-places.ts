/** Where things stand in a JSON text: what JSON.parse does not tell. */

/** Offsets into the text. */
export interface JsonPlaces {
  /** Where it stops being JSON; undefined when all of it is. */
  readonly fault?: number;
  /** Where the value of a field begins, whatever the case of its name; of several the last one's. */
  valueAt(path: readonly string[]): number | undefined;
}

const BLANK = /[ \t\n\r]*/y;
const STRING = /"(?:[ !#-[\]-\u{10ffff}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;
const OTHER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
/** flannel's own are two levels deep. */
const MOST_LEVELS = 32;

export function jsonPlaces(text: string): JsonPlaces {
  const places = new Map<string, number>();
  const scan = new Scan(text, places);
  const fault = scan.document();
  const valueAt = (path: readonly string[]) => places.get(keyOf(path));
  return fault === undefined ? { valueAt } : { fault, valueAt };
}

function keyOf(path: readonly string[]): string {
  return JSON.stringify(path.map((name) => name.toLowerCase()));
}

class Fault extends Error {}

class Scan {
  readonly #text: string;
  readonly #places: Map<string, number>;
  #at = 0;

  constructor(text: string, places: Map<string, number>) {
    this.#text = text;
    this.#places = places;
  }

  document(): number | undefined {
    try {
      this.#value([]);
      this.#take(BLANK);
      return this.#at === this.#text.length ? undefined : this.#at;
    } catch (error) {
      if (error instanceof Fault) return this.#at;
      throw error;
    }
  }

  #value(path: readonly string[]): void {
    this.#take(BLANK);
    this.#places.set(keyOf(path), this.#at);
    if (path.length > MOST_LEVELS) throw new Fault();
    if (this.#isNext('{')) this.#object(path);
    else if (this.#isNext('[')) this.#list(path);
    else this.#required(this.#take(STRING) ?? this.#take(OTHER));
  }

  #object(path: readonly string[]): void {
    if (this.#isNext('}')) return;
    do {
      this.#take(BLANK);
      const name = this.#required(this.#take(STRING));
      this.#require(':');
      this.#value([...path, JSON.parse(name) as string]);
    } while (this.#isNext(','));
    this.#require('}');
  }

  #list(path: readonly string[]): void {
    if (this.#isNext(']')) return;
    do this.#value([...path, '']);
    while (this.#isNext(','));
    this.#require(']');
  }

  #isNext(character: string): boolean {
    this.#take(BLANK);
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #require(character: string): void {
    if (!this.#isNext(character)) throw new Fault();
  }

  #required(token: string | undefined): string {
    if (token === undefined) throw new Fault();
    return token;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const token = pattern.exec(this.#text)?.[0];
    this.#at += token?.length ?? 0;
    return token;
  }
}
