/**
 * Random hosts as choices: what the file says, what the store holds, and for every object of ours how it is found.
 * Few values each, the usual ones more often, so that the choices meet. random.ts makes worlds of them.
 */
import fc from 'fast-check';

/** Equally often, and what is named twice twice as often. */
function oneOf<const T extends readonly string[]>(...values: T): fc.Arbitrary<T[number]> {
  return fc.constantFrom(...values);
}

function someOf<const T extends readonly string[]>(...values: T): fc.Arbitrary<T[number][]> {
  return fc.subarray<T[number]>([...values], { maxLength: 3 });
}

const file = fc.record({
  network: oneOf('declared', 'declared', 'declared', 'divided anew', 'moved', 'from the store'),
  publish: oneOf('create', 'always'),
  mtu: oneOf('auto', 'auto', '1400'),
  ipMasq: oneOf('false', 'true'),
  port: oneOf('8285', '8285', '8285', '8472'),
  subnet: oneOf('any', 'any', 'any', '4.0.100.0/24', '4.0.200.0/24', '4.0.32.0/24'),
  publicIp: oneOf('own', 'own', '198.51.100.7'),
  workers: oneOf('1', '1', '1', '2'),
  instance: oneOf('flannel0', 'flannel0', 'net.1'),
  routeProtocol: oneOf('77', '77', '78'),
  store: oneOf('etcd', 'etcd', 'etcd', 'etcd', 'etcd', 'static'),
  docker: oneOf('options-file', 'options-file', 'daemon-json', 'off'),
});

const store = fc.record({
  network: oneOf(
    'as declared',
    'as declared',
    'as declared',
    'as declared',
    'as declared',
    'absent',
    'other port',
    'moved',
    'invalid',
  ),
  own: oneOf(
    'none',
    'none',
    'leased',
    'leased',
    'reserved',
    'of another backend',
    'taken',
    'too wide',
    'elsewhere',
  ),
  beside: someOf('second own', 'other', 'other', 'overlapping', 'junk key', 'junk value'),
});

const disturbed = fc.record({
  link: oneOf(
    'as wanted',
    'as wanted',
    'as wanted',
    'absent',
    'another mtu',
    'down',
    'other queues',
    'unmarked',
    'half-made',
    'foreign',
    'of another kind',
  ),
  address: oneOf('as wanted', 'as wanted', 'absent'),
  onDevice: someOf('old subnet', "operator's address", "operator's route"),
  route: oneOf(
    'as wanted',
    'as wanted',
    'as wanted',
    'absent',
    'unmarked',
    'scope link',
    'astray',
    'foreign',
    'blackhole',
  ),
  otherRoutes: someOf('metric', 'table', 'old network', 'into a subnet', 'foreign metric', 'foreign subnet'),
  acceptLocal: oneOf('0', '1', 'default 1'),
  forwarding: oneOf('0', '1'),
  table: oneOf('as wanted', 'as wanted', 'absent', 'old subnet', 'foreign rule'),
  chain: oneOf(
    'as wanted',
    'as wanted',
    'absent',
    'old network',
    'no jump',
    'foreign rule',
    "flanneld's",
    "flanneld's other",
  ),
  subnetEnv: oneOf('as wanted', 'as wanted', 'absent', 'edited', 'private', 'old subnet', 'garbage'),
  dockerOptions: oneOf('as wanted', 'as wanted', 'absent', 'edited', 'written before'),
  daemonJson: oneOf('absent', "operator's", "operator's mtu", 'not JSON', 'as wanted', 'written before'),
  published: oneOf('absent', 'as declared', 'other'),
  neighbours: someOf('docker', 'other instance', 'forgotten device', 'settings', 'files'),
});

type Found = typeof disturbed extends fc.Arbitrary<infer T> ? T : never;

/** Everything as it is wanted, and nothing beside it. */
export const UNDISTURBED: Found = {
  link: 'as wanted',
  address: 'as wanted',
  onDevice: [],
  route: 'as wanted',
  otherRoutes: [],
  acceptLocal: '1',
  forwarding: '1',
  table: 'as wanted',
  chain: 'as wanted',
  subnetEnv: 'as wanted',
  dockerOptions: 'as wanted',
  daemonJson: 'absent',
  published: 'as declared',
  neighbours: [],
};

/** Mostly a host that is up, with a few things wrong: where all is wrong at once, one trouble hides the other. */
const found: fc.Arbitrary<Found> = fc.oneof(
  { weight: 1, arbitrary: disturbed },
  {
    weight: 3,
    arbitrary: fc
      .tuple(disturbed, fc.subarray(Object.keys(UNDISTURBED) as (keyof Found)[], { maxLength: 5 }))
      .map(([all, names]) => ({
        ...UNDISTURBED,
        ...Object.fromEntries(names.map((name) => [name, all[name]])),
      })),
  },
);

export const choices = fc.record({ file, store, found });
export type Choices = typeof choices extends fc.Arbitrary<infer T> ? T : never;

/** For where each world is dear: mostly those in which there is something to do for the kernel, and nobody in the way. */
export const busyChoices: fc.Arbitrary<Choices> = fc.oneof(
  { weight: 1, arbitrary: choices },
  { weight: 2, arbitrary: choices.filter(isBusy) },
);

function isBusy({ file, store, found }: Choices): boolean {
  const isFree = file.subnet === 'any' && !['other port', 'moved', 'invalid'].includes(store.network);
  const isOurs = found.link !== 'unmarked' && found.link !== 'foreign' && found.route !== 'foreign';
  const { link, address, onDevice, route, otherRoutes } = found;
  const isInPlace = link === 'as wanted' && address === 'as wanted' && route === 'as wanted';
  return isFree && isOurs && (!isInPlace || onDevice.length + otherRoutes.length > 0);
}
