/** Another host through the layers, from the ground up: the first that fails is where to look. */
import type { Address } from '../../model/address.js';
import type { PingTarget } from '../../model/ping-target.js';
import { type Netlink, SystemError, type UdpKnock } from '../../ports.js';
import type { HostPrograms } from './host-programs.js';

export const PING_LAYERS = ['store', 'underlay', 'overlay', 'container'] as const;
export type PingLayer = (typeof PING_LAYERS)[number];

/** `unknown`: nothing came back, which need not be wrong. */
export type PingOutcome = 'passed' | 'failed' | 'unknown' | 'skipped';

export interface LayerReport {
  readonly layer: PingLayer;
  readonly outcome: PingOutcome;
  /** What was seen, and for a failure where to look next. */
  readonly detail: string;
}

export interface LayeredPingPorts {
  readonly netlink: Pick<Netlink, 'routeTo'>;
  readonly programs: Pick<HostPrograms, 'echo'>;
  readonly knock: UdpKnock;
}

/** As large as ping's own. */
const ECHO_BYTES = 84;

/** The layers above the store's; after one that failed the rest is skipped. Rejects on abort, or when a program is missing. */
export async function layeredPing(
  target: PingTarget,
  ports: LayeredPingPorts,
  signal: AbortSignal,
): Promise<readonly LayerReport[]> {
  const steps = { underlay, overlay, container } as const;
  const reports: LayerReport[] = [];
  for (const layer of ['underlay', 'overlay', 'container'] as const) {
    const hasFailed = reports.some(({ outcome }) => outcome === 'failed');
    const report = hasFailed
      ? { outcome: 'skipped' as const, detail: 'a layer below it fails' }
      : await steps[layer](target, ports, signal);
    reports.push({ layer, ...report });
  }
  return reports;
}

type Step = Omit<LayerReport, 'layer'>;

async function underlay(
  { publicIp, port }: PingTarget,
  { netlink, programs, knock }: LayeredPingPorts,
  signal: AbortSignal,
): Promise<Step> {
  const way = await netlink.routeTo(publicIp);
  if (way === undefined)
    return {
      outcome: 'failed',
      detail: `the kernel has no route to ${publicIp}: see \`ip route get ${publicIp}\``,
    };
  const by = `${publicIp} by ${way.link}`;
  const [echo, answer] = await Promise.all([
    programs.echo(publicIp, ECHO_BYTES, signal),
    port === undefined ? ('silent' as const) : knock(publicIp, port, signal).catch(asRefusal),
  ]);
  if (answer instanceof SystemError) return { outcome: 'failed', detail: `${by}: ${answer.message}` };
  if (answer === 'refused') {
    const detail = `${by}: nobody listens on UDP port ${port} there, or a firewall of that host rejects it: does its daemon run?`;
    return { outcome: 'failed', detail };
  }
  if (answer === 'unreachable')
    return { outcome: 'failed', detail: `${by}: the host does not answer on the link: is it up?` };
  if (echo === 'answered')
    return {
      outcome: 'passed',
      detail: `${by} answers${port === undefined ? '' : `, and does not refuse UDP port ${port}`}`,
    };
  return { outcome: 'unknown', detail: `${by} answers no echo, which a firewall may keep back` };
}

/** What this host itself has against it is a finding. */
function asRefusal(error: unknown): SystemError {
  if (error instanceof SystemError) return error;
  throw error;
}

async function overlay(
  { overlay: address, publicIp, port }: PingTarget,
  { netlink, programs }: LayeredPingPorts,
  signal: AbortSignal,
): Promise<Step> {
  if (address === undefined) return { outcome: 'skipped', detail: 'the backend wraps nothing' };
  const what = await echoed(address, netlink, programs, signal);
  if (what.answered) return { outcome: 'passed', detail: what.text };
  const detail = `${what.text}: what is sent to UDP port ${port} of ${publicIp} is lost, or its answer is; run \`flannelette doctor\` on both hosts`;
  return { outcome: 'failed', detail };
}

async function container(
  { container: address }: PingTarget,
  { netlink, programs }: LayeredPingPorts,
  signal: AbortSignal,
): Promise<Step> {
  const what = await echoed(address, netlink, programs, signal);
  if (what.answered) return { outcome: 'passed', detail: what.text };
  const detail = `${what.text}: no such container, Docker's bridge is not up there, or a firewall drops what is forwarded`;
  return { outcome: 'failed', detail };
}

async function echoed(
  address: Address,
  netlink: LayeredPingPorts['netlink'],
  programs: LayeredPingPorts['programs'],
  signal: AbortSignal,
): Promise<{ readonly answered: boolean; readonly text: string }> {
  const way = await netlink.routeTo(address);
  if (way === undefined) return { answered: false, text: `the kernel has no route to ${address}` };
  const answered = (await programs.echo(address, ECHO_BYTES, signal)) === 'answered';
  return { answered, text: `${address} by ${way.link} ${answered ? 'answers' : 'does not answer'}` };
}
