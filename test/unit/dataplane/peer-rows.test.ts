import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeRows } from '../../../src/dataplane/control.js';
import { PeerRows, type RowsMessage } from '../../../src/dataplane/peer-rows.js';
import { NO_ROW, PEER_ROWS, PeerTable } from '../../../src/dataplane/peer-table.js';
import { addressAt, baseOf, type Prefix, parseAddress, parsePrefix } from '../../../src/model/address.js';
import type { PeerState } from '../../../src/model/objects.js';
import { ipv4Key } from '../../../src/wire/ipv4.js';

const NETWORK = parsePrefix('10.0.0.0/8');

function subnet(number: number): Prefix {
  return parsePrefix(`${addressAt(NETWORK, number * 256)}/24`);
}

function peer(number: number, host = number): PeerState {
  return { subnet: subnet(number), publicIp: addressAt(parsePrefix('198.18.0.0/15'), host), port: 8285 };
}

/** As the loop does it. */
function obey(table: PeerTable, message: RowsMessage): void {
  for (const row of decodeRows(message.set)) table.set(row.row, row);
  for (const row of message.remove) table.remove(row);
  message.confirm();
}

const change = fc.record({
  set: fc.array(fc.tuple(fc.nat(9), fc.nat(3)), { maxLength: 5 }),
  remove: fc.array(fc.nat(9), { maxLength: 5 }),
});

test('what is confirmed is what the table has, whenever the confirmations come', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(change, fc.boolean()), { maxLength: 20 }), (steps) => {
      const rows = new PeerRows();
      const table = new PeerTable();
      const want = new Map<Prefix, PeerState>();
      const underWay: RowsMessage[] = [];
      for (const [{ set, remove }, waits] of steps) {
        const peers = set.map(([number, host]) => peer(number, host));
        underWay.push(...rows.messages({ set: peers, remove: remove.map(subnet) }));
        for (const state of peers) want.set(state.subnet, state);
        for (const number of remove) want.delete(subnet(number));
        if (!waits) for (const message of underWay.splice(0)) obey(table, message);
      }
      for (const message of underWay) obey(table, message);
      assert.deepEqual(new Map(rows.confirmed().map((state) => [state.subnet, state])), want);
      const rowOf = new Map(rows.confirmedRows().map((confirmed) => [confirmed.subnet, confirmed.row]));
      for (let number = 0; number < 10; number++) {
        const state = want.get(subnet(number));
        const row = table.find(ipv4Key(baseOf(subnet(number))));
        assert.equal(row, rowOf.get(subnet(number)) ?? NO_ROW);
        if (state !== undefined) assert.equal(table.publicIp(row), ipv4Key(state.publicIp));
      }
    }),
  );
});

test('nothing is confirmed before the loop has answered', () => {
  const rows = new PeerRows();
  const messages = rows.messages({ set: [peer(1)], remove: [] });
  assert.deepEqual(rows.confirmed(), []);
  for (const message of messages) message.confirm();
  assert.deepEqual(rows.confirmed(), [peer(1)]);
});

test('a change of one peer is one small message, however many there are', () => {
  const rows = new PeerRows();
  const all = Array.from({ length: 10_000 }, (_, number) => peer(number));
  for (const message of rows.messages({ set: all, remove: [] })) message.confirm();
  const messages = rows.messages({ set: [peer(77, 5)], remove: [] });
  assert.deepEqual(
    messages.map(({ set, remove }) => set.length + remove.length),
    [5],
  );
});

test('many peers are many messages, so that packets get their turn between them', () => {
  const all = Array.from({ length: 5000 }, (_, number) => peer(number));
  const messages = new PeerRows().messages({ set: all, remove: [] });
  assert.deepEqual(
    messages.map(({ set }) => set.length / 5),
    [1024, 1024, 1024, 1024, 904],
  );
});

test('a subnet that is not there is removed by doing nothing', () => {
  assert.deepEqual(new PeerRows().messages({ set: [], remove: [subnet(1)] }), []);
});

test('has room for 65,536 subnets, and again for as many when they are gone', () => {
  const rows = new PeerRows();
  const all = Array.from({ length: PEER_ROWS }, (_, number) => peer(number));
  for (const message of rows.messages({ set: all, remove: [] })) message.confirm();
  const one = { ...peer(0), subnet: parsePrefix('192.0.2.0/24') };
  assert.equal(rows.hasRoomFor({ set: [one], remove: [] }), false);
  assert.equal(rows.hasRoomFor({ set: [peer(5, 1)], remove: [] }), true);
  const removal = rows.messages({ set: [], remove: all.map((state) => state.subnet) });
  assert.equal(rows.hasRoomFor({ set: [one], remove: [] }), false);
  for (const message of removal) message.confirm();
  assert.equal(rows.hasRoomFor({ set: [one], remove: [] }), true);
});

test('refuses IPv6 and books nothing of the change', () => {
  const rows = new PeerRows();
  const bad = { ...peer(2), publicIp: parseAddress('fd00::1') };
  assert.throws(() => rows.messages({ set: [peer(1), bad], remove: [] }), RangeError);
  assert.deepEqual(rows.messages({ set: [], remove: [subnet(1)] }), []);
});
