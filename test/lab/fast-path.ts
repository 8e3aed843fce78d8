/** What the kernel of a host knows of the fast path. */
import koffi from 'koffi';
import { linkIndex } from '../../src/sys/packet-devices.js';
import type { Holder } from './holder.js';
import { inNamespaceOf } from './namespace.js';

const syscall = koffi
  .load('libc.so.6')
  .func('long syscall(long number, int command, _Inout_ void *attributes, uint32_t bytes)');
const SYS_BPF = process.arch === 'arm64' ? 280 : 321;
const PROG_QUERY = 16;
const ATTACH_TYPE = { ingress: 46, egress: 47 } as const; // BPF_TCX_INGRESS, BPF_TCX_EGRESS
const QUERY_BYTES = 64;
const COUNT_AT = 24;

/** How many programs are attached there, by whomever. Rejects when there is no such link. */
export function programsAt(host: Holder, link: string, where: keyof typeof ATTACH_TYPE): Promise<number> {
  return inNamespaceOf(host.pid, async () => {
    const query = new DataView(new ArrayBuffer(QUERY_BYTES));
    query.setUint32(0, linkIndex(link), true);
    query.setUint32(4, ATTACH_TYPE[where], true);
    if (Number(syscall(SYS_BPF, PROG_QUERY, new Uint8Array(query.buffer), QUERY_BYTES)) < 0)
      throw new Error(`Cannot ask for programs at ${link}: errno ${koffi.errno()}`);
    return query.getUint32(COUNT_AT, true);
  });
}

/** Packets that came to the loop since the device was made. */
export async function takenByLoop(host: Pick<Holder, 'output'>): Promise<number> {
  const [link] = JSON.parse(await host.output(['ip', '-s', '-j', 'link', 'show', 'flannel0']));
  return link.stats64.tx.packets;
}
