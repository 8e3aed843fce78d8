/** YAML text → one value and the place of everything in it. Knows YAML, not the configuration. */
import { constructFromEvents, EVENT_ID, type Event, parseEvents, YAMLException } from 'js-yaml';
import { type Outline, outlineOf, type Place, placesIn } from './outline.js';

export interface YamlFault {
  readonly place: Place;
  readonly message: string;
  readonly hint?: string;
}

export interface YamlDocument extends Outline {
  /** Plain objects, lists, strings, numbers, booleans and null. Aliases share objects, so it may be cyclic. */
  readonly value: unknown;
}

/**
 * Parsing and checking take up to 2 ms a KiB on a small machine: the bound keeps any file, however built,
 * under 100 ms. It has room for 500 static peers; who has more wants a server.
 */
export const LONGEST_FILE = 32 * 1024;

/** The file's own sections are four deep. */
const MOST_NESTED = 16;
/** Sharing a peer list or an endpoint is fine; reading a shared value costs as much as a copy. */
const MOST_ALIASES = 32;

/** What to look for when the parser's own words say where but not why. */
const HINTS: Readonly<Record<string, string>> = {
  'bad indentation of a mapping entry':
    'a key ends with a colon and a space, the keys of a section start in one column, text that holds ": " needs quotes',
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
    return { value: values[0] ?? null, ...outlineOf(text, events, placeOf) };
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

function secondDocument(events: readonly Event[]): number {
  const second = events.findIndex((event, index) => index > 0 && event.type === EVENT_ID.DOCUMENT);
  const content = events[second + 1];
  if (content === undefined || content.type === EVENT_ID.DOCUMENT || content.type === EVENT_ID.POP) return 0;
  if (content.type === EVENT_ID.SCALAR) return Math.max(content.valueStart, 0);
  return content.type === EVENT_ID.ALIAS ? content.anchorStart : content.start;
}
