/** A certificate authority and what it signed, made with openssl, in a directory of its own. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { outputOf } from './process.js';

export interface Signed {
  readonly certFile: string;
  readonly keyFile: string;
}

export class CertificateAuthority {
  readonly caFile: string;
  readonly #directory: string;
  readonly #keyFile: string;

  private constructor(directory: string) {
    this.#directory = directory;
    this.caFile = join(directory, 'ca.pem');
    this.#keyFile = join(directory, 'ca.key');
  }

  static async create(): Promise<CertificateAuthority> {
    const authority = new CertificateAuthority(await mkdtemp(join(tmpdir(), 'flannelette-ca-')));
    await openssl(
      ...['req', '-x509', ...NEW_KEY, '-days', '30', '-subj', '/CN=lab authority'],
      ...['-keyout', authority.#keyFile, '-out', authority.caFile],
    );
    return authority;
  }

  /** `subjectAltName` as openssl writes it: `IP:127.0.0.1`, `DNS:etcd.lab`. Negative days: it has expired. */
  async sign(name: string, subjectAltName: string, days = 30): Promise<Signed> {
    const file = (suffix: string) => join(this.#directory, `${name}.${suffix}`);
    await openssl(
      ...['req', ...NEW_KEY, '-subj', `/CN=${name}`, '-keyout', file('key'), '-out', file('csr')],
    );
    await writeFile(file('ext'), `subjectAltName=${subjectAltName}\n`);
    await openssl(
      ...['x509', '-req', '-in', file('csr'), '-CA', this.caFile, '-CAkey', this.#keyFile, '-CAcreateserial'],
      ...['-extfile', file('ext'), '-days', String(days), '-out', file('pem')],
    );
    return { certFile: file('pem'), keyFile: file('key') };
  }

  async destroy(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'] as const;

function openssl(...args: readonly string[]): Promise<string> {
  return outputOf(['openssl', ...args]);
}
