/** What fields must be to each other. Each field by itself is right already. */
import { dockerModeOf, filesOf } from './instance-defaults.js';
import { notAllowed, type RuleMistake } from './mistake.js';
import { networkMistakes } from './network-rules.js';
import type { Path } from './outline.js';
import type { FileValues } from './schema.js';
import { serverlessMistakes, staticMistakes } from './static-rules.js';

/** `isWritten` tells a default from the same value in the file. */
export function ruleMistakes(values: FileValues, isWritten: (path: Path) => boolean): readonly RuleMistake[] {
  return [
    ...networkMistakes(values, isWritten),
    ...storeMistakes(values, isWritten),
    ...etcdMistakes(values),
    ...staticMistakes(values),
    ...filesMistakes(values, isWritten),
    ...dockerMistakes(values),
  ];
}

const ETCD = ['store', 'etcd'];
const STATIC = ['store', 'static'];

function storeMistakes(values: FileValues, isWritten: (path: Path) => boolean): RuleMistake[] {
  const { store } = values;
  if (store.static === undefined) return [];
  const mistakes: RuleMistake[] = [];
  const claim = (path: Path, message: string) => mistakes.push({ path, at: 'key', message, reads: [path] });
  if (store.etcd !== undefined) claim(STATIC, 'cannot stand beside store.etcd: must be one of the two');
  mistakes.push(...serverlessMistakes(values));
  const publish = ['network', 'publish'];
  if (isWritten(publish)) claim(publish, 'needs store.etcd: with store.static there is nowhere to publish');
  return mistakes;
}

function etcdMistakes({ store: { etcd } }: FileValues): RuleMistake[] {
  if (etcd === undefined) return [];
  const { endpoints, username, passwordFile, tls } = etcd;
  const mistakes: RuleMistake[] = [];
  const schemes = new Set(endpoints.map((endpoint) => endpoint.slice(0, endpoint.indexOf(':'))));
  const path = [...ETCD, 'endpoints'];
  if (schemes.size > 1) {
    mistakes.push({ path, at: 'value', message: 'must be all http:// or all https://', reads: [path] });
  }
  if (tls !== undefined && !schemes.has('https')) {
    const message = 'needs https:// endpoints: http:// is not encrypted';
    mistakes.push({ path: [...ETCD, 'tls'], at: 'key', message, reads: [path] });
  }
  mistakes.push(...together(ETCD, { username, passwordFile }));
  if (tls !== undefined) {
    mistakes.push(...together([...ETCD, 'tls'], { certFile: tls.certFile, keyFile: tls.keyFile }));
  }
  return mistakes;
}

/** Two keys of which one is useless without the other. */
function together(section: Path, pair: Readonly<Record<string, unknown>>): RuleMistake[] {
  const names = Object.keys(pair);
  const missing = names.filter((name) => pair[name] === undefined);
  if (missing.length !== 1) return [];
  const reads = names.map((name) => [...section, name]);
  return names
    .filter((name) => pair[name] !== undefined)
    .map((name) => ({
      path: [...section, name],
      at: 'key',
      message: `needs ${missing[0]} beside it`,
      reads,
    }));
}

/** No file may stand in another's place; of two the one that is written in the file is told. */
function filesMistakes(values: FileValues, isWritten: (path: Path) => boolean): RuleMistake[] {
  const { subnetEnv, dockerOptions } = filesOf(values);
  const places = [
    { path: ['files', 'subnetEnv'], value: subnetEnv },
    { path: ['files', 'dockerOptions'], value: dockerOptions },
    { path: ['docker', 'daemonJson'], value: values.docker.daemonJson },
  ];
  const pairs = places.flatMap((first, index) =>
    places.slice(index + 1).map((second) => [first, second] as const),
  );
  return pairs.flatMap(([first, second]) => {
    if (first.value !== second.value) return [];
    const [{ path, value }, other] = isWritten(second.path) ? [second, first] : [first, second];
    const allowed = `must be another file than ${other.path.join('.')}`;
    return [{ ...notAllowed(path, value, allowed), reads: [path, other.path] }];
  });
}

function dockerMistakes(values: FileValues): RuleMistake[] {
  if (dockerModeOf(values) !== 'off' || values.docker.onChange === undefined) return [];
  const [mode, path] = [
    ['docker', 'mode'],
    ['docker', 'onChange'],
  ];
  const message = 'needs docker.mode options-file or daemon-json: with off nobody watches the bridge';
  return [{ path, at: 'key', message, reads: [mode, path] }];
}
