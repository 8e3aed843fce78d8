/** From arguments to an exit code. */
import { runCommandLine } from './cli/program.js';
import { commandContext } from './compose.js';
import { endProcess, endWithoutReader } from './sys/process.js';

endWithoutReader();
await endProcess(await runCommandLine(commandContext(), process.argv.slice(2)));
