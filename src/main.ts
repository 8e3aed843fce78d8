/** From arguments to an exit code. */
import { runCommandLine } from './cli/program.js';
import { commandContext, endProcess } from './compose.js';

await endProcess(await runCommandLine(commandContext(), process.argv.slice(2)));
