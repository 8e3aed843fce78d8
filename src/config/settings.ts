/** `--set key=value`: single values from the command line, as one more text of the file with a line for each. */

import type { ConfigPart } from './layers.js';
import type { Path } from './outline.js';
import { readYaml, type YamlDocument, type YamlFault } from './yaml.js';

/** What the operator calls it. */
export const SETTINGS_FILE = '--set';

/** Later than every file. None for no settings. */
export function settingsPart(settings: readonly string[]): readonly ConfigPart[] {
  // A line feed in a value would shift the lines that follow: no value needs one.
  const lines = settings.map((setting) => setting.replace(/[\r\n]+/g, ' '));
  return settings.length === 0 ? [] : [{ file: SETTINGS_FILE, text: lines.join('\n') }];
}

interface Setting {
  readonly path: Path;
  readonly line: number;
  /** 1-based, of the value. */
  readonly column: number;
}

/** Never throws. `store.etcd.endpoints=[http://a:2379]`: the value is YAML, and may not be left out. */
export function readSettings(text: string): YamlDocument | { readonly fault: YamlFault } {
  const settings: Setting[] = [];
  let value: Readonly<Record<string, unknown>> = {};
  for (const [index, argument] of text.split('\n').entries()) {
    const line = index + 1;
    const [, key = '', written] = /^([A-Za-z]\w*(?:\.[A-Za-z]\w*)*)=(.*)$/.exec(argument) ?? [];
    if (written === undefined || written.trim() === '') {
      const message = 'is no setting: must be key=value, such as network.mtu=1400';
      return { fault: { place: { line, column: 1 }, message } };
    }
    const column = key.length + 2;
    const document = readYaml(written);
    if ('fault' in document) {
      const { place, ...fault } = document.fault;
      return { fault: { ...fault, place: { line, column: column + place.column - 1 } } };
    }
    const path = key.split('.');
    settings.push({ path, line, column });
    value = withValue(value, path, document.value);
  }
  return { value, ...outline(settings) };
}

/** What was set before in the same section stays. */
function withValue(
  section: Readonly<Record<string, unknown>>,
  [key = '', ...rest]: readonly string[],
  value: unknown,
): Readonly<Record<string, unknown>> {
  if (rest.length === 0) return { ...section, [key]: value };
  const inner = Object.hasOwn(section, key) ? section[key] : undefined;
  const below =
    typeof inner === 'object' && inner !== null ? (inner as Readonly<Record<string, unknown>>) : {};
  return { ...section, [key]: withValue(below, rest, value) };
}

function outline(settings: readonly Setting[]): Omit<YamlDocument, 'value'> {
  const shared = (left: Path, right: Path) => {
    const differs = left.findIndex((step, index) => step !== right[index]);
    return differs === -1 ? left.length : differs;
  };
  /** The last one that says most of `path`. */
  const nearest = (path: Path) => {
    const depths = settings.map((setting) => shared(path, setting.path));
    return settings[depths.lastIndexOf(Math.max(...depths))] ?? { path: [], line: 1, column: 1 };
  };
  return {
    duplicates: [],
    depthOf: (path) => Math.max(0, ...settings.map((setting) => shared(path, setting.path))),
    valueAt: (path) => ({ line: nearest(path).line, column: nearest(path).column }),
    keyAt: (path) => ({ line: nearest(path).line, column: 1 }),
  };
}
