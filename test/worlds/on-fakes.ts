/** Puts a world onto a host of fakes, as others would have made it: nothing of it counts as written by us. */
import { parsePrefix } from '../../src/model/address.js';
import { masqueradeRules } from '../../src/model/traffic-rules.js';
import type { FakeFirewall } from '../fakes/fake-firewall.js';
import type { FakeHost } from '../fakes/fake-host.js';
import type { FakeKernel } from '../fakes/fake-kernel.js';
import { type ChainThere, kernelThing, type TableThere, type World } from './world.js';

const NEVER = new AbortController().signal;
const LEASE_TTL_SECONDS = 86_400;

export async function putOnFakes(
  { kernel, firewall, files, store }: FakeHost,
  { kernel: lines, tables, chains, files: filesThere, store: entries }: World,
): Promise<void> {
  for (const line of lines) putLine(kernel, line);
  for (const table of tables) await putTable(firewall, table);
  for (const chain of chains) await putChain(firewall, chain);
  for (const { path, content, mode = '0644' } of filesThere) {
    files.edit(path, content);
    files.chmod(path, Number.parseInt(mode, 8));
  }
  for (const { key, value, leased = false } of entries) {
    await store.put(key, value, leased ? await store.grantLease(LEASE_TTL_SECONDS, NEVER) : '0');
  }
}

function putLine(kernel: FakeKernel, line: string): void {
  const thing = kernelThing(line);
  switch (thing.what) {
    case 'link': {
      const { what: _, multiQueue, carrier, vxlan, ...link } = thing;
      const isTun = link.kind === 'tun';
      const tun = { mode: 'tun', persist: true, multiQueue } as const;
      // A new device leaves the checksums of what is wrapped to the hardware.
      const made = vxlan && { vxlan: { txChecksumOffload: true, ...vxlan } };
      kernel.addLink({ ...link, carrier, ...made, ...(isTun && { tun }) });
      break;
    }
    case 'neighbour': {
      const { what: _, ...entry } = thing;
      kernel.foreign({ op: 'replace-neighbour', ...entry });
      break;
    }
    case 'fdb': {
      const { what: _, ...entry } = thing;
      kernel.foreign({ op: 'replace-fdb', ...entry });
      break;
    }
    case 'address': {
      const { what: _, ...address } = thing;
      kernel.foreign({ op: 'add-address', ...address });
      break;
    }
    case 'route': {
      const { what: _, ...route } = thing;
      kernel.addRoute(route);
      break;
    }
    case 'sysctl':
      kernel.setSysctl(thing);
      break;
    default:
      thing satisfies never;
  }
}

async function putTable(firewall: FakeFirewall, { table, network, subnet, foreignRule }: TableThere) {
  const rules = masqueradeRules(parsePrefix(network), parsePrefix(subnet));
  await firewall.replaceMasquerade({ family: 'ipv4', table, rules, unreadable: [] }, NEVER);
  if (foreignRule === true) firewall.addNatRule('ipv4', table);
}

async function putChain(
  firewall: FakeFirewall,
  { chain, network, by, jump = true, foreignRule }: ChainThere,
) {
  const accept = [parsePrefix(network)];
  if (by === 'flanneld') firewall.makeFlanneldChain(chain, parsePrefix(network));
  else await firewall.replaceForward({ family: 'ipv4', chain, accept, jump, unreadable: [] }, NEVER);
  if (foreignRule === true) firewall.addForwardRule('ipv4', chain);
}
