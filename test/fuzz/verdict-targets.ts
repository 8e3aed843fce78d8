/** dataplane/verdict.ts against its slow model. */
import assert from 'node:assert/strict';
import { DROP_REASONS } from '../../src/dataplane/drop-reason.js';
import { PeerTable } from '../../src/dataplane/peer-table.js';
import {
  ANSWER,
  answerOf,
  dropOf,
  rowOf,
  verdictFromNetwork,
  verdictFromTun,
} from '../../src/dataplane/verdict.js';
import { Chance } from './chance.js';
import { PacketPool, someAddress } from './packets.js';
import type { FuzzTarget } from './target.js';
import {
  type ModelPeer,
  type ModelRules,
  type ModelVerdict,
  modelFromNetwork,
  modelFromTun,
} from './verdict-model.js';

const address = (a: number, b: number, c: number, d: number) => ((a * 256 + b) * 256 + c) * 256 + d;
const [OWN, PEER, OTHER, THIRD] = [11, 12, 13, 200].map((last) => address(198, 18, 0, last)) as [
  number,
  number,
  number,
  number,
];
const PORT = 8285;
const CHECKS = ['strict', 'peer', 'off'] as const;
const RULES: Omit<ModelRules, 'sourceCheck'> = {
  mtu: 100,
  subnetBase: address(10, 1, 40, 0),
  subnetLength: 24,
  publicIp: OWN,
  bindAddress: address(192, 168, 7, 11),
  port: PORT,
};
/** Subnets inside each other, two of one host, one beyond 2^31, one of a single bit. */
const PEERS: readonly ModelPeer[] = [
  { base: address(10, 1, 63, 0), length: 24, publicIp: PEER, port: PORT },
  { base: address(10, 1, 64, 0), length: 18, publicIp: OTHER, port: PORT },
  { base: address(10, 1, 64, 0), length: 24, publicIp: PEER, port: PORT },
  { base: address(223, 1, 2, 0), length: 30, publicIp: THIRD, port: 8286 },
  { base: address(128, 0, 0, 0), length: 2, publicIp: OTHER, port: 8286 },
];
const BASES = [...PEERS.map(({ base }) => base), RULES.subnetBase, OWN, PEER, OTHER];

const table = new PeerTable();
for (const [row, { base, length, publicIp, port }] of PEERS.entries()) {
  table.set(row, { subnetBase: base | 0, subnetLength: length, publicIp: publicIp | 0, port });
}

function fastRules(sourceCheck: ModelRules['sourceCheck']) {
  const { mtu, port } = RULES;
  return {
    mtu,
    port,
    sourceCheck,
    tunAddress: RULES.subnetBase | 0,
    subnetBase: RULES.subnetBase | 0,
    subnetMask: -256,
    publicIp: RULES.publicIp | 0,
    bindAddress: RULES.bindAddress | 0,
  };
}

/** Their names by number. */
const ANSWERS = Object.entries(ANSWER)
  .sort(([, left], [, right]) => left - right)
  .map(([name]) => name);

function agree(fast: number, slow: ModelVerdict): string {
  const row = rowOf(fast);
  const drop = DROP_REASONS[dropOf(fast) - 1] ?? 'none';
  const answer = ANSWERS[answerOf(fast)];
  const peer = row < 0 ? undefined : table.publicIp(row) >>> 0;
  // deepEqual for each of millions would be most of the work.
  if (drop !== slow.drop || answer !== slow.answer || peer !== slow.peer)
    assert.deepEqual({ drop, answer, peer }, slow);
  return slow.drop;
}

const pool = new PacketPool(new Chance(1), 2_000);

function packetFor(chance: Chance): Uint8Array {
  const packet = pool.take(chance, someAddress(chance, BASES), someAddress(chance, BASES));
  return chance.is(0.1) ? chance.spoilt(packet) : packet;
}

/** How far from the start of the buffer a packet lies must not matter. */
const AT = 7;

function placed(packet: Uint8Array): Uint8Array {
  const memory = new Uint8Array(AT + packet.length).fill(0xa5);
  memory.set(packet, AT);
  return memory;
}

export const verdictFromTunTarget: FuzzTarget = {
  name: 'verdict-from-tun',
  share: 250_000,
  make: packetFor,
  run(packet) {
    const rules = { ...RULES, sourceCheck: 'strict' as const };
    const fast = verdictFromTun(placed(packet), AT, packet.length, packet.length, fastRules('strict'), table);
    return agree(fast, modelFromTun(packet, packet.length, rules, PEERS));
  },
};

const HEAD_BYTES = 7;

/** Before the packet: which source check, the outer address and port. */
export const verdictFromNetworkTarget: FuzzTarget = {
  name: 'verdict-from-network',
  share: 250_000,
  make(chance) {
    const from = chance.is(0.8)
      ? chance.pick([PEER, OTHER, THIRD])
      : someAddress(chance, [OWN, RULES.bindAddress]);
    const port = chance.pick([PORT, PORT, PORT, 8286, 0]);
    const head = new Uint8Array(HEAD_BYTES);
    const view = new DataView(head.buffer);
    view.setUint8(0, chance.int(0, 2));
    view.setUint32(1, from);
    view.setUint16(5, port);
    const source = someAddress(chance, BASES);
    const packet = pool.take(chance, source, someAddress(chance, [RULES.subnetBase, ...BASES]));
    return Uint8Array.from([...head, ...packet]);
  },
  run(input) {
    const head = new DataView(new Uint8Array([...input.subarray(0, HEAD_BYTES), 0, 0, 0, 0, 0, 0, 0]).buffer);
    const packet = input.subarray(HEAD_BYTES);
    const sourceCheck = CHECKS[head.getUint8(0) % 3] ?? 'strict';
    const from = { address: head.getUint32(1), port: head.getUint16(5) };
    const rules = fastRules(sourceCheck);
    const { length } = packet;
    const fast = verdictFromNetwork(placed(packet), AT, length, from.address | 0, from.port, rules, table);
    return agree(fast, modelFromNetwork(packet, from, { ...RULES, sourceCheck }, PEERS));
  },
};
