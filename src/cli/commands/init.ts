/** `init`: a file to begin with, with the line that tells editors its schema. */
import { CommandError, EXIT, type ExitCode } from '../exit-codes.js';
import type { CommandContext } from '../session.js';

/** Never writes over anything. */
export async function init(context: CommandContext, path: string): Promise<ExitCode> {
  if ((await context.readText(path)) !== undefined) {
    throw new CommandError(
      `Cannot write ${path}: it is there already; name another file with -f`,
      EXIT.failed,
    );
  }
  await context.writeText(path, firstFile(context.schemaPath));
  context.out(
    `Wrote ${path}; next: \`flannelette explain\`, \`flannelette validate\`, \`flannelette diff\`\n`,
  );
  return EXIT.done;
}

function firstFile(schemaPath: string): string {
  return `# yaml-language-server: $schema=${schemaPath}
# The same on every host. \`flannelette explain network.cidr\` tells what a key means.

network:
  # The network that all hosts share; each host takes a subnet of it.
  cidr: 10.244.0.0/16
  subnetLength: 24
  # How packets reach the other hosts.
  backend:
    type: udp

store:
  etcd:
    # Where the hosts learn of each other.
    endpoints: [http://127.0.0.1:2379]
`;
}
