/** Tells when the files that a connection shows or trusts have been exchanged for others that work. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EtcdStoreSection } from '../../model/config.js';
import { watchPaths } from '../file-watch.js';
import type { Endpoints } from './endpoints.js';

/** A certificate and its key are written one after the other. */
const SETTLED_MS = 300;
const RETRY_MS = 2_000;
const RETRIES = 3;
const POLL_MS = 10_000;

/**
 * Calls `onRenewed` once a client with the new files has had an answer, until `signal` aborts; while they do not work
 * those in use stay. Where the file names none this does nothing.
 */
export function watchCredentials(
  section: EtcdStoreSection,
  endpoints: Endpoints,
  onRenewed: () => void,
  signal: AbortSignal,
): void {
  const paths = credentialFiles(section);
  if (paths.length === 0) return;
  let changes = 0;
  const wake = () => void renew(++changes);
  async function renew(change: number): Promise<void> {
    const isOver = () => signal.aborted || change !== changes;
    for (let attempt = 0; attempt <= RETRIES; attempt++) {
      await sleep(attempt === 0 ? SETTLED_MS : RETRY_MS);
      if (isOver()) return;
      if (!(await doTheyServe(endpoints))) continue;
      if (!isOver()) onRenewed();
      return;
    }
  }
  watchPaths(paths, wake, signal, POLL_MS);
}

function credentialFiles({ tls, passwordFile }: EtcdStoreSection): readonly string[] {
  return [tls?.caFile, tls?.certFile, tls?.keyFile, passwordFile].filter((path) => path !== undefined);
}

async function doTheyServe(endpoints: Endpoints): Promise<boolean> {
  try {
    const client = await endpoints.open();
    try {
      await client.maintenance.status();
      return true;
    } finally {
      client.close();
    }
  } catch {
    return false;
  }
}
