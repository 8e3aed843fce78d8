/** How long the program takes to begin: measured for the page, and held to a ceiling by a test. */
import assert from 'node:assert/strict';
import type { Member } from '../test/lab/cluster.js';
import { NODE_OPTIONS } from '../test/lab/repository.js';

/** What is timed, in the order of the table. */
export const START_UPS = {
  node: 'Node, doing nothing',
  version: '`flannelette version`',
  validate: '`flannelette validate`',
  first: '`flannelette run` to READY, first start of a host',
  again: '`flannelette run` to READY, started again',
} as const;
export type StartUp = keyof typeof START_UPS;

export interface Program {
  readonly node: string;
  /** Its first file, which Node is given. */
  readonly main: string;
}

const READY_MS = 60_000;

/** Milliseconds from the call to the end, or to READY, each of them once. `prepare` comes before each. */
export async function timeStartUps(
  member: Member,
  { node, main }: Program,
  prepare: () => Promise<void> = async () => {},
): Promise<Readonly<Record<StartUp, number>>> {
  const { host, configPath } = member;
  const program = [node, ...NODE_OPTIONS, main];
  const timed = async (begin: () => Promise<unknown>) => {
    await prepare();
    const start = performance.now();
    await begin();
    return performance.now() - start;
  };
  const ends = (argv: readonly string[]) => timed(() => host.output(argv));
  const isReady = async () => {
    let daemon = host.spawn(['true']);
    const ms = await timed(async () => {
      daemon = host.spawn([...program, 'run', '-f', configPath]);
      await daemon.waitForLine(/"msg":"ready"/, READY_MS);
    });
    daemon.signal('SIGTERM');
    await daemon.exited;
    return ms;
  };
  const times = {
    node: await ends([node, '--eval', '0']),
    version: await ends([...program, 'version']),
    validate: await ends([...program, 'validate', configPath]),
    first: await isReady(),
    again: await isReady(),
  };
  const { code, stderr } = await member.command('destroy', '--lease');
  assert.equal(code, 0, stderr);
  return times;
}
