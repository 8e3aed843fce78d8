/**
 * Docker's daemon.json as far as it is ours: three settings among the operator's own. dockerd refuses keys that it does
 * not know, so no mark of ours can stand in the file: what we wrote is kept in a record beside our own state.
 */
import { equalJson } from '../equal-json.js';
import { DOCKER_SETTINGS, type DockerSetting } from './desired-docker.js';
import { memberValues, withMember, withoutMember } from './json-members.js';

export type DockerSettings = { readonly [name in DockerSetting]?: unknown };

/** What we wrote, so that it can be told from what somebody else did. */
export interface DaemonJsonRecord {
  /** There was no such file before. */
  readonly created: boolean;
  /** The values that a setting may have from us: two while it is being changed, so that a crash in between is no puzzle. */
  readonly written: { readonly [name in DockerSetting]?: readonly unknown[] };
}

const NOTHING_WRITTEN: DaemonJsonRecord = { created: false, written: {} };

/** Throws SyntaxError when the text is no JSON object. */
export function settingsOf(text: string): DockerSettings {
  const values = memberValues(text);
  return Object.fromEntries(
    DOCKER_SETTINGS.filter((name) => values.has(name)).map((name) => [name, values.get(name)]),
  );
}

/** The settings that somebody else wrote. */
export function foreignSettings(settings: DockerSettings, { written }: DaemonJsonRecord): DockerSetting[] {
  return DOCKER_SETTINGS.filter(
    (name) => name in settings && !written[name]?.some((value) => equalJson(value, settings[name])),
  );
}

/** The operator's keys keep their order, their values and their layout. */
export function withSettings(text: string, settings: DockerSettings): string {
  return DOCKER_SETTINGS.reduce(
    (result, name) => (name in settings ? withMember(result, name, settings[name]) : result),
    text,
  );
}

export function withoutSettings(text: string, names: readonly DockerSetting[]): string {
  return names.reduce(withoutMember, text);
}

/** Whatever cannot be read as a record says that nothing was written: then nothing is ours. */
export function parseRecord(text: string | undefined): DaemonJsonRecord {
  if (text === undefined) return NOTHING_WRITTEN;
  try {
    const { created, written } = JSON.parse(text) as Partial<DaemonJsonRecord>;
    const lists = Object.entries(written ?? {}).filter(([, values]) => Array.isArray(values));
    return { created: created === true, written: Object.fromEntries(lists) };
  } catch {
    return NOTHING_WRITTEN;
  }
}

export function recordText(record: DaemonJsonRecord): string {
  return `${JSON.stringify(record)}\n`;
}
