/**
 * `make demo`: three hosts in one network, told step by step, then taken down; with KEEP=1 it stays up.
 * Exit code 0 when everything was as expected, 1 when not, 130 when interrupted.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { screenPainter } from '../../src/sys/colour.js';
import { Underlay } from '../../test/lab/underlay.js';
import { ExpectationError, Narrator } from './narrator.js';
import { CONFIG_FILE, type Scene, setScene } from './scene.js';
import { tellStory } from './story.js';

const KEEPER = '--keeper';

/** Resolves with the exit code. `stayUp` is called, and awaited, before the scene is taken down. */
async function play(stayUp: (scene: Scene) => Promise<void>): Promise<number> {
  const narrator = new Narrator((text) => process.stdout.write(text), screenPainter());
  const underlay = await Underlay.start();
  try {
    narrator.say('Three hosts and an etcd, each a set of namespaces of its own on this machine.');
    const scene = await setScene(underlay);
    await tellStory(narrator, scene);
    await stayUp(scene);
    return 0;
  } catch (error) {
    const isExpected = error instanceof ExpectationError;
    process.stderr.write(
      `\n✗ ${isExpected ? error.message : error instanceof Error ? error.stack : error}\n`,
    );
    return 1;
  } finally {
    await underlay.close();
  }
}

/** Plays in a process of its own, which stays behind and holds the scene until it is told to stop. */
function playAndLeave(): void {
  const keeper = fork(fileURLToPath(import.meta.url), [KEEPER], { detached: true, silent: true });
  keeper.stdout?.pipe(process.stdout);
  keeper.stderr?.pipe(process.stderr);
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => keeper.kill(name));
  keeper.once('exit', (code) => process.exit(code ?? 1));
  keeper.once('message', (directions: string) => {
    process.stdout.write(directions, () => process.exit(0));
  });
}

async function keep(scene: Scene): Promise<void> {
  const told = new Promise<void>((resolve) => process.once('SIGTERM', resolve));
  const lines = [scene.host1, scene.host2, scene.host3].map(
    ({ host, address }) => `  ${host.name} ${address}: nsenter --target ${host.pid} --net --mount --uts`,
  );
  process.send?.(
    `\nIt stays up. Each line leads into a host:\n\n${lines.join('\n')}\n  etcd  10.8.64.10: nsenter --target ${scene.etcd.pid} --net --mount --uts\n\nThe file is ${CONFIG_FILE}\nTake all of it down: kill ${process.pid}\n`,
  );
  process.disconnect?.();
  await told;
}

if (process.argv.includes(KEEPER)) {
  // Nobody reads on after the directions are given.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  process.once('SIGINT', () => process.exit(130));
  process.exitCode = await play(keep);
} else if (process.env.KEEP === '1') {
  playAndLeave();
} else {
  // The kernel ends whatever is left of the scene with this process, so there is nothing else to undo.
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  // Whoever read along has left, for example `head`.
  process.stdout.once('error', () => process.exit(1));
  process.exitCode = await play(async () => {});
}
