/** What people and other programs write into files. */
import assert from 'node:assert/strict';
import { readConfig } from '../../src/config/read-config.js';
import { parseSubnetEnv } from '../../src/model/env-files.js';
import type { Chance } from './chance.js';
import { bytesOf, type FuzzTarget, textOf } from './target.js';

const SECTIONS: Readonly<Record<string, readonly string[]>> = {
  network: [
    'cidr: 10.5.0.0/16',
    'cidr: 10.5.0.0/33',
    'subnetLength: 24',
    'mtu: auto',
    'mtu: 1400',
    'ipMasq: true',
    'publish: always',
    'backend: { type: udp, port: 8285 }',
    'backend: { type: odd }',
    'mtu: [1]',
  ],
  host: [
    'interface: eth0',
    'interface: { name: eth0 }',
    'subnet: 10.5.7.0/24',
    'publicIP: 10.8.64.11',
    'subnet: x',
  ],
  store: [
    'etcd: { endpoints: ["http://10.8.64.10:2379"] }',
    'etcd: { leaseTTL: 1h, password: secret }',
    'static: { peers: [] }',
    'static: { peers: [{ subnet: 10.5.3.0/24, publicIP: 10.8.64.12 }] }',
  ],
  dataplane: ['workers: 2', 'sourceCheck: strict', 'sourceCheck: maybe'],
  docker: ['mode: daemon-json', 'mode: off', 'onChange: [systemctl, restart, docker]', 'bridge: docker0'],
  instance: ['name: flannel1', 'name: a/b', 'routeProtocol: 77', 'routeProtocol: 4'],
};
const ODD = [
  '&a [*a]',
  '? : :',
  '\t- x',
  '<<: *b',
  '!!binary "x"',
  '- - -',
  '"\\u0000"',
  "''': '",
  '{ { } }',
  '|\n  x',
  '# only this',
  'cidr',
  '---\na: 1\n---',
];

function someYaml(chance: Chance): string {
  const lines: string[] = [];
  for (const [section, fields] of Object.entries(SECTIONS)) {
    if (chance.is(0.5)) continue;
    const isFlow = chance.is(0.2);
    const chosen = Array.from({ length: chance.int(0, 3) }, () => chance.pick(fields));
    lines.push(
      ...(isFlow
        ? [`${section}: { ${chosen.join(', ')} }`]
        : [`${section}:`, ...chosen.map((field) => `  ${field}`)]),
    );
    if (chance.is(0.1)) lines.push(`${chance.pick(['', '  ', '    '])}${chance.pick(ODD)}`);
  }
  const text = lines.join('\n');
  return chance.is(0.6) ? text : textOf(chance.spoilt(bytesOf(text)));
}

export const configTarget: FuzzTarget = {
  name: 'config',
  share: 3_000,
  make: (chance) => bytesOf(someYaml(chance)),
  run(input) {
    const text = textOf(input);
    const reading = readConfig(text, 'fuzz.yaml');
    if ('config' in reading) return 'read';
    const lines = text.split(/\r\n|[\n\r\u2028\u2029]/).length;
    assert.ok(reading.errors.length > 0, 'refused without a reason');
    for (const { line, message } of reading.errors) {
      assert.ok(line >= 1 && line <= lines + 1, `line ${line} of ${lines}`);
      assert.ok(message.length > 0 && !message.includes('secret'), `the message is "${message}"`);
    }
    return reading.errors.length === 1 ? 'one mistake' : 'several mistakes';
  },
};

export const subnetEnvTarget: FuzzTarget = {
  name: 'subnet-env',
  share: 10_000,
  make(chance) {
    const value = () =>
      chance.pick([
        '10.5.0.0/16',
        '10.5.34.1/24',
        'fd00::/48',
        '1472',
        'true',
        'false',
        '',
        '0',
        '99999',
        '10.5.0.0/16,10.6.0.0/16',
        '"x"',
      ]);
    const name = () =>
      chance.pick(['NETWORK', 'SUBNET', 'MTU', 'IPMASQ', 'IPV6_NETWORK', 'IPV6_SUBNET', 'ODD']);
    const lines = Array.from({ length: chance.int(0, 6) }, () => `FLANNEL_${name()}=${value()}`);
    const text = lines.join('\n');
    return chance.is(0.6) ? bytesOf(text) : chance.spoilt(bytesOf(text));
  },
  run(input) {
    const { subnets, mtu, ipMasq } = parseSubnetEnv(textOf(input));
    assert.ok(mtu === undefined || (Number.isInteger(mtu) && mtu > 0 && mtu < 100_000), `the MTU is ${mtu}`);
    if (subnets.ipv4 !== undefined) assert.match(subnets.ipv4, /^\d+\.\d+\.\d+\.\d+\/\d+$/);
    return `${subnets.ipv4 ? 'subnet' : 'no subnet'}, ${mtu ? 'MTU' : 'no MTU'}, masquerading ${ipMasq ?? 'unknown'}`;
  },
};
