/** Asks this host what the process may do: loaded by itself, so that its programs run while the rest is loaded. */
import { HostFirewall } from './sys/firewall/firewall.js';
import { requirePrivileges } from './sys/privileges.js';

/** Rejects with PrivilegeError naming the first one that is missing. */
export function requirePrivilegesHere(instance: string, signal: AbortSignal): Promise<void> {
  return requirePrivileges(new HostFirewall(), instance, signal);
}
