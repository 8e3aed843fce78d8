/** What it means that a firewall program refused. */
import { ObserveError, PrivilegeError, SystemError } from '../../ports.js';
import type { ProgramOutput } from '../run-program.js';

/** `action` reads after "Cannot": `list table ip flannelette-flannel0`. */
export function readError(action: string, output: ProgramOutput): ObserveError | PrivilegeError {
  return privilegeError(action, output) ?? new ObserveError(refusal(action, output));
}

export function writeError(action: string, output: ProgramOutput): SystemError | PrivilegeError {
  return privilegeError(action, output) ?? new SystemError(refusal(action, output), 'EINVAL');
}

function privilegeError(action: string, output: ProgramOutput): PrivilegeError | undefined {
  if (!/Operation not permitted|Permission denied|Read-only file system/.test(output.stderr))
    return undefined;
  const missing = missingPrivilege(output.stderr);
  return new PrivilegeError(`${refusal(action, output)}: needs ${missing}`, missing);
}

/** The legacy programs take a lock file that belongs to root, and work through a raw socket. */
function missingPrivilege(stderr: string): string {
  const lock = /\/\S+\.lock\b/.exec(stderr)?.[0];
  if (lock !== undefined) return `write access to ${lock}`;
  return stderr.includes('(legacy)') ? 'CAP_NET_ADMIN and CAP_NET_RAW' : 'CAP_NET_ADMIN';
}

function refusal(action: string, { code, stderr }: ProgramOutput): string {
  return `Cannot ${action}: ${stderr.trim() || `exit code ${code}`}`;
}
