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
  const isDenied = /Operation not permitted|Permission denied/.test(output.stderr);
  return isDenied ? new PrivilegeError(refusal(action, output), 'CAP_NET_ADMIN') : undefined;
}

function refusal(action: string, { code, stderr }: ProgramOutput): string {
  return `Cannot ${action}: ${stderr.trim() || `exit code ${code}`}`;
}
