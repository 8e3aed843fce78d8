/**
 * What it takes to add a backend: a copy of the sources with one new file and one line in the table compiles, and knows
 * the new one in the YAML file, in flannel's JSON, in leases and in the desired state.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { outputOf } from '../lab/process.js';
import { repositoryRoot } from '../lab/repository.js';

/** Everything goes to whoever is named, through a device that somebody else makes. */
const TOY = `import { MAIN_TABLE, routeKey } from '../keys.js';
import type { Backend } from './backend.js';

export const toy: Backend = {
  type: 'toy',
  options: {
    speed: { kind: 'integer', json: 'Speed', example: '9', least: 1, most: 9, default: 3, about: 'How fast.' },
  },
  plan: ({ network, options, requires }) => {
    const { speed } = options as { speed: number };
    const destination = network.ipv4?.cidr;
    if (destination === undefined) throw new Error('no IPv4');
    const state = {
      destination,
      table: MAIN_TABLE,
      tos: 0,
      metric: speed,
      link: 'toy0',
      onlink: false,
      type: 'unicast',
      scope: 'global' as const,
    };
    return {
      mtu: 1000 + speed,
      lease: { backendType: 'toy', backendData: { Speed: speed } },
      objects: { route: [{ key: routeKey(state), state, requires }] },
      devices: ['toy0'],
      entrances: ['toy0'],
      ignored: [],
    };
  },
};
`;

/** Runs in the copy: what the tests of this repository do for its own backends. */
const USE = `
import { readConfig } from './config/read-config.js';
import { desiredState } from './model/desired.js';
import { leaseJson } from './wire/flannel-lease.js';
import { networkJson, parseNetworkJson } from './wire/flannel-network.js';

const text = 'network: { cidr: 4.0.0.0/16, backend: { type: toy, speed: 7 } }';
const { config } = readConfig(text, 'toy.yaml');
const wrong = readConfig(text.replace('7', '10'), 'toy.yaml');
const json = networkJson(config.network.declared);
const state = desiredState({
  config,
  store: { leases: [], quarantined: [], taken: [] },
  host: {
    external: { name: 'eth0', mtu: 1500, ipv4: '10.8.65.66', chosenBy: 'test' },
    publicIps: { ipv4: '10.8.65.66' },
    reach: [],
  },
  forwards: true,
});
console.log(JSON.stringify({
  error: wrong.errors[0].message,
  json,
  read: parseNetworkJson(json).backend,
  lease: leaseJson(state.objects.lease[0].state.attributes),
  route: state.objects.route[0].key,
  mtu: state.mtu,
}));
`;

test('a new backend is one file and one line in the table', async () => {
  const root = repositoryRoot();
  const copy = mkdtempSync(join(tmpdir(), 'new-backend-'));
  try {
    for (const name of ['src', 'package.json', 'tsconfig.json']) {
      cpSync(join(root, name), join(copy, name), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    writeFileSync(join(copy, 'src/model/backends/toy.ts'), TOY);
    const table = join(copy, 'src/model/backends/table.ts');
    const lines = readFileSync(table, 'utf8').replace(/(BACKENDS: readonly Backend\[\] = \[)/, '$1toy, ');
    writeFileSync(table, `import { toy } from './toy.js';\n${lines}`);

    await outputOf([join(root, 'node_modules/.bin/tsc'), '-p', copy, '--outDir', join(copy, 'dist')], {
      timeoutMs: 60_000,
    });
    const program = join(copy, 'dist/src/use.js');
    writeFileSync(program, USE);
    assert.deepEqual(JSON.parse(await outputOf([process.execPath, program])), {
      error: '10 is not allowed: must be 1 to 9',
      json: '{"Network":"4.0.0.0/16","SubnetLen":24,"Backend":{"Type":"toy","Speed":7}}',
      read: { type: 'toy', speed: 7 },
      lease: '{"PublicIP":"10.8.65.66","PublicIPv6":null,"BackendType":"toy","BackendData":{"Speed":7}}',
      route: 'route:4.0.0.0/16 metric 7',
      mtu: 1007,
    });
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
});
