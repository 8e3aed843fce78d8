/** What an etcd server shows to whoever connects: read only to tell people why it is not trusted. */
import { connect, type PeerCertificate } from 'node:tls';

const ANSWER_MS = 1_000;

/** In words, without a dot; undefined when the server shows none in time. Trusts nothing and sends nothing. */
export function shownCertificate(endpoint: string): Promise<string | undefined> {
  const { hostname, port } = new URL(endpoint);
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port: Number(port || 443),
      rejectUnauthorized: false,
      timeout: ANSWER_MS,
    });
    const end = (text: string | undefined) => {
      socket.destroy();
      resolve(text);
    };
    socket.once('secureConnect', () => end(inWords(socket.getPeerCertificate())));
    socket.once('timeout', () => end(undefined));
    // Heard for ever: one more may come after the first.
    socket.on('error', () => end(undefined));
  });
}

function inWords({
  subject,
  issuer,
  subjectaltname,
  valid_from,
  valid_to,
}: PeerCertificate): string | undefined {
  if (valid_to === undefined) return undefined;
  const names = subjectaltname === undefined ? 'no name at all' : printable(subjectaltname);
  return `of "${name(subject)}" for ${names}, signed by "${name(issuer)}", valid from ${date(valid_from)} to ${date(valid_to)}`;
}

function name(part: PeerCertificate['subject'] | undefined): string {
  return printable([part?.CN ?? part?.O ?? ''].flat().join(' '));
}

/** RFC 3339; a date that cannot be read stays as it is. */
function date(text: string): string {
  const time = Date.parse(text);
  return Number.isNaN(time) ? printable(text) : new Date(time).toISOString().replace('.000Z', 'Z');
}

/** Whoever answers at that address wrote it. */
function printable(text: string): string {
  return text.replace(/[^ -~]/g, '?').slice(0, 200);
}
