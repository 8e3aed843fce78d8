/** What the commands are given that look for what is wrong. compose-tools.ts makes it; tests make it from fakes. */
import type { Config } from '../model/config.js';
import type { DoctorFacts } from '../model/doctor/facts.js';
import type { LayerReport } from '../runtime/looking/layered-ping.js';

export interface HostTools {
  /** One look at everything that `doctor` judges. Reads only; rejects on abort alone. */
  doctorFacts(path: string, config: Config, daemon: DoctorFacts['daemon']): Promise<DoctorFacts>;
  /** Goes through the layers to another host. `asked` is an address, a subnet or a name. */
  ping(config: Config, asked: string): Promise<readonly LayerReport[]>;
  /** Runs one line of a shell, without input. */
  shell(line: string): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
}
