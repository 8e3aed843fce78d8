/** What this process may do, asked before anything is touched. */
import { existsSync, readFileSync } from 'node:fs';
import { PrivilegeError } from '../ports.js';
import { TUN_CLONE_DEVICE } from './tun.js';

const CAP_NET_ADMIN = 12; // linux/capability.h

/** Throws PrivilegeError naming the first thing that is missing, with the remedy. */
export function requireNetworkPrivileges(): void {
  if (!hasCapability(CAP_NET_ADMIN)) {
    throw new PrivilegeError(
      'Cannot change devices, routes and rules: CAP_NET_ADMIN is missing; run as root, or give the process this capability',
      'CAP_NET_ADMIN',
    );
  }
  if (!existsSync(TUN_CLONE_DEVICE)) {
    throw new PrivilegeError(
      `Cannot make a TUN device: ${TUN_CLONE_DEVICE} is missing; load the kernel module tun, or pass the device into the container`,
      TUN_CLONE_DEVICE,
    );
  }
}

/** Of the effective set (proc_pid_status(5), CapEff). */
function hasCapability(number: number): boolean {
  const [, effective = '0'] =
    /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return ((BigInt(`0x${effective}`) >> BigInt(number)) & 1n) === 1n;
}
