/**
 * Every effect the program has, as an interface: what follows names them all, and each has a file of its own in ports/.
 * src/sys implements them; test/fakes answers as strictly as the real ones.
 */
export type * from './ports/byte-output.js';
export * from './ports/clock.js';
export type * from './ports/commands.js';
export type * from './ports/control-socket.js';
export type * from './ports/data-plane.js';
export type * from './ports/directories.js';
export * from './ports/errors.js';
export type * from './ports/files.js';
export type * from './ports/firewall.js';
export type * from './ports/log.js';
export type * from './ports/monitoring.js';
export type * from './ports/netlink.js';
export type * from './ports/notifier.js';
export type * from './ports/random.js';
export type * from './ports/store.js';
export type * from './ports/sysctls.js';
export type * from './ports/tuns.js';
export type * from './ports/udp-knock.js';
