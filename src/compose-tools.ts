/** Puts the real parts together for the commands that look for what is wrong. */
import type { HostTools } from './cli/host-tools.js';
import { hostPorts, openSession } from './compose-host.js';
import { requirePrivilegesHere } from './compose-privileges.js';
import { doctorFacts } from './runtime/looking/doctor-facts.js';
import { HostPrograms } from './runtime/looking/host-programs.js';
import { pingHost } from './runtime/looking/ping-host.js';
import { systemCommands } from './sys/commands.js';
import { httpDate } from './sys/http-date.js';
import { addressOf } from './sys/name-service.js';
import { udpKnock } from './sys/udp-knock.js';

const SERVER_TIME_MS = 1_000;
const SHELL_MS = 60_000;

export function hostTools(signal: AbortSignal): HostTools {
  return {
    async doctorFacts(configPath, config, daemon) {
      const session = openSession(config);
      const requirePrivileges = () => requirePrivilegesHere(config.instance.name, signal);
      const serverTime = (url: string) => httpDate(url, SERVER_TIME_MS);
      try {
        const about = { configPath, config, session, daemon, requirePrivileges, serverTime };
        return await doctorFacts({ ...hostPorts(), ...about }, signal);
      } finally {
        session.close();
      }
    },
    async ping(config, asked) {
      const session = openSession(config);
      const { netlink, commands } = hostPorts();
      try {
        const deps = {
          ...session,
          netlink,
          programs: new HostPrograms(commands),
          knock: udpKnock,
          addressOf,
        };
        return await pingHost(asked, deps, signal);
      } finally {
        session.close();
      }
    },
    shell: (line) => systemCommands.run(['sh', '-c', line], SHELL_MS, signal),
  };
}
