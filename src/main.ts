/** From arguments to an exit code. */
import { runCommandLine } from './cli/program.js';
import { commandContext } from './compose.js';

process.exitCode = await runCommandLine(commandContext(), process.argv.slice(2));
