/** The data plane over a real TUN and socket, in a network namespace of its own with one address on the loopback. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { Worker } from 'node:worker_threads';
import type { Log } from '../../src/ports.js';
import { createDataPlane } from '../../src/sys/data-plane.js';
import * as libc from '../../src/sys/libc.js';
import { openTun } from '../../src/sys/packet-devices.js';
import { ADDRESSES, dataPlaneContract } from '../contract/data-plane-contract.js';
import { eventually } from '../lab/eventually.js';
import { inFreshNamespace } from '../lab/namespace.js';
import { slicesOf } from '../lab/time-slice.js';

const run = promisify(execFile);
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

async function ip(...argv: readonly string[]): Promise<void> {
  await run('ip', argv);
}

async function makeTun({ multiQueue }: { readonly multiQueue: boolean }): Promise<void> {
  await ip('tuntap', 'add', 'flannel0', 'mode', 'tun', ...(multiQueue ? ['multi_queue'] : []));
  await ip('link', 'set', 'flannel0', 'up');
}

async function tunExists(): Promise<boolean> {
  return (await run('ip', ['-brief', 'link'])).stdout.includes('flannel0');
}

async function holdPort(port: number): Promise<() => Promise<void>> {
  const socket = createSocket('udp4');
  socket.bind(port);
  await once(socket, 'listening');
  return async () => {
    socket.close();
    await once(socket, 'close');
  };
}

dataPlaneContract('worker thread', (body) =>
  inFreshNamespace(async () => {
    await ip('link', 'set', 'lo', 'up');
    for (const address of ADDRESSES) await ip('address', 'add', `${address}/24`, 'dev', 'lo');
    await makeTun({ multiQueue: false });
    const workers: Worker[] = [];
    const note = (worker: Worker) => workers.push(worker);
    process.on('worker', note);
    const dataPlane = createDataPlane({ log: SILENT });
    try {
      await body({
        dataPlane,
        makeTun,
        deleteTun: () => ip('link', 'delete', 'flannel0'),
        tunExists,
        holdTun: () => {
          const { fd } = openTun('flannel0', false, true);
          return () => libc.close(fd);
        },
        holdPort,
        killLoop: () => void workers.at(-1)?.terminate(),
      });
    } finally {
      process.off('worker', note);
      await dataPlane.shutDown(AbortSignal.timeout(5000));
    }
  }),
);

test('whoever the packet loop wakes goes before it', async () => {
  const slices = () => slicesOf(process.pid, async ([file = '', ...argv]) => (await run(file, argv)).stdout);
  const [usual = 0] = await slices();
  const dataPlane = createDataPlane({ log: SILENT, early: true });
  try {
    await eventually('a thread with longer slices', 5000, async () =>
      assert.deepEqual(
        (await slices()).filter((ms) => ms > usual),
        [5],
      ),
    );
  } finally {
    await dataPlane.shutDown(AbortSignal.timeout(5000));
  }
});
