/** Who held what by etcd, and since when: what the hosts can be held to. */
import type { HeldSubnet } from './expected-host.js';
import type { Ownership, PeerHistory } from './invariants.js';

export class Holdings {
  /** Subnet → who holds it now. */
  readonly owners = new Map<string, Ownership>();
  /** `subnet publicIp` → since when etcd holds it. */
  #heldSince = new Map<string, number>();
  /** `subnet publicIp` → when another history of etcd began that does not have it; it has not come back, and nobody else is there. */
  readonly #lost = new Map<string, number>();

  /** `isNewHistory`: etcd was wiped or restored just now. */
  update(held: readonly HeldSubnet[], isNewHistory: boolean, nowMs: number): void {
    const before = this.#heldSince;
    this.#heldSince = new Map();
    for (const { subnet, publicIp } of held) {
      const name = nameOf(subnet, publicIp);
      this.#heldSince.set(name, before.get(name) ?? nowMs);
      if (this.owners.get(subnet)?.publicIp !== publicIp)
        this.owners.set(subnet, { publicIp, sinceMs: nowMs });
    }
    const subnets = new Set(held.map(({ subnet }) => subnet));
    for (const subnet of this.owners.keys()) if (!subnets.has(subnet)) this.owners.delete(subnet);
    if (isNewHistory) for (const name of before.keys()) this.#lost.set(name, nowMs);
    for (const name of this.#lost.keys()) if (subnets.has(name.split(' ')[0] ?? '')) this.#lost.delete(name);
  }

  /** Of a peer that a host took up at `takenUpMs`. */
  history(subnet: string, publicIp: string, takenUpMs: number, nowMs: number): PeerHistory {
    const name = nameOf(subnet, publicIp);
    const since = this.#heldSince.get(name);
    const lostMs = this.#lost.get(name);
    return {
      absentAtMs: since === undefined ? nowMs : since >= takenUpMs ? since : undefined,
      lostMs: lostMs !== undefined && lostMs > takenUpMs ? lostMs : undefined,
    };
  }
}

function nameOf(subnet: string, publicIp: string): string {
  return `${subnet} ${publicIp}`;
}
