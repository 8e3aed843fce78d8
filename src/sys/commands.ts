/** The operator's own commands. */
import type { Commands } from '../ports.js';
import { runProgram } from './run-program.js';

export const systemCommands: Commands = {
  run: ([program = '', ...args], deadlineMs, signal, surroundings) =>
    runProgram({ program, args, deadlineMs, ...surroundings }, signal),
};
