/** Which boot and which network namespace this process lives in. */
import { readFileSync, statSync } from 'node:fs';

/** Two processes with the same answer see the same clock and the same devices. */
export function hostOrigin(): { readonly bootId: string; readonly networkNamespace: string } {
  const { dev, ino } = statSync('/proc/self/ns/net', { bigint: true });
  return {
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    networkNamespace: `${dev}:${ino}`,
  };
}
