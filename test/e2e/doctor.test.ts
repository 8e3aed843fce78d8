/**
 * Forty faults and misconfigurations of a real host, with the real kernel and a real etcd: `doctor` names each, and what it
 * prints as the remedy cures it. A host in a namespace has no systemd and no sudo: what the services would do the rows say.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import type { DoctorDocument } from '../../src/cli/render-doctor.js';
import type { Finding } from '../../src/model/doctor/finding.js';
import type { StatusReport } from '../../src/model/status.js';
import { eventually } from '../lab/eventually.js';
import { onSickHost, type SickHost } from '../lab/sick-host.js';
import { DOCTOR_ROWS, type DoctorRow } from './doctor-rows.js';

const CURED_MS = 10_000;
/** Nobody runs one here. */
const WELL = ['DaemonNotRunning'];

test('doctor names what is wrong, and its remedy cures it', { timeout: 240_000 }, async (t) => {
  await onSickHost(async (sick) => {
    await t.test('it finds nothing on a well host, and sees all of it', async () => {
      const { findings, unseen } = await sick.look();
      assert.deepEqual([codes(findings), unseen], [WELL, []]);
    });
    for (const row of DOCTOR_ROWS) await t.test(`${row.code}: ${row.name}`, () => checkRow(sick, row));
    await t.test('DaemonNotRunning: no daemon', () => checkDaemon(sick));
  });
});

async function checkRow(sick: SickHost, row: DoctorRow): Promise<void> {
  const inPlace = (text: string) => text.replaceAll('DIRECTORY', sick.directory);
  const script = (text: string) => sick.run(`DIRECTORY=${sick.directory}\n${text}`);
  const { etcd, ...file } = row.file ?? {};
  await sick.configure({ ...file, ...(etcd !== undefined && { etcd: inPlace(etcd) }) });
  if (row.inEtcd !== undefined) await sick.inEtcd(row.inEtcd);
  if (row.seed !== undefined) await script(row.seed);
  await row.seedWith?.(sick);

  const findings =
    row.before === undefined ? (await sick.look()).findings : await lookAsProgram(sick, row.before);
  const found = findings.filter(({ code }) => code === row.code);
  assert.ok(found.length > 0, `found ${JSON.stringify(findings, null, 1)}`);
  for (const finding of found) await sick.carryOut(finding);
  if (row.service !== undefined) {
    assert.match(await sick.told(), /^(start|restart) /);
    await row.service(sick);
  }
  const cured = row.before === undefined ? (await sick.look()).findings : await lookAsProgram(sick, []);
  assert.ok(!codes(cured).includes(row.code), `still ${JSON.stringify(cured, null, 1)}`);

  await sick.configure();
  if (row.afterInEtcd !== undefined) await sick.inEtcd(row.afterInEtcd);
  if (row.after !== undefined) await afterwards(sick, script, row.after);
  await row.afterWith?.(sick);
  assert.deepEqual(codes((await sick.look()).findings), WELL, 'all is as it was');
}

async function afterwards(
  { directory, configPath }: SickHost,
  script: (text: string) => Promise<string>,
  text: string,
): Promise<void> {
  await script(
    `PATH=${directory}/bin:$PATH\n${text.replace(/flannelette apply [^;]*/, `$& -f ${configPath}`)}`,
  );
}

async function lookAsProgram(sick: SickHost, before: readonly string[]): Promise<readonly Finding[]> {
  const { stdout, stderr } = await sick.program(['doctor', '-f', sick.configPath, '-o', 'json'], before);
  assert.notEqual(stdout, '', stderr);
  return (JSON.parse(stdout) as DoctorDocument).findings;
}

async function checkDaemon(sick: SickHost): Promise<void> {
  const [finding] = (await sick.look()).findings;
  assert.ok(finding?.code === 'DaemonNotRunning');
  await sick.carryOut(finding);
  const { pid } = await eventually('the daemon answers', CURED_MS, async () => {
    const { stdout, stderr } = await sick.program(['status', '-f', sick.configPath, '-o', 'json']);
    assert.notEqual(stdout, '', stderr);
    return JSON.parse(stdout) as StatusReport;
  });
  try {
    await eventually('nothing is wrong', CURED_MS, async () => {
      const { stdout } = await sick.program(['doctor', '-f', sick.configPath]);
      assert.equal(stdout, 'Nothing is wrong, as far as can be seen\n');
    });
  } finally {
    process.kill(pid, 'SIGTERM');
    await eventually('it has ended', CURED_MS, async () => {
      // Its parent is a shell that waits for the next line: until then it is a zombie.
      const state = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tZ');
      assert.match(state, /^State:\tZ/m);
    });
  }
}

function codes(findings: readonly Finding[]): readonly string[] {
  return [...new Set(findings.map(({ code }) => code))];
}
