/** The daemon's packet loop by itself: loaded before everything else, so that packets wait for nothing that they do not need. */
import { CommandError, EXIT } from './cli/exit-codes.js';
import type { EarlyForwarding } from './cli/session.js';
import type { LogFormat } from './model/log-line.js';
import { type Log, NEVER } from './ports.js';
import { confirmationPath, isConfirmed } from './runtime/forwarding/confirmation.js';
import { RememberedDataPlane } from './runtime/forwarding/remembered-data-plane.js';
import { systemClock } from './sys/clock.js';
import { createDataPlane } from './sys/data-plane.js';
import { systemFiles } from './sys/files.js';
import {
  acquireInstanceLock,
  InstanceHeldError,
  type InstanceLock,
  type InstanceToLock,
} from './sys/instance-lock.js';
import { systemLog } from './sys/log.js';

/** Its thread starts at once, beside whatever the caller does next. */
export function earlyForwarding(logFormat: LogFormat, signal: AbortSignal): EarlyForwarding {
  const log = systemLog(logFormat);
  const dataPlane = new RememberedDataPlane(createDataPlane({ log, early: true }), systemFiles, log);
  let lock: InstanceLock | undefined;
  return {
    dataPlane,
    async begin(config) {
      lock = instanceLock(config.instance, log);
      const isYoung = await isConfirmed(confirmationPath(config), systemFiles, systemClock);
      if (isYoung) await dataPlane.resume(config, signal);
      else log.warn({}, 'forwarding not resumed: the store has not confirmed it for a day');
    },
    async requirePrivileges({ instance }) {
      const { requirePrivilegesHere } = await import('./compose-privileges.js');
      await requirePrivilegesHere(instance.name, signal);
    },
    async end() {
      try {
        await dataPlane.shutDown(NEVER);
      } finally {
        lock?.release();
      }
    },
  };
}

export function instanceLock(instance: InstanceToLock, log: Log): InstanceLock {
  try {
    return acquireInstanceLock(instance, log);
  } catch (error) {
    if (error instanceof InstanceHeldError)
      throw new CommandError(error.message, EXIT.held, { cause: error });
    throw error;
  }
}
