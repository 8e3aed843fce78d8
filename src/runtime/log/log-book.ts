/**
 * The daemon's log: how much each loop says, which can be changed while it runs; what says the same again and again, said
 * once a minute; no secret in any line.
 */
import { redacted } from '../../model/redacted.js';
import type { Clock, Log } from '../../ports.js';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** In place of a loop's name. */
export const ALL_LOOPS = 'all';

type Saying = Exclude<LogLevel, 'silent'>;

const USUAL: LogLevel = 'info';
const FOLD_MS = 60_000;
/** Whose text differs each time folds nothing: the oldest are forgotten. */
const MOST_REMEMBERED = 256;

interface Said {
  readonly atMs: number;
  /** How often it was kept back since. */
  folded: number;
}

export class LogBook {
  readonly #sink: Log;
  readonly #clock: Clock;
  readonly #levels = new Map<string, LogLevel>();
  /** By loop, what it has warned of since its last news. */
  readonly #said = new Map<string, Map<string, Said>>();

  /** `loops` are all there are; `sink` writes whatever it is given. */
  constructor(sink: Log, clock: Clock, loops: readonly string[]) {
    this.#sink = sink;
    this.#clock = clock;
    for (const loop of loops) this.#levels.set(loop, USUAL);
  }

  /** The log of one loop; a line that names another one, or a `kind`, is that one's. */
  of(loop: string): Log {
    const say = (level: Saying) => (fields: object, message: string) =>
      this.#say(loop, level, fields, message);
    return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
  }

  levels(): Readonly<Record<string, LogLevel>> {
    return Object.fromEntries(this.#levels);
  }

  /** False when there is no such loop. */
  setLevel(loop: string, level: LogLevel): boolean {
    const names = loop === ALL_LOOPS ? [...this.#levels.keys()] : [loop];
    if (!names.every((name) => this.#levels.has(name))) return false;
    for (const name of names) this.#levels.set(name, level);
    return true;
  }

  #say(loop: string, level: Saying, fields: object, message: string): void {
    const name = nameIn(fields) ?? loop;
    const least = this.#levels.get(name) ?? this.#levels.get(loop) ?? USUAL;
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(least)) return;
    const line = redacted(fields);
    // After news a warning is news again: what was over has begun anew.
    if (level === 'info') this.#said.delete(name);
    const folded = level === 'warn' || level === 'error' ? this.#fold(name, level, line, message) : 0;
    if (folded === undefined) return;
    this.#sink[level]({ loop: name, ...line, ...(folded > 0 && { folded }) }, message);
  }

  /** How many of the same were kept back before this one, or undefined to keep this one back too. Counters do not make another line. */
  #fold(name: string, level: Saying, line: object, message: string): number | undefined {
    const lasting = Object.entries(line).filter(([, value]) => typeof value !== 'number');
    const identity = JSON.stringify([level, message, lasting]);
    const nowMs = this.#clock.boottimeMs();
    const said = this.#said.get(name) ?? new Map<string, Said>();
    this.#said.set(name, said);
    const before = said.get(identity);
    if (before !== undefined && nowMs - before.atMs < FOLD_MS) {
      before.folded++;
      return undefined;
    }
    said.delete(identity);
    said.set(identity, { atMs: nowMs, folded: 0 });
    const [oldest = ''] = said.keys();
    if (said.size > MOST_REMEMBERED) said.delete(oldest);
    return before?.folded ?? 0;
  }
}

/** Names the loop in each line, for whoever is between it and the book. */
export function loopLog(log: Log, loop: string): Log {
  return {
    debug: (fields, message) => log.debug({ loop, ...fields }, message),
    info: (fields, message) => log.info({ loop, ...fields }, message),
    warn: (fields, message) => log.warn({ loop, ...fields }, message),
    error: (fields, message) => log.error({ loop, ...fields }, message),
  };
}

function nameIn(fields: { readonly loop?: unknown; readonly kind?: unknown }): string | undefined {
  return [fields.kind, fields.loop].find((name) => typeof name === 'string');
}
