/** What `--help` shows as examples is run, line by line. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { EXIT } from '../../../src/cli/exit-codes.js';
import { VERB_EXAMPLES } from '../../../src/cli/verb-examples.js';
import type { ControlReply } from '../../../src/ports.js';
import { CONFIG, CommandWorld } from './command-world.js';
import { READY_REPORT } from './ready-report.js';

/** A host with its file, another host's lease, and what the examples speak of beside. */
async function exampleWorld(verb: string): Promise<CommandWorld> {
  const world = new CommandWorld();
  await world.host.store.put('subnets/4.0.32.0-24', '{"PublicIP":"10.8.65.53"}');
  world.host.files.edit('/run/flannel/subnet.env', 'FLANNEL_SUBNET=4.0.100.1/24\nFLANNEL_MTU=1472\n');
  if (verb !== 'init') world.host.files.edit('/etc/new.yaml', CONFIG);
  if (verb === 'confirm' || verb === 'rollback') await world.run('try', 'new.yaml');
  if (verb === 'apply') await world.run('diff', '--out', 'plan.json');
  const answer = ANSWERS[verb];
  if (verb === 'capture') world.answer = ({ path }) => captureAnswer(path, world);
  if (answer !== undefined) world.answer = async () => ({ status: 200, body: JSON.stringify(answer) });
  return world;
}

/** What a daemon says to those that ask one. */
const ANSWERS: Readonly<Record<string, object>> = {
  status: READY_REPORT,
  peers: READY_REPORT,
  events: [],
  top: READY_REPORT,
  'log-level': { route: 'info', store: 'info' },
};

/** A capture of one packet a time. */
async function captureAnswer(path: string, { clock, stop }: CommandWorld): Promise<ControlReply> {
  if (path.startsWith('/status')) return { status: 200, body: JSON.stringify(READY_REPORT) };
  await clock.sleep(50, stop.signal);
  const packet = { direction: 'out', bytes: '', isDatagram: false, isAnswer: false, atMs: 0, lengthBytes: 0 };
  const begun = { id: 1, tun: 'flannel0', local: { address: '10.8.65.66', port: 8285 } };
  return { status: 200, body: JSON.stringify({ ...begun, packets: [packet], missed: 0 }) };
}

/** Of the others it is 0: here something is to be changed, or wrong. */
const EXIT_CODES: Readonly<Record<string, number>> = { diff: EXIT.drift, doctor: EXIT.ailing };

for (const [verb, lines] of Object.entries(VERB_EXAMPLES)) {
  for (const line of lines) {
    test(`the example of ${verb} works: ${line}`, async () => {
      const world = await exampleWorld(verb);
      const [program, ...words] = line.split(' ');
      assert.equal(program, 'flannelette');
      const { exitCode, stderr } = await world.run(...words);
      assert.equal(exitCode, EXIT_CODES[verb] ?? EXIT.done, stderr);
    });
    test(`--help of ${verb} shows it: ${line}`, async () => {
      const { stdout } = await new CommandWorld().run(...verb.split(' '), '--help');
      assert.ok(stdout.includes(`\n  ${line}\n`), stdout);
    });
  }
}

test('every verb has one', async () => {
  const { stdout } = await new CommandWorld().run('completion', 'bash');
  const words = /compgen -W '([^']+)'/.exec(stdout)?.[1]?.split(' ') ?? [];
  const verbs = words.filter((word) => !word.startsWith('-'));
  assert.ok(verbs.length > 10, stdout);
  assert.deepEqual(
    verbs.filter((verb) => VERB_EXAMPLES[verb] === undefined),
    [],
  );
});
