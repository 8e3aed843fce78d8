/** What a valid file becomes. What is said about files that are not stands in test/golden/config. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { z } from 'zod';
import { configErrorsText } from '../../src/cli/config-errors.js';
import { readConfig } from '../../src/config/read-config.js';
import { configSchema } from '../../src/config/schema.js';
import { parseAddress, parsePrefix } from '../../src/model/address.js';
import type { Config } from '../../src/model/config.js';

const NETWORK = { cidr: parsePrefix('4.0.0.0/16'), subnetLength: 24 };

const DEFAULTS: Config = {
  network: { publish: 'create', mtu: 'auto', ipMasq: false },
  host: { interface: { by: 'default-route' }, publicIps: {}, subnets: {}, renumber: 'auto' },
  store: {
    type: 'etcd',
    endpoints: ['http://127.0.0.1:2379'],
    prefix: '/coreos.com/network',
    leaseTtlSeconds: 86400,
  },
  dataplane: { workers: 'auto', sourceCheck: 'strict', offload: true, fastPath: 'auto' },
  files: { subnetEnv: '/run/flannel/subnet.env', dockerOptions: '/run/flannel/docker' },
  docker: { mode: 'options-file', daemonJson: '/etc/docker/daemon.json', bridge: 'docker0' },
  monitoring: { address: parseAddress('127.0.0.1') },
  instance: {
    name: 'flannel0',
    routeProtocol: 77,
    runtimeDirectory: '/run/flannelette',
    stateDirectory: '/var/lib/flannelette',
  },
};

test('takes every default', () => {
  assert.deepEqual(configOf('{}'), DEFAULTS);
  assert.deepEqual(configOf('apiVersion: flannelette/v1'), DEFAULTS);
});

test('gives another instance files of its own, and leaves Docker to the usual one', () => {
  const { files, docker } = configOf('instance: { name: net.1 }');
  assert.deepEqual(files, {
    subnetEnv: '/run/flannel/networks/net.1.env',
    dockerOptions: '/run/flannel/networks/net.1.docker',
  });
  assert.equal(docker.mode, 'off');
  const told = configOf('{ instance: { name: net.1 }, docker: { mode: options-file } }');
  assert.equal(told.docker.mode, 'options-file');
});

test('takes a section whose lines are commented out for one that is left out', () => {
  const text = 'network:\n  # cidr: 4.0.0.0/16\nhost:\nstore:\n  etcd:\n    tls:\nfiles:\n';
  assert.deepEqual(configOf(text), DEFAULTS);
});

test("applies flannel's defaults to a network that is written", () => {
  assert.deepEqual(configOf('network: { cidr: 4.0.0.0/16 }').network, {
    ...DEFAULTS.network,
    declared: {
      ipv4: { ...NETWORK, subnetMin: '4.0.1.0', subnetMax: '4.0.255.0' },
      backend: { type: 'udp', port: 8285 },
    },
  });
});

test('reads every field', () => {
  const text = `
apiVersion: flannelette/v1
network:
  cidr: 4.0.0.0/16
  subnetLength: 25
  subnetMin: 4.0.8.0
  subnetMax: 4.0.9.128
  mtu: 1400
  ipMasq: true
  publish: always
  backend: { type: udp, port: 8286 }
host:
  interface: eth1
  publicIP: 10.8.65.66
  subnet: 4.0.8.128/25
  renumber: never
store:
  etcd:
    endpoints: ["https://10.8.64.10:2379", "https://[fd00::10]:2379"]
    prefix: //flannel///two/
    username: root
    passwordFile: /etc/flannelette/password
    tls: { caFile: /etc/ca.pem, certFile: /etc/cert.pem, keyFile: /etc/key.pem }
    leaseTTL: 10m
dataplane: { workers: 2, sourceCheck: peer, offload: false, fastPath: true }
files: { subnetEnv: /run/two/subnet.env, dockerOptions: /run/two/docker }
docker:
  mode: daemon-json
  daemonJson: /etc/docker-two/daemon.json
  bridge: docker1
  onChange: [systemctl, restart, docker]
monitoring: { port: 9478, address: 10.8.65.66 }
instance:
  name: flannel1
  routeProtocol: 78
  runtimeDirectory: /run/two
  stateDirectory: /var/lib/two
`;
  assert.deepEqual(configOf(text), {
    network: {
      declared: {
        ipv4: { cidr: '4.0.0.0/16', subnetLength: 25, subnetMin: '4.0.8.0', subnetMax: '4.0.9.128' },
        backend: { type: 'udp', port: 8286 },
      },
      publish: 'always',
      mtu: 1400,
      ipMasq: true,
    },
    host: {
      interface: { by: 'name', name: 'eth1' },
      publicIps: { ipv4: '10.8.65.66' },
      subnets: { ipv4: '4.0.8.128/25' },
      renumber: 'never',
    },
    store: {
      type: 'etcd',
      endpoints: ['https://10.8.64.10:2379', 'https://[fd00::10]:2379'],
      prefix: '/flannel/two',
      username: 'root',
      passwordFile: '/etc/flannelette/password',
      tls: { caFile: '/etc/ca.pem', certFile: '/etc/cert.pem', keyFile: '/etc/key.pem' },
      leaseTtlSeconds: 600,
    },
    dataplane: { workers: 2, sourceCheck: 'peer', offload: false, fastPath: true },
    files: { subnetEnv: '/run/two/subnet.env', dockerOptions: '/run/two/docker' },
    docker: {
      mode: 'daemon-json',
      daemonJson: '/etc/docker-two/daemon.json',
      bridge: 'docker1',
      onChange: ['systemctl', 'restart', 'docker'],
    },
    monitoring: { port: 9478, address: '10.8.65.66' },
    instance: {
      name: 'flannel1',
      routeProtocol: 78,
      runtimeDirectory: '/run/two',
      stateDirectory: '/var/lib/two',
    },
  });
});

test('reads the peers of a network without a server', () => {
  const text = `
network: { cidr: 4.0.0.0/16 }
host: { subnet: 4.0.100.0/24 }
store: { static: { peers: [{ subnet: 4.0.32.0/24, publicIP: 10.8.65.53 }] } }
`;
  const peers = [
    { subnets: { ipv4: parsePrefix('4.0.32.0/24') }, publicIps: { ipv4: parseAddress('10.8.65.53') } },
  ];
  assert.deepEqual(configOf(text).store, { type: 'static', peers });
  assert.deepEqual(configOf(text.replace(/peers: .*\]/, '')).store, { type: 'static', peers: [] });
});

test('reads each way to name an interface', () => {
  for (const [text, want] of [
    ['auto', { by: 'default-route' }],
    ['eth0', { by: 'name', name: 'eth0' }],
    ['bond0.100', { by: 'name', name: 'bond0.100' }],
    ['10.8.65.66', { by: 'address', address: '10.8.65.66' }],
    ['{ name: auto }', { by: 'name', name: 'auto' }],
    ['{ address: 10.8.65.66 }', { by: 'address', address: '10.8.65.66' }],
    ["{ regex: '^10\\.8\\.' }", { by: 'regex', regex: '^10\\.8\\.' }],
    ['{ canReach: 10.8.64.10 }', { by: 'can-reach', address: '10.8.64.10' }],
  ] as const) {
    assert.deepEqual(configOf(`host: { interface: ${text} }`).host.interface, want, text);
  }
});

test('reads durations in their units', () => {
  for (const [text, seconds] of [
    ['90s', 90],
    ['10m', 600],
    ['24h', 86400],
    ['2d', 172800],
  ] as const) {
    const { store } = configOf(`store: { etcd: { leaseTTL: ${text} } }`);
    assert.equal(store.type === 'etcd' && store.leaseTtlSeconds, seconds, text);
  }
});

test('joins the prefix as flannel does, and adds no slash in front', () => {
  for (const [text, prefix] of [
    ['/coreos.com/network/', '/coreos.com/network'],
    ['//coreos.com///network//', '/coreos.com/network'],
    ['coreos.com/network', 'coreos.com/network'],
  ] as const) {
    const { store } = configOf(`store: { etcd: { prefix: ${text} } }`);
    assert.equal(store.type === 'etcd' && store.prefix, prefix, text);
  }
});

test('understands YAML: JSON, anchors, quotes, comments, a byte order mark, other line ends', () => {
  const want = configOf('network: { cidr: 4.0.0.0/16, mtu: 1400 }');
  for (const text of [
    '{"network": {"cidr": "4.0.0.0/16", "mtu": 1400}}',
    "network:\n  'cidr': '4.0.0.0/16' # all of it\n  \"mtu\": 0x578\n",
    '\ufeffnetwork:\r\n  cidr: 4.0.0.0/16\r\n  mtu: 1400\r\n',
    '%YAML 1.2\n---\nnetwork: { cidr: 4.0.0.0/16, mtu: 1400 }\n...\n',
    'network:\n  cidr: >-\n    4.0.0.0/16\n  mtu: 1400\n',
  ]) {
    assert.deepEqual(configOf(text), want, text);
  }
  const shared =
    'files: { subnetEnv: &path /run/x/env, dockerOptions: /run/x/docker }\nstore: { etcd: { passwordFile: *path, username: root } }';
  const { store } = configOf(shared);
  assert.equal(store.type === 'etcd' && store.passwordFile, '/run/x/env');
});

test('each field has a description, and the JSON Schema the defaults that are taken', () => {
  const schema = z.toJSONSchema(configSchema, { io: 'input' });
  const found: string[] = [];
  const visit = (node: JsonSchema, path: string) => {
    for (const [name, field] of Object.entries(node.properties ?? {})) {
      assert.ok(field.description, `no description: ${path}${name}`);
      found.push(`${path}${name}`);
      visit(field, `${path}${name}.`);
    }
    const sides = [...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.items ? [node.items] : [])];
    for (const inner of sides) visit(inner, path);
    if (node.properties !== undefined) assert.equal(node.additionalProperties, false, path);
  };
  visit(schema as JsonSchema, '');
  for (const path of ['network.backend.port', 'host.interface.regex', 'store.static.peers.publicIP']) {
    assert.ok(found.includes(path), path);
  }
  const { store, network } = schema.properties as Record<string, JsonSchema>;
  assert.equal(store?.properties?.etcd?.properties?.leaseTTL?.default, '24h');
  const backends = network?.properties?.backend?.oneOf ?? network?.properties?.backend?.anyOf;
  assert.deepEqual(
    backends?.map(({ properties }) => properties?.port?.default),
    [8285, 8472, undefined, undefined, undefined],
  );
});

interface JsonSchema {
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
}

function configOf(text: string): Config {
  const result = readConfig(text, 'flannelette.yaml');
  if ('config' in result) return result.config;
  throw new Error(configErrorsText(result.errors, () => text));
}
