/** What is measured in a scene of its own, beside the ways between two containers. */
import { takeChurn, takeJoining } from './joining.js';
import { takeLoaded } from './loaded.js';
import type { SceneFigures } from './results.js';
import { takeStrangers } from './strangers.js';
import { takeWorkers } from './workers.js';

export interface Scene {
  readonly name: string;
  take(runs: number, seconds: number): Promise<SceneFigures>;
}

export const SCENES: readonly Scene[] = [
  { name: 'joining', take: (runs) => takeJoining(runs) },
  { name: 'churn', take: () => takeChurn() },
  { name: 'loaded', take: () => takeLoaded() },
  { name: 'strangers', take: (_, seconds) => takeStrangers(seconds) },
  { name: 'workers', take: takeWorkers },
];
