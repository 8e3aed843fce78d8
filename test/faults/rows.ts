/** Every row of the scoreboard, in the order in which they are run and shown. */
import type { Row } from './row.js';
import { KERNEL_ROWS } from './rows/kernel.js';
import { PROCESS_ROWS } from './rows/process.js';

export const ROWS: readonly Row[] = [...KERNEL_ROWS, ...PROCESS_ROWS];
