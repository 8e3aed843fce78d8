/** The kernel's settings, below /proc/sys. */
import type { SysctlState } from '../model/objects.js';

export interface Sysctls {
  /** Undefined when the kernel has no such setting, for example because the device is absent. */
  read(name: string): Promise<string | undefined>;
  /** Throws SystemError. */
  write(setting: SysctlState): Promise<void>;
}
