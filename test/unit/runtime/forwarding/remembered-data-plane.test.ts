/** The packet loop of the last process, taken up by the next one before anybody was asked. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readConfig } from '../../../../src/config/read-config.js';
import { parseAddress, parsePrefix } from '../../../../src/model/address.js';
import type { Config } from '../../../../src/model/config.js';
import type { ForwarderState, PeerState } from '../../../../src/model/objects.js';
import type { Log } from '../../../../src/ports.js';
import { RememberedDataPlane, recordPath } from '../../../../src/runtime/forwarding/remembered-data-plane.js';
import { settle } from '../../../fakes/fake-clock.js';
import { FakeDataPlane } from '../../../fakes/fake-data-plane.js';
import { FakeFiles } from '../../../fakes/fake-files.js';
import { fakeHost } from '../../../fakes/fake-kernel.js';

const CONFIG = config('host: { subnet: 4.0.100.0/24 }');
const PATH = '/run/flannelette/flannel0.forwarding.json';
const { signal } = new AbortController();

const FORWARDER: ForwarderState = {
  tun: 'flannel0',
  workers: 1,
  mtu: 1472,
  tunAddress: parseAddress('4.0.100.0'),
  subnet: parsePrefix('4.0.100.0/24'),
  publicIp: parseAddress('10.8.65.66'),
  bind: { address: parseAddress('10.8.65.66'), port: 8285 },
  sourceCheck: 'strict',
  offload: true,
  fastPath: false,
};
const PEER: PeerState = {
  subnet: parsePrefix('4.0.32.0/24'),
  publicIp: parseAddress('10.8.65.53'),
  port: 8285,
};

function config(text: string): Config {
  const reading = readConfig(`network: { cidr: 4.0.0.0/16 }\n${text}`, 'flannelette.yaml');
  assert.ok('config' in reading);
  return reading.config;
}

/** A host on which processes come and go; the device outlives them. */
class World {
  readonly files = new FakeFiles();
  readonly said: string[] = [];
  readonly #kernel = fakeHost({ address: '10.8.65.66/16', gateway: '10.8.0.1' });

  constructor({ device = true }: { readonly device?: boolean } = {}) {
    if (device) this.#kernel.tuns.create('flannel0', { multiQueue: false });
  }

  process(): RememberedDataPlane {
    const say = (fields: object, message: string) => this.said.push(`${message} ${JSON.stringify(fields)}`);
    const log: Log = { debug: say, info: say, warn: say, error: say };
    const process = new RememberedDataPlane(new FakeDataPlane(this.#kernel), this.files, log);
    process.follow(() => CONFIG, new AbortController().signal);
    return process;
  }

  /** A process that forwarded and was stopped. */
  async last(): Promise<void> {
    const process = this.process();
    await process.configure(FORWARDER, signal);
    await process.updatePeers({ set: [PEER], remove: [] }, signal);
    await process.shutDown(signal);
  }
}

describe('a packet loop that is remembered', () => {
  it('goes on in the next process with all that it had', async () => {
    const world = new World();
    await world.last();
    const next = world.process();
    await next.resume(CONFIG, signal);
    assert.deepEqual([next.forwarder(), next.peers()], [FORWARDER, [PEER]]);
    assert.match(world.said.join(), /^forwarding resumed/);
  });

  it('goes on with thirty thousand peers', async () => {
    const world = new World();
    const before = world.process();
    const set = Array.from({ length: 30_000 }, (_, index): PeerState => {
      const [high, low] = [index >> 8, index & 255];
      const subnet = parsePrefix(`100.${high}.${low}.0/24`);
      return { subnet, publicIp: parseAddress(`198.${high}.${low}.199`), port: 8285 };
    });
    await before.configure(FORWARDER, signal);
    await before.updatePeers({ set, remove: [] }, signal);
    await before.shutDown(signal);
    const next = world.process();
    await next.resume(CONFIG, signal);
    assert.equal(next.peers().length, set.length, world.said.join());
  });

  it('writes when something changed, and only then', async () => {
    const world = new World();
    await world.last();
    const { writes } = world.files;
    assert.equal(writes, 2);
    const next = world.process();
    await next.resume(CONFIG, signal);
    await next.configure(FORWARDER, signal);
    assert.equal(world.files.writes, writes);
    await next.updatePeers({ set: [], remove: [PEER.subnet] }, signal);
    assert.equal(world.files.writes, writes + 1);

    const after = world.process();
    await after.shutDown(signal);
    await after.resume(CONFIG, signal);
    assert.deepEqual(after.peers(), []);
  });

  it('writes a line for a change, however many peers there are, and all of them now and then', async () => {
    const world = new World();
    const process = world.process();
    await process.configure(FORWARDER, signal);
    const peer = (number: number, port = 8285): PeerState => ({
      subnet: parsePrefix(`4.0.${number >> 4}.${(number & 15) << 4}/28`),
      publicIp: parseAddress(`10.9.${number >> 8}.${number & 255}`),
      port,
    });
    const all = Array.from({ length: 4000 }, (_, number) => peer(number));
    await process.updatePeers({ set: all, remove: [] }, signal);
    const size = async () => ((await world.files.read(PATH))?.content ?? '').length;
    const whole = await size();
    let grown = 0;
    for (let number = 0; number < 1100; number++) {
      const before = await size();
      await process.updatePeers({ set: [peer(number, 8286)], remove: [] }, signal);
      const by = (await size()) - before;
      if (by > 0 && by < 100) grown++;
      assert.ok((await size()) < whole * 1.5);
    }
    assert.equal(grown, 1099);
    await process.updatePeers({ set: [], remove: all.slice(2000).map(({ subnet }) => subnet) }, signal);
    const next = world.process();
    await process.shutDown(signal);
    await next.resume(CONFIG, signal);
    assert.deepEqual(
      new Set(next.peers()),
      new Set(all.slice(0, 2000).map((_, number) => peer(number, number < 1100 ? 8286 : 8285))),
    );
  });

  it('goes on without the change that was being written when the last process died', async () => {
    const world = new World();
    await world.last();
    const { content } = (await world.files.read(PATH)) ?? { content: '' };
    world.files.edit(PATH, `${content}{"set":[["4.0.33.0/24","10.8.6`);
    const next = world.process();
    await next.resume(CONFIG, signal);
    assert.deepEqual(next.peers(), [PEER]);
    await next.updatePeers({ set: [], remove: [PEER.subnet] }, signal);
    await next.shutDown(signal);
    const after = world.process();
    await after.resume(CONFIG, signal);
    assert.deepEqual([after.forwarder(), after.peers()], [FORWARDER, []]);
  });

  it('begins like the first where nothing is remembered', async () => {
    const world = new World();
    const first = world.process();
    await first.resume(CONFIG, signal);
    assert.equal(first.forwarder(), undefined);
    assert.deepEqual(world.said, []);
  });

  it('does not go on with what another file wanted', async () => {
    const world = new World();
    await world.last();
    const next = world.process();
    await next.resume(config('host: { subnet: 4.0.101.0/24 }'), signal);
    assert.equal(next.forwarder(), undefined);
  });

  for (const [what, content] of [
    ['half a record', '{"config": {'],
    ['no record', '[]'],
    ['nothing', ''],
  ] as const) {
    it(`does without ${what}`, async () => {
      const world = new World();
      world.files.edit(PATH, content);
      const next = world.process();
      await next.resume(CONFIG, signal);
      assert.equal(next.forwarder(), undefined);
    });
  }

  it('does not read what another version wrote', async () => {
    const world = new World();
    await world.last();
    const content = (await world.files.read(PATH))?.content ?? '';
    world.files.edit(PATH, content.replace('"format":2', '"format":1'));
    const next = world.process();
    await next.resume(CONFIG, signal);
    assert.equal(next.forwarder(), undefined);
  });

  it('does not go on with what a version wrote that had fewer keys', async () => {
    const world = new World();
    await world.last();
    const content = (await world.files.read(PATH))?.content ?? '';
    assert.equal(content.match(/"fastPath"/g)?.length, 2);
    const older = content.replaceAll(/,"fastPath":(false|"auto")/g, '');
    assert.doesNotMatch(older, /fastPath/);
    world.files.edit(PATH, older);
    const next = world.process();
    await next.resume(CONFIG, signal);
    assert.equal(next.forwarder(), undefined);
  });

  it('does without a device that is gone', async () => {
    const world = new World();
    await world.last();
    const after = new World({ device: false });
    after.files.edit(PATH, (await world.files.read(PATH))?.content ?? '');
    const next = after.process();
    await next.resume(CONFIG, signal);
    assert.equal(next.forwarder(), undefined);
    assert.match(after.said.join(), /^forwarding not resumed .*(ENODEV|no such link)/);
  });

  it('forwards although it cannot be remembered', async () => {
    const world = new World();
    world.files.failure = { writes: new Error('no space left') };
    const process = world.process();
    await process.configure(FORWARDER, signal);
    assert.deepEqual(process.forwarder(), FORWARDER);
    assert.match(world.said.join(), /^forwarding not remembered .*no space left/);
  });

  it('is written again when somebody removed it, for as long as it is followed', async () => {
    const world = new World();
    const process = world.process();
    await process.configure(FORWARDER, signal);
    const { content } = (await world.files.read(PATH)) ?? {};
    world.files.delete('/run/flannelette');
    await settle();
    assert.equal((await world.files.read(PATH))?.content, content);

    await process.shutDown(signal);
    world.files.delete('/run/flannelette');
    await settle();
    assert.equal(await world.files.read(PATH), undefined, 'nothing runs that could be remembered');
  });

  it('is kept beside the socket of its instance', () => {
    assert.equal(recordPath(CONFIG), PATH);
  });
});
