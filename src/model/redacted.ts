/** What is written to a log, without what opens anything. */
import { SECRET_KEY } from './config-error.js';

const REDACTED = '[redacted]';

/** Plain JSON in, plain JSON out: values under the name of a secret, and passwords in URLs. Paths of files that hold one are none. */
export function redacted(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, isSecret(name, value) ? REDACTED : shown(value)]),
  );
}

function isSecret(name: string, value: unknown): boolean {
  return SECRET_KEY.test(name) && !(typeof value === 'string' && value.startsWith('/'));
}

function shown(value: unknown): unknown {
  if (typeof value === 'string') return withoutPasswords(value);
  if (Array.isArray(value)) return value.map(shown);
  return typeof value === 'object' && value !== null ? redacted(value) : value;
}

/** `http://user:secret@host`, and `--password=secret` of a command. */
function withoutPasswords(text: string): string {
  return text
    .replace(/:\/\/[^/@\s]*@/g, `://${REDACTED}@`)
    .replace(/\b(pass(?:word|wd|phrase)?|secret|token)=("[^"]*"|\S+)/gi, `$1=${REDACTED}`);
}
