/** Each backend has an example, which is valid and can be applied: on fakes, with a host beside it that runs the same. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { BACKENDS } from '../../src/model/backends/table.js';
import { CONFIG_PATH, FakeHost } from '../fakes/fake-host.js';
import { repositoryRoot } from '../lab/repository.js';

const FOLDER = join(repositoryRoot(), 'examples/backends');

test('there is an example for each backend and for nothing else', () => {
  const types = BACKENDS.map(({ type }) => `${type}.yaml`);
  assert.deepEqual(readdirSync(FOLDER).sort(), types.sort());
});

for (const { type } of BACKENDS) {
  test(`the example of ${type} can be applied, and is then in sync`, async () => {
    const host = new FakeHost();
    host.files.edit(CONFIG_PATH, readFileSync(join(FOLDER, `${type}.yaml`), 'utf8'));
    const lease = {
      PublicIP: '10.8.65.53',
      ...(['udp', 'alloc'].includes(type) ? {} : { BackendType: type }),
      ...(type === 'vxlan' && { BackendData: { VNI: 1, VtepMAC: '6e:2d:41:e6:74:de' } }),
    };
    await host.store.put('subnets/4.0.32.0-24', JSON.stringify(lease), '0');
    const applied = await host.flannelette('apply', '-f', CONFIG_PATH);
    assert.equal(applied.exitCode, 0, applied.stderr);
    assert.equal((await host.flannelette('diff', '-f', CONFIG_PATH)).exitCode, 0);
  });
}
