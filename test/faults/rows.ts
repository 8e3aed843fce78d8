/** Every row of the scoreboard, in the order in which they are run and shown. */
import type { Row } from './row.js';
import { COMMAND_ROWS } from './rows/commands.js';
import { DATA_ROWS } from './rows/data.js';
import { ETCD_ROWS } from './rows/etcd.js';
import { EXTERNAL_ROWS } from './rows/external.js';
import { FILE_ROWS } from './rows/files.js';
import { KERNEL_ROWS } from './rows/kernel.js';
import { NETLINK_ROWS } from './rows/netlink.js';
import { PACKET_ROWS } from './rows/packets.js';
import { PROCESS_ROWS } from './rows/process.js';

export const ROWS: readonly Row[] = [
  ...KERNEL_ROWS,
  ...PROCESS_ROWS,
  ...FILE_ROWS,
  ...NETLINK_ROWS,
  ...ETCD_ROWS,
  ...EXTERNAL_ROWS,
  ...DATA_ROWS,
  ...PACKET_ROWS,
  ...COMMAND_ROWS,
];
