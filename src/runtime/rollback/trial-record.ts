/** The record of a trial on tmpfs: written by whoever keeps it, read by the daemon and by `status`. */
import type { InstanceSection } from '../../model/config.js';
import { type TrialRecord, type TrialStanding, trialStanding } from '../../model/trial.js';
import type { Clock, Files } from '../../ports.js';
import type { TrialSubject } from './trial.js';

/** For everybody to read: it says nothing that `status` does not. */
const MODE = 0o644;

export function trialRecordPath({
  name,
  runtimeDirectory,
}: Pick<InstanceSection, 'name' | 'runtimeDirectory'>): string {
  return `${runtimeDirectory}/${name}.trial.json`;
}

/** The same subject, with the record there from before anything is changed until everything is settled. */
export function recordedSubject(
  subject: TrialSubject,
  files: Files,
  path: string,
  record: () => TrialRecord,
): TrialSubject {
  const settled = () => files.remove(path);
  return {
    file: subject.file,
    async apply(signal) {
      await files.write(path, `${JSON.stringify(record())}\n`, MODE);
      const failure = await subject.apply(signal);
      if (failure !== undefined) await settled();
      return failure;
    },
    async revert() {
      const problems = await subject.revert();
      await settled().catch(() => {}); // One that stays is told to be abandoned.
      return problems;
    },
    async keep() {
      await subject.keep();
      await settled();
    },
  };
}

/** Undefined where nothing is on trial, and where nobody can tell. */
export async function readTrial(path: string, files: Files): Promise<TrialRecord | undefined> {
  try {
    const found = await files.read(path);
    return found && (JSON.parse(found.content) as TrialRecord);
  } catch {
    return undefined;
  }
}

/** Keeps the record in view. */
export class TrialWatch {
  readonly #clock: Clock;
  #record: TrialRecord | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  standing(): TrialStanding | undefined {
    return this.#record && trialStanding(this.#record, this.#clock.now());
  }

  /** Looks now, and after each change until `signal` aborts; calls `onChange` after each look. */
  async begin(path: string, files: Files, onChange: () => void, signal: AbortSignal): Promise<void> {
    const look = async () => {
      this.#record = await readTrial(path, files);
      onChange();
    };
    files.watch([path], () => void look(), signal);
    await look();
  }
}
