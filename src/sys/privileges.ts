/** What this process may do, asked before anything is touched. */
import { readFileSync } from 'node:fs';
import { forwardChain, masqueradeTable } from '../model/traffic-rules.js';
import { type Firewall, PrivilegeError, SystemError } from '../ports.js';
import * as libc from './libc.js';
import { openTunCloneDevice, TUN_CLONE_DEVICE } from './tun.js';

const CAP_NET_ADMIN = 12; // linux/capability.h

/** Rejects with PrivilegeError naming the first thing that is missing, with the remedy. Reads only. */
export async function requirePrivileges(
  firewall: Firewall,
  instance: string,
  signal: AbortSignal,
): Promise<void> {
  requireNetAdmin();
  requireTun();
  await requireFirewall(firewall, instance, signal);
}

function requireNetAdmin(): void {
  if (hasCapability(readFileSync('/proc/self/status', 'utf8'), CAP_NET_ADMIN)) return;
  throw new PrivilegeError(
    'Cannot change devices, routes and rules: CAP_NET_ADMIN is missing; run as root, or give the process this capability',
    'CAP_NET_ADMIN',
  );
}

/** By opening it: a container may show the device and refuse it all the same (EPERM of its cgroup). */
function requireTun(): void {
  try {
    libc.close(openTunCloneDevice());
  } catch (error) {
    if (!(error instanceof SystemError || error instanceof PrivilegeError)) throw error;
    throw new PrivilegeError(error.message, TUN_CLONE_DEVICE, { cause: error });
  }
}

/** By asking for what is there: it takes the same privileges as writing. */
async function requireFirewall(firewall: Firewall, instance: string, signal: AbortSignal): Promise<void> {
  const answers = await Promise.allSettled([
    firewall.masquerade('ipv4', masqueradeTable(instance), signal),
    firewall.forward('ipv4', forwardChain(instance), signal),
  ]);
  signal.throwIfAborted();
  for (const answer of answers) {
    // Any other trouble may pass, and is told by whoever wants to write.
    if (answer.status === 'rejected' && answer.reason instanceof PrivilegeError) throw answer.reason;
  }
}

/** Whether `number` is in the effective set of a process whose `status` is as proc_pid_status(5) has it. */
export function hasCapability(status: string, number: number): boolean {
  const [, effective = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  return ((BigInt(`0x${effective}`) >> BigInt(number)) & 1n) === 1n;
}
