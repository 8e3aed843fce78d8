/** What root is let do, and what a firewall may still refuse. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ObserveError, PrivilegeError } from '../../src/ports.js';
import { requirePrivileges } from '../../src/sys/privileges.js';
import { FakeFirewall } from '../fakes/fake-firewall.js';

const NEVER = new AbortController().signal;

function refusing(error: Error): FakeFirewall {
  const firewall = new FakeFirewall();
  firewall.failure = { reads: error };
  return firewall;
}

test('root has every privilege, and asking for them changes nothing', async () => {
  const firewall = new FakeFirewall();
  await requirePrivileges(firewall, 'flannel0', NEVER);
  assert.equal(firewall.writes, 0);
});

test('a firewall that refuses is a missing privilege', async () => {
  const error = new PrivilegeError('Cannot read the table', 'CAP_NET_ADMIN');
  await assert.rejects(requirePrivileges(refusing(error), 'flannel0', NEVER), error);
});

test('any other trouble with it is told by whoever wants to write', async () => {
  await requirePrivileges(refusing(new ObserveError('Cannot run nft: busy')), 'flannel0', NEVER);
});

test('an abort rejects with its reason', async () => {
  const stopped = AbortSignal.abort(new Error('stop'));
  await assert.rejects(requirePrivileges(new FakeFirewall(), 'flannel0', stopped), /^Error: stop$/);
});
