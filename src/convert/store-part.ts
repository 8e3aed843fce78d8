/** flanneld's etcd flags → store.etcd. */
import { fieldRefusal } from '../config/field-refusal.js';
import type { Given } from './command-line.js';
import { flagNamed } from './flanneld-flags.js';
import type { Options } from './given-options.js';
import { InputError, idle, joined, line, lineOrLost, lost, type Part } from './part.js';

const ETCD = ['store', 'etcd'];
const TLS = [...ETCD, 'tls'];
const PASSWORD_FILE = '/etc/flannelette/etcd-password';

/** Throws InputError when no usable etcd or prefix is left: with the default instead, this would be another network. */
export function storePart(options: Options): Part {
  const endpoints = endpointsOf(options);
  return joined(endpoints.part, prefixPart(options), loginPart(options), tlsPart(options, endpoints.scheme));
}

type Scheme = 'http' | 'https';

function endpointsOf(options: Options): { readonly part: Part; readonly scheme: Scheme } {
  const given = options.value('etcd-endpoints');
  const value = given?.value ?? flagNamed('etcd-endpoints')?.default ?? '';
  const bareScheme = isPair(options) ? 'https' : 'http';
  const judged = value.split(',').map((text) => judgedEndpoint(text.trim(), bareScheme));
  const usable = judged.flatMap(({ url, refused }) => (refused === undefined ? [url] : []));
  const scheme = schemeOf(usable[0]);
  const from = given?.origin ?? "flanneld's default";
  const notes = judged.flatMap(({ url, refused, hadPassword }, index) => {
    const what = `${from}, number ${index + 1}`;
    const wrong =
      refused ?? (schemeOf(url) === scheme ? undefined : `all must be ${scheme}:// as the first is`);
    return [
      ...(wrong === undefined ? [] : [lost(what, wrong)]),
      ...(hadPassword
        ? [lost(what, 'a login in a URL is not supported: name store.etcd.username and passwordFile')]
        : []),
    ];
  });
  const endpoints = usable.filter((url) => schemeOf(url) === scheme);
  if (endpoints.length === 0)
    throw new InputError(given?.place ?? '', `-etcd-endpoints ${judged[0]?.refused}`);
  const isOld = endpoints.some((url) => url.endsWith(':4001'));
  const comment = isOld ? `${from}; 4001 was the port of etcd's v2 API, which is not supported` : from;
  return { part: joined(line([...ETCD, 'endpoints'], endpoints, comment), ...notes), scheme };
}

/** flanneld's client takes HOST:PORT too, and a login that it ignores. */
function judgedEndpoint(
  text: string,
  bareScheme: Scheme,
): { readonly url: string; readonly refused: string | undefined; readonly hadPassword: boolean } {
  const withScheme = text.includes('://') ? text : `${bareScheme}://${text}`;
  const url = withScheme.replace(/:\/\/[^/]*@/, '://');
  return {
    url,
    refused: fieldRefusal([...ETCD, 'endpoints', 0], url),
    hadPassword: url !== withScheme,
  };
}

function schemeOf(url: string | undefined): Scheme {
  return url?.startsWith('https:') ? 'https' : 'http';
}

function prefixPart(options: Options): Part {
  const given = options.value('etcd-prefix');
  const path = [...ETCD, 'prefix'];
  if (given === undefined) return line(path, flagNamed('etcd-prefix')?.default ?? '', "flanneld's default");
  const refused = fieldRefusal(path, given.value);
  if (refused !== undefined) throw new InputError(given.place, `-etcd-prefix ${refused}`);
  return line(path, given.value, given.origin);
}

/** The password itself goes nowhere. */
function loginPart(options: Options): Part {
  const [username, password] = [written(options, 'etcd-username'), written(options, 'etcd-password')];
  if (username === undefined && password === undefined) return joined();
  if (username === undefined || password === undefined) {
    const alone = (username ?? password)?.origin ?? '';
    return idle(alone, 'flanneld logs in only with user name and password both');
  }
  return joined(
    lineOrLost([...ETCD, 'username'], username.value, username.origin),
    line([...ETCD, 'passwordFile'], PASSWORD_FILE, `${password.origin}: write the password there`),
    lost(
      password.origin,
      `a password does not stand in the file: write it to ${PASSWORD_FILE}, readable by root alone (chmod 600)`,
    ),
  );
}

function tlsPart(options: Options, scheme: Scheme): Part {
  const files = [
    ['etcd-cafile', 'caFile'],
    ['etcd-certfile', 'certFile'],
    ['etcd-keyfile', 'keyFile'],
  ] as const;
  const parts = files.map(([flag, key]) => {
    const given = written(options, flag);
    if (given === undefined) return joined();
    if (key !== 'caFile' && !isPair(options)) {
      return idle(given.origin, 'flanneld takes no notice of certificate or key alone');
    }
    if (scheme === 'http')
      return lost(given.origin, 'needs https:// endpoints: write them so if etcd serves TLS');
    const isIgnored = key === 'caFile' && !isPair(options);
    const from = isIgnored
      ? `${given.origin}; flanneld ignores it without a certificate and a key`
      : given.origin;
    return lineOrLost([...TLS, key], given.value, from);
  });
  return wholePair(joined(...parts));
}

/** flanneld encrypts with its own certificate or not at all. */
function isPair(options: Options): boolean {
  return written(options, 'etcd-certfile') !== undefined && written(options, 'etcd-keyfile') !== undefined;
}

/** Of certificate and key, one is useless when the other was refused. */
function wholePair(part: Part): Part {
  const pair = part.lines.filter(({ path }) => path.at(-1) !== 'caFile');
  if (pair.length !== 1) return part;
  const notes = pair.map(({ from }) =>
    lost(from, 'needs certificate and key both, and the other cannot be taken'),
  );
  return joined({ lines: part.lines.filter((line) => !pair.includes(line)), notes: part.notes }, ...notes);
}

/** Empty is as if it were not given. */
function written(options: Options, flag: string): Given | undefined {
  const given = options.value(flag);
  return given?.value === '' ? undefined : given;
}
