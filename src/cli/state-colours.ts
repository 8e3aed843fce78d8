/** Which states are good, which pass or want a look, and which are wrong, for those who print them. */
import type { Colour } from '../model/paint.js';
import type { ObjectState, StatusReport } from '../model/status.js';
import type { PingOutcome } from '../runtime/looking/layered-ping.js';
import type { Convergence } from '../runtime/rounds/one-shot.js';

export const OBJECT_COLOURS: Readonly<Record<ObjectState, Colour>> = {
  'in-sync': 'green',
  pending: 'yellow',
  waiting: 'yellow',
  contested: 'yellow',
  failed: 'red',
  conflict: 'red',
  foreign: 'magenta',
};

export const SYNC_COLOURS: Readonly<Record<StatusReport['sync']['state'], Colour>> = {
  'in-sync': 'green',
  drifted: 'yellow',
  unknown: 'yellow',
  conflict: 'red',
};

export const HEALTH_COLOURS: Readonly<Record<StatusReport['health']['state'], Colour>> = {
  ready: 'green',
  progressing: 'yellow',
  degraded: 'yellow',
};

export const APPLY_COLOURS: Readonly<Record<Convergence['outcome'], Colour>> = {
  converged: 'green',
  'timed out': 'yellow',
  undecided: 'red',
  refused: 'red',
  conflict: 'red',
  failed: 'red',
};

/** One that is skipped is neither. */
export const LAYER_COLOURS: Readonly<Partial<Record<PingOutcome, Colour>>> = {
  passed: 'green',
  unknown: 'yellow',
  failed: 'red',
};
