import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { readConfig } from '../../../../src/config/read-config.js';
import { diagnose } from '../../../../src/model/doctor/diagnose.js';
import type { DoctorFacts } from '../../../../src/model/doctor/facts.js';
import { AILMENTS, DOCTOR_CODES, type DoctorCode, shellWord } from '../../../../src/model/doctor/finding.js';
import { DOCTOR_ROWS } from '../../../e2e/doctor-rows.js';

function wellFacts(file = 'network: { cidr: 4.0.0.0/16 }\n'): DoctorFacts {
  const reading = readConfig(file, 'flannelette.yaml');
  assert.ok('config' in reading);
  return {
    configPath: '/etc/flannelette.yaml',
    config: reading.config,
    secrets: [],
    store: { alarms: [], roundTripMs: 2 },
    daemon: { pid: 1 },
    hasUnit: true,
    unseen: [],
  };
}

const KERNEL = { links: [], addresses: [], routes: [], rules: [], ways: new Map() };
const failure = (trouble: 'tls' | 'unreachable', message: string) => ({
  store: { alarms: [], failure: { trouble, message } },
});

/** What cannot be had on one machine, or not made: another clock, certificates, a slow disk, a broken network card. */
const FAKED: readonly {
  readonly code: DoctorCode;
  readonly facts: Partial<DoctorFacts>;
  readonly file?: string;
  readonly detail: RegExp;
  readonly remedy: RegExp;
}[] = [
  {
    code: 'ClockOff',
    facts: { clockOffMs: 61_000 },
    detail: /61 s behind/,
    remedy: /^timedatectl set-ntp true$/,
  },
  { code: 'ClockOff', facts: { clockOffMs: -7_400 }, detail: /7 s ahead of/, remedy: /^timedatectl/ },
  {
    code: 'EtcdTls',
    facts: failure('tls', 'signed by nobody'),
    detail: /signed by nobody/,
    remedy: /^openssl s_client -showcerts -connect 127\.0\.0\.1:2379/,
  },
  {
    code: 'EtcdUnavailable',
    facts: failure('unreachable', 'refused'),
    detail: /refused/,
    remedy: /^systemctl start etcd$/,
  },
  {
    code: 'EtcdSlow',
    facts: { store: { alarms: [], roundTripMs: 400 } },
    detail: /400 ms/,
    remedy: /etcdctl .* check perf$/,
  },
  { code: 'ChecksumErrors', facts: { checksumErrors: 12 }, detail: /^12 datagrams/, remedy: /ethtool -K/ },
  {
    code: 'Ipv6Disabled',
    facts: { kernel: { ...KERNEL, sysctls: { 'net.ipv6.conf.all.disable_ipv6': '1' } } },
    file: 'network: { cidr: 4.0.0.0/16, ipv6: { cidr: fd00:4::/48 }, backend: { type: vxlan } }\n',
    detail: /is 1, must be 0/,
    remedy: /^sysctl -w net\.ipv6\.conf\.all\.disable_ipv6=0$/,
  },
  {
    code: 'ForeignObject',
    facts: {
      plans: {
        'docker-settings': {
          actions: [],
          foreign: [
            {
              key: 'docker-settings:/etc/docker/daemon.json',
              reason: 'not ours: mtu 1400, want 1472',
              blocks: true,
            },
          ],
        },
      },
    },
    detail: /not ours: mtu 1400/,
    remedy: /^take these settings out of \/etc\/docker\/daemon\.json: /,
  },
  {
    code: 'DaemonNotRunning',
    facts: { hasUnit: true },
    detail: /no daemon/,
    remedy: /^systemctl enable --now flannelette$/,
  },
];

for (const { code, facts, file, detail, remedy } of FAKED) {
  test(`${code} is found: ${detail.source}`, () => {
    const { daemon, ...well } = wellFacts(file);
    const isDown = code === 'DaemonNotRunning';
    const [finding, ...more] = diagnose({ ...well, ...(!isDown && daemon && { daemon }), ...facts });
    assert.deepEqual([finding?.code, more], [code, []]);
    assert.match(finding?.detail ?? '', detail);
    const [first] = finding?.remedy ?? [];
    assert.match(first === undefined ? '' : 'run' in first ? first.run : first.advice, remedy);
  });
}

test('a host that is well has nothing', () => {
  assert.deepEqual(diagnose({ ...wellFacts(), clockOffMs: 900, checksumErrors: 0 }), []);
});

test('every code is made to appear, on a real host wherever that can be had', () => {
  const seen = new Set<string>([...DOCTOR_ROWS, ...FAKED].map(({ code }) => code));
  seen.add('DaemonNotRunning');
  assert.deepEqual(
    DOCTOR_CODES.filter((code) => !seen.has(code)),
    [],
  );
});

test('what comes first may be the cause of what follows', () => {
  const { daemon: _, ...well } = wellFacts();
  const facts = { ...well, ...failure('unreachable', 'refused'), clockOffMs: 61_000 };
  assert.deepEqual(
    diagnose(facts).map(({ code }) => code),
    ['ClockOff', 'EtcdUnavailable', 'DaemonNotRunning'],
  );
});

test('remedies can be given to a shell as they are', () => {
  assert.equal(shellWord('/etc/flannelette.yaml'), '/etc/flannelette.yaml');
  assert.equal(shellWord(`a'b $c`), `'a'\\''b $c'`);
});

test('the manual has a section for each code, in the same order, that says what it does', () => {
  const page = readFileSync(new URL('../../../../../docs/doctor.md', import.meta.url), 'utf8');
  const sections = page.split(/^## /m).slice(1);
  assert.deepEqual(
    sections.map((section) => section.split('\n', 1)[0]),
    DOCTOR_CODES,
  );
  for (const section of sections) {
    const code = section.split('\n', 1)[0] as DoctorCode;
    const { severity, impact } = AILMENTS[code];
    assert.ok(
      section.includes(`*${severity}*: ${impact}.`),
      `${code} does not say "*${severity}*: ${impact}."`,
    );
    assert.match(section, /^To mend it: ./m, `${code} does not say how it is mended`);
  }
});
