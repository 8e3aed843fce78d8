/** When the store last confirmed what this host goes by, kept on tmpfs for the next process: it forwards before it can ask. */
import type { Config } from '../../model/config.js';
import type { Clock, Files } from '../../ports.js';

/** A lease lasts as long: after that another host may have this one's subnet. */
export const KEPT_MS = 86_400_000;

/** Holds one number: milliseconds on CLOCK_BOOTTIME, which it does not outlive. */
export function confirmationPath({ instance }: Config): string {
  return `${instance.runtimeDirectory}/${instance.name}.confirmed`;
}

export function confirm(path: string, confirmedMs: number, files: Files): Promise<void> {
  return files.write(path, `${Math.round(confirmedMs)}\n`, 0o600);
}

/** True too where nothing is on record: a list of peers in the file needs nobody to confirm it. Never rejects. */
export async function isConfirmed(path: string, files: Files, clock: Clock): Promise<boolean> {
  const record = await files.read(path).catch(() => undefined);
  return record === undefined || clock.boottimeMs() - Number(record.content) <= KEPT_MS;
}
