/** What the commands are given to work with. compose.ts makes it; tests make it from fakes. */
import type { Config } from '../model/config.js';
import type { ConfigReference } from '../model/config-reference.js';
import type { LogFormat } from '../model/log-line.js';
import type { Painter } from '../model/paint.js';
import type { PlanDocument } from '../model/plan-document.js';
import type { ByteOutput, Clock, ControlSocket, Directories, Files, NetlinkRoute } from '../ports.js';
import type { StoreAccess } from '../reconcilers/store-access.js';
import type { RememberedDataPlane } from '../runtime/forwarding/remembered-data-plane.js';
import type { ConfigReading } from '../runtime/inputs/config-source.js';
import type { Inputs } from '../runtime/inputs/inputs.js';
import type { Reconcilers } from '../runtime/rounds/reconcilers.js';
import type { HostTools } from './host-tools.js';

export interface Session {
  readonly inputs: Inputs;
  readonly access: StoreAccess;
  readonly reconcilers: Reconcilers;
  close(): void;
}

export interface CommandContext {
  readonly version: string;
  /** Results. */
  readonly out: (text: string) => void;
  /** Colours for them, where they are wanted. */
  readonly paint: Painter;
  /** Everything else. */
  readonly err: (text: string) => void;
  /** Says on a terminal what is going on, until what it gives is called. Nothing anywhere else. */
  readonly showProgress: (what: () => string) => () => void;
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly control: ControlSocket;
  readonly pid: number;
  /** Results go to a terminal. */
  readonly isTerminal: boolean;
  /** Of this host, where no more than files is needed. */
  readonly files: Files;
  readonly directories: Directories;
  /** Starts this program once more, with other arguments, in a session of its own: it goes on when this one and its terminal are gone. */
  startDetached(argv: readonly string[]): void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Seen from the working directory: a daemon and those who ask it need not share one. */
  readonly absolutePath: (path: string) => string;
  /** A file, or a directory of files; with what was set. */
  readConfig(path: string): Promise<ConfigReading>;
  /** Values from the command line, over the file's: `network.mtu=1400`. */
  set(settings: readonly string[]): void;
  settings(): readonly string[];
  /** Where the JSON Schema of the file lies that came with this program. */
  readonly schemaPath: string;
  /** What the file may hold. */
  configReference(): Promise<ConfigReference>;
  /** A saved plan's text, or what is wrong with it. */
  readPlan(text: string): Promise<{ readonly plan: PlanDocument } | { readonly error: string }>;
  readText(path: string): Promise<string | undefined>;
  writeText(path: string, content: string): Promise<void>;
  /** A new file at `path`, 0600, in place of what is there; `-` is standard output. */
  openOutput(path: string): Promise<ByteOutput>;
  /** How the daemon writes its log; to be said before anything of it is loaded. */
  logAs(format: LogFormat): void;
  /** The daemon's packet loop. Quick to load: packets wait for it. */
  forwarding(): Promise<EarlyForwarding>;
  /** What reaches this host. Loading it takes a while: to be called by the commands that need it. */
  host(): Promise<HostAccess>;
  /** What looks for what is wrong, beyond the host. */
  tools(): Promise<HostTools>;
}

export interface EarlyForwarding {
  readonly dataPlane: RememberedDataPlane;
  /** Takes the instance for this process and goes on with what the last one forwarded. Rejects with CommandError naming another process that holds it. */
  begin(config: Config): Promise<void>;
  /** As HostAccess has it. */
  requirePrivileges(config: Config): Promise<void>;
  /** Stops the loop and gives the instance back. */
  end(): Promise<void>;
}

export interface HostAccess {
  /** Of the main table. */
  routes(): Promise<readonly NetlinkRoute[]>;
  /** Connections and system calls for one pass over the world; no packet loop. */
  openSession(config: Config): Session;
  /** Rejects with PrivilegeError naming the first one that is missing, before anything is touched. */
  requirePrivileges(config: Config): Promise<void>;
  /** One process for each instance on this host. Throws CommandError naming the other. */
  lock(config: Config): { release(): void };
  /** Removes what a daemon remembers for the next one. */
  forget(config: Config): Promise<void>;
  /** Runs the daemon until the context's signal aborts; its packet loop runs already. */
  runDaemon(path: string, config: Config, dataPlane: RememberedDataPlane): Promise<void>;
}
