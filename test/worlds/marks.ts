/**
 * Whose a line of a printed world is, told by the marks alone and by rules of its own: what the program takes for its
 * own must agree with this.
 */
import { contains, parseAddress, parsePrefix } from '../../src/model/address.js';

/** How the objects of one instance are marked. */
export interface Marks {
  readonly name: string;
  readonly routeProtocol: number;
  /** That of the file, else that of the store. */
  readonly network: string | undefined;
  readonly publicIp: string;
  /** Paths of the files of this instance. */
  readonly files: readonly string[];
  /** Path of Docker's file, which is the operator's but for what the record beside our state says. */
  readonly daemonJson: string;
}

export interface Shares {
  readonly ours: readonly string[];
  readonly foreign: readonly string[];
}

export function shares(world: readonly string[], marks: Marks): Shares {
  const lines = withDockerSettingsApart(world, marks);
  const isOurs = ownership(lines, marks);
  const ours = lines.filter(isOurs);
  const known = new Set(ours);
  return { ours, foreign: lines.filter((line) => !known.has(line)) };
}

/** Lines of what sits on the device: it goes when the device goes, whoever put it there. */
export function isOnDevice(line: string, { name }: Marks): boolean {
  return /^(address|route) /.test(line)
    ? `${line} `.includes(` dev ${name} `)
    : line.startsWith(`sysctl net.ipv4.conf.${name.replaceAll('.', '/')}.`);
}

function ownership(lines: readonly string[], marks: Marks): (line: string) => boolean {
  const { name, routeProtocol, publicIp, files } = marks;
  const alias = `alias "flannelette ${name}"`;
  const isMarked = lines.some((line) => line.startsWith(`link ${name} `) && line.endsWith(alias));
  const written = new Set(writtenFiles(lines, marks));
  const chain = `chain ipv4 ${name === 'flannel0' ? 'FLANNEL-FWD' : `FLANNEL-FWD-${name}`} `;
  const ofChain = lines.filter((line) => `${line} `.startsWith(chain));
  // A chain is ours by the comments in it, since flanneld's has the same name; one without any belongs to nobody.
  const isOurChain =
    ofChain.some((line) => / by .*flannelette/.test(line)) || !ofChain.some((line) => line.includes(' by '));

  const rules: Readonly<Record<string, (line: string) => boolean>> = {
    // Devices carry our alias. A TUN of our name that nobody marked, raised or holds was left by a death while it was made.
    link: (line) =>
      line.endsWith(alias) || (line.startsWith(`link ${name} tun `) && line.endsWith(' down no-carrier')),
    // Addresses on our device, of a host alone or inside the network.
    address(line) {
      const [, address = '', length, device] = /^address ([^/]+)\/(\d+) dev (\S+)/.exec(line) ?? [];
      return isMarked && device === name && (length === '32' || isInside(address, marks));
    },
    // Routes carry our protocol, and lead over our device or into our network. What the kernel makes of the
    // addresses on our device comes and goes with its state.
    route(line) {
      const [, destination = ''] = /^route (\d\S+) /.exec(line) ?? [];
      if (isMarked && isOnDevice(line, marks) && line.includes(' proto kernel')) return true;
      const carriesProtocol = `${line} `.includes(` proto ${routeProtocol} `);
      return carriesProtocol && (isOnDevice(line, marks) || isInside(destination, marks));
    },
    // Two settings have no owner: they are set and left so.
    sysctl: (line) =>
      /^sysctl net\.ipv4\.(ip_forward|conf\.all\.forwarding) =/.test(line) ||
      line.startsWith(`sysctl net.ipv4.conf.${name.replaceAll('.', '/')}.accept_local =`),
    // An nft table is ours by its name.
    table: (line) => line.split(' ')[2] === `flannelette-${name}`,
    chain: (line) => isOurChain && `${line} `.startsWith(chain),
    file: (line) => files.includes(line.split(' ')[1] ?? '') || written.has(line),
    our: () => true,
    // Leases carry our public address. Reservations hang on no etcd lease, and are the operator's.
    store: (line) =>
      line.startsWith('store subnets/') &&
      line.includes(`"PublicIP":"${publicIp}"`) &&
      line.endsWith(' on a lease'),
  };
  return (line) => rules[line.slice(0, line.indexOf(' '))]?.(line) ?? false;
}

/** Which of these files say what the record has as written by us; the rest is somebody else's, wherever it stands. */
export function writtenFiles(lines: readonly string[], { files }: Marks): readonly string[] {
  const recordPath = files.find((path) => path.endsWith('/files.json')) ?? '';
  const record = members(lines.find((line) => line.startsWith(`file ${recordPath} `)));
  return lines.filter((line) => {
    const [, path = '', content = '""'] = /^file (\S+) \d+ (.*)$/.exec(line) ?? [];
    const contents = record[path];
    return Array.isArray(contents) && contents.includes(JSON.parse(content));
  });
}

/** A line of its own for each setting in daemon.json; which of them are ours is written in the record. */
function withDockerSettingsApart(lines: readonly string[], { daemonJson, files }: Marks): readonly string[] {
  const fileLine = (path: string) => lines.find((line) => line.startsWith(`file ${path} `));
  const record = members(fileLine(files.find((path) => path.endsWith('/daemon-json.json')) ?? ''));
  const written = new Set(Object.keys((record.written ?? {}) as object));
  const line = fileLine(daemonJson);
  if (line === undefined || !line.includes(' "{')) return lines;
  const settings = Object.entries(members(line)).map(
    ([name, value]) => `${written.has(name) ? 'our ' : ''}setting ${name} ${JSON.stringify(value)}`,
  );
  return [...lines.filter((other) => other !== line), ...settings];
}

/** Of the JSON object that is the file's content, printed as a string. */
function members(line: string | undefined): Readonly<Record<string, unknown>> {
  const [, content] = /^file \S+ \d+ (.*)$/.exec(line ?? '') ?? [];
  return content === undefined ? {} : JSON.parse(JSON.parse(content));
}

function isInside(destination: string, { network }: Marks): boolean {
  if (network === undefined || !/^\d/.test(destination)) return false;
  const inner = destination.includes('/') ? parsePrefix(destination) : parseAddress(destination);
  return contains(parsePrefix(network), inner);
}
