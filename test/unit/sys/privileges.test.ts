import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { hasCapability } from '../../../src/sys/privileges.js';

const CAP_NET_ADMIN = 12;
const CAP_CHECKPOINT_RESTORE = 40;

/** As /proc/self/status has it, with other sets around the effective one. */
function status(effective: string): string {
  return `Name:\tnode\nUid:\t0\t0\t0\t0\nCapInh:\t0000000000000000\nCapPrm:\t000001ffffffffff\nCapEff:\t${effective}\nCapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\n`;
}

for (const { name, effective, number, want } of [
  { name: 'root', effective: '000001ffffffffff', number: CAP_NET_ADMIN, want: true },
  { name: 'nobody', effective: '0000000000000000', number: CAP_NET_ADMIN, want: false },
  { name: 'a process with this one alone', effective: '0000000000001000', number: CAP_NET_ADMIN, want: true },
  { name: 'a process with all others', effective: '000001ffffffefff', number: CAP_NET_ADMIN, want: false },
  {
    name: "a container with Docker's usual set",
    effective: '00000000a80425fb',
    number: CAP_NET_ADMIN,
    want: false,
  },
  {
    name: 'root, above the first 32',
    effective: '000001ffffffffff',
    number: CAP_CHECKPOINT_RESTORE,
    want: true,
  },
  {
    name: 'an old kernel, above its last',
    effective: '0000003fffffffff',
    number: CAP_CHECKPOINT_RESTORE,
    want: false,
  },
]) {
  test(`${name} ${want ? 'has' : 'does not have'} capability ${number}`, () => {
    assert.equal(hasCapability(status(effective), number), want);
  });
}

test('a status that does not say so has none', () => {
  assert.equal(hasCapability('Name:\tnode\n', CAP_NET_ADMIN), false);
});

test("this kernel's own status can be read", () => {
  assert.match(readFileSync('/proc/self/status', 'utf8'), /^CapEff:\t[0-9a-f]{16}$/m);
});
