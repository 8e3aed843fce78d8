import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NO_ROW, type PeerRow, PeerTable } from '../../../src/dataplane/peer-table.js';
import { ipv4Mask } from '../../../src/wire/ipv4.js';

// Few bits, so that prefixes nest, addresses are shared and rows are taken over.
const word = fc.integer({ min: 0, max: 7 }).map((bits) => (bits << 29) | 0);
const row = fc.record({
  subnetBase: word,
  subnetLength: fc.integer({ min: 0, max: 3 }),
  publicIp: fc.integer({ min: 0, max: 3 }),
  port: fc.integer({ min: 1, max: 2 }),
});
const change = fc.record({
  number: fc.nat(9),
  to: fc.option(row.map((made) => ({ ...made, subnetBase: made.subnetBase & ipv4Mask(made.subnetLength) }))),
});

test('agrees with a slow list: the longest prefix wins, and senders are known by address and port', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), word, (changes, address) => {
      const table = new PeerTable();
      const list = new Map<number, PeerRow>();
      for (const { number, to } of changes) {
        const isTaken = [...list].some(
          ([other, held]) => other !== number && to !== null && isSameSubnet(held, to),
        );
        if (isTaken) continue;
        if (to === null) list.delete(number);
        else list.set(number, to);
        if (to === null) table.remove(number);
        else table.set(number, to);
      }
      assert.equal(table.find(address), slowFind(list, address));
      for (let publicIp = 0; publicIp < 4; publicIp++) {
        const all = [...list].filter(([, held]) => held.publicIp === publicIp);
        assert.equal(table.isPublicIp(publicIp), all.length > 0);
        for (const port of [1, 2]) {
          const rows = all.filter(([, held]) => held.port === port).map(([number]) => number);
          const sender = table.findSender(publicIp, port);
          assert.ok(
            rows.length === 0 ? sender === NO_ROW : rows.includes(sender),
            `row ${sender} of ${rows}`,
          );
        }
      }
    }),
    { numRuns: 2000 },
  );
});

test('a row tells where to send', () => {
  const table = new PeerTable();
  table.set(65_535, { subnetBase: 0x0a013f00, subnetLength: 24, publicIp: -1, port: 65_535 });
  assert.equal(table.find(0x0a013f02), 65_535);
  assert.equal(table.publicIp(65_535), -1);
  assert.equal(table.port(65_535), 65_535);
});

test('a row that was removed twice is simply gone', () => {
  const table = new PeerTable();
  table.set(1, { subnetBase: 0, subnetLength: 8, publicIp: 1, port: 1 });
  table.remove(1);
  table.remove(1);
  assert.equal(table.find(1), NO_ROW);
  assert.equal(table.isPublicIp(1), false);
});

function slowFind(list: ReadonlyMap<number, PeerRow>, address: number): number {
  const holding = [...list].filter(([, held]) => (address & ipv4Mask(held.subnetLength)) === held.subnetBase);
  return holding.sort(([, left], [, right]) => right.subnetLength - left.subnetLength)[0]?.[0] ?? NO_ROW;
}

function isSameSubnet(left: PeerRow, right: PeerRow): boolean {
  return left.subnetBase === right.subnetBase && left.subnetLength === right.subnetLength;
}
