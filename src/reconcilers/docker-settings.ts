/** Our three settings in Docker's daemon.json. The file is the operator's: what they set themselves is in the way, never changed. */

import { diff, type Kind } from '../model/diff.js';
import {
  type DockerSettings,
  foreignSettings,
  parseRecord,
  recordText,
  settingsOf,
  withoutSettings,
  withSettings,
} from '../model/docker/daemon-json.js';
import { DOCKER_SETTINGS, type DockerSetting } from '../model/docker/desired-docker.js';
import { equalJson } from '../model/equal-json.js';
import { dockerSettingsKey } from '../model/keys.js';
import type { DockerSettingsState } from '../model/objects.js';
import type { Plan } from '../model/plan.js';
import type { Files } from '../ports.js';
import { asError } from '../ports.js';
import { carryOut } from './carry-out.js';
import { keptFiles } from './kept-files.js';
import { PathWatch } from './path-watch.js';
import type { Reconciler } from './reconciler.js';

const kind: Kind<DockerSettingsState> = {
  missing: ({ settings }) => `${Object.keys(settings).join(', ')} not set`,
  differences: (want, { settings, invalid }) =>
    invalid === undefined
      ? differing(want.settings, settings).map((name) => {
          const wanted = JSON.stringify(want.settings[name]);
          return name in settings
            ? `${name} ${JSON.stringify(settings[name])}, want ${wanted}`
            : `${name} is missing, want ${wanted}`;
        })
      : [`cannot be read as JSON: ${invalid}`],
};

export interface DockerSettingsPlace {
  readonly path: string;
  /** Keeps what we wrote. */
  readonly recordPath: string;
  /** Where dockerd is given the same settings as flags instead. */
  readonly flags?: string;
}

export function dockerSettingsReconciler(
  files: Files,
  place: () => DockerSettingsPlace,
): Reconciler<DockerSettingsState> {
  const watch = new PathWatch(files);
  return {
    name: 'docker-settings',
    async observe(desired) {
      const { path, recordPath, flags } = place();
      watch.follow([path]);
      const [file, record] = await Promise.all([files.read(path), files.read(recordPath)]);
      const read = tryRead(file?.content ?? '');
      const settings = read.settings;
      const foreign = foreignSettings(settings, parseRecord(record?.content));
      const isBare = Object.keys(settings).length === 0 && read.invalid === undefined;
      if (isBare && record === undefined) return [];
      const state = { path, ...read, foreign, ...(flags !== undefined && { flags }) };
      const wanted = desired.find(({ state }) => state.path === path)?.state.settings;
      return [{ key: dockerSettingsKey(path), state, ours: isOurs(state, wanted, record !== undefined) }];
    },
    diff(desired, observed): Plan<DockerSettingsState> {
      const { actions, foreign } = diff(kind, desired, observed);
      const wanted = new Set(desired.map(({ key }) => key));
      const clashes = observed.flatMap(({ key, state }) => {
        if (wanted.has(key) || state.flags === undefined || state.foreign.length === 0) return [];
        const reason = `sets ${state.foreign.join(', ')}, and so does ${state.flags}: dockerd refuses to start with both`;
        return [{ key, reason, blocks: false }];
      });
      return { actions, foreign: [...foreign, ...clashes] };
    },
    apply: (actions, signal) =>
      carryOut(actions, signal, async ({ before, after }) => {
        if (after !== undefined) await write(files, place(), after.settings, before);
        else if (before !== undefined) await takeOut(files, place(), before);
      }),
    // The file is the operator's: its layout is put back too.
    keep: (_actions, _states, noted) => keptFiles(files, [place().path, place().recordPath], noted),
    watch: (wake, signal) => watch.begin([place().path], wake, signal),
  };
}

/** Wanted: nobody else has set it otherwise. Not wanted: something of ours is left. */
function isOurs(
  { settings, foreign, invalid }: DockerSettingsState,
  wanted: DockerSettings | undefined,
  isRecorded: boolean,
): boolean {
  if (invalid !== undefined) return false;
  if (wanted === undefined) return isRecorded;
  return !differing(wanted, settings).some((name) => foreign.includes(name));
}

function differing(want: DockerSettings, have: DockerSettings): DockerSetting[] {
  return DOCKER_SETTINGS.filter((name) => name in want && !equalJson(want[name], have[name]));
}

function tryRead(text: string): { readonly settings: DockerSettings; readonly invalid?: string } {
  try {
    return { settings: settingsOf(text) };
  } catch (error) {
    return { settings: {}, invalid: asError(error).message };
  }
}

/** The record first, with the old value and the new: after a crash in between, either is known to be ours. */
async function write(
  files: Files,
  { path, recordPath }: DockerSettingsPlace,
  settings: DockerSettings,
  before: DockerSettingsState | undefined,
): Promise<void> {
  const file = await files.read(path);
  const record = parseRecord((await files.read(recordPath))?.content);
  const created = record.created || file === undefined;
  const ours = DOCKER_SETTINGS.filter((name) => name in settings && !before?.foreign.includes(name));
  const written = (values: (name: DockerSetting) => readonly unknown[]) =>
    recordText({ created, written: Object.fromEntries(ours.map((name) => [name, values(name)])) });
  const chosen = Object.fromEntries(ours.map((name) => [name, settings[name]]));

  await files.write(
    recordPath,
    written((name) => [...(record.written[name] ?? []), settings[name]]),
    0o644,
  );
  await files.write(path, withSettings(file?.content ?? '', chosen), file?.mode ?? 0o644);
  await files.write(
    recordPath,
    written((name) => [settings[name]]),
    0o644,
  );
}

async function takeOut(
  files: Files,
  { path, recordPath }: DockerSettingsPlace,
  { settings, foreign }: DockerSettingsState,
): Promise<void> {
  const file = await files.read(path);
  const { created } = parseRecord((await files.read(recordPath))?.content);
  const ours = DOCKER_SETTINGS.filter((name) => name in settings && !foreign.includes(name));
  if (file !== undefined && ours.length > 0) {
    const rest = withoutSettings(file.content, ours);
    const isEmpty = created && /^\s*\{\s*\}\s*$/.test(rest);
    if (isEmpty) await files.remove(path);
    else await files.write(path, rest, file.mode);
  }
  await files.remove(recordPath);
}
