/** flanneld's other flags: masquerading, the file, and those that become nothing. */
import { fieldRefusal } from '../config/field-refusal.js';
import { FLAGS, flagNamed } from './flanneld-flags.js';
import type { Options } from './given-options.js';
import { idle, joined, line, lost, type Part } from './part.js';

const SUBNET_ENV = ['files', 'subnetEnv'];
const DOCKER_OPTIONS = ['files', 'dockerOptions'];

export function remainingPart(options: Options): Part {
  return joined(masqueradePart(options), sourceCheckPart(), filesPart(options), withoutCounterpart(options));
}

function masqueradePart(options: Options): Part {
  const given = options.value('ip-masq');
  return line(['network', 'ipMasq'], given?.value === 'true', given?.origin ?? "flanneld's default");
}

function sourceCheckPart(): Part {
  return line(
    ['dataplane', 'sourceCheck'],
    'strict',
    'flanneld takes packets from anyone; peer or off where a flanneld host sends from another address than its own',
  );
}

/** Docker's options stand beside subnet.env, unless subnet.env itself was put there. */
function filesPart(options: Options): Part {
  const given = options.value('subnet-file');
  const value = given?.value || flagNamed('subnet-file')?.default || '';
  if (given === undefined || given.value === '') return line(SUBNET_ENV, value, "flanneld's default");
  const refused = fieldRefusal(SUBNET_ENV, value);
  if (refused !== undefined) return lost(given.origin, `${SUBNET_ENV.join('.')} ${refused}`);
  const part = line(SUBNET_ENV, value, given.origin);
  if (value !== DEFAULT_DOCKER_OPTIONS) return part;
  return joined(part, line(DOCKER_OPTIONS, `${value}-options`, 'its default place is taken by subnetEnv'));
}

const DEFAULT_DOCKER_OPTIONS = '/run/flannel/docker';

function withoutCounterpart(options: Options): Part {
  const parts = FLAGS.flatMap((flag) =>
    options.values(flag.name).map(({ value, origin }) => {
      if (value === '') return idle(origin, 'empty, as if it were not given');
      if (flag.without === undefined) return joined();
      return value === flag.default ? idle(origin, "flanneld's default") : lost(origin, flag.without);
    }),
  );
  return joined(...parts);
}
