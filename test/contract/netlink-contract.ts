/** What every kernel does behind Netlink, Tuns and Sysctls: over the fake in test/unit, over Linux in test/kernel. */
import { kernelEventContract } from './kernel-event-contract.js';
import type { WithKernel } from './kernel-world.js';
import { linkContract } from './link-contract.js';
import { routeContract } from './route-contract.js';
import { sysctlContract } from './sysctl-contract.js';
import { vxlanContract } from './vxlan-contract.js';

export function netlinkContract(implementation: string, withKernel: WithKernel): void {
  linkContract(implementation, withKernel);
  routeContract(implementation, withKernel);
  vxlanContract(implementation, withKernel);
  kernelEventContract(implementation, withKernel);
  sysctlContract(implementation, withKernel);
}
