/** The measurements for Prometheus, by prom-client. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { CONDITION_TYPES } from '../model/conditions.js';
import type { StatusReport } from '../model/status.js';
import type { Exposition, Meters } from '../ports.js';

/** Seconds: an event is answered in milliseconds, a back-off ends after ten seconds. */
const HEAL_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const STORE_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2];

/** Counts from now on; `report` tells the rest when somebody asks. */
export function createMeters(report: () => StatusReport): Meters & Exposition {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  exposeStatus(registry, report);

  const actions = new Counter({
    name: 'flannelette_actions_total',
    help: 'Changes that were tried, because something was not as wanted',
    labelNames: ['kind', 'verb', 'outcome'],
    registers,
  });
  const heals = new Histogram({
    name: 'flannelette_heal_seconds',
    help: 'From noticing that a kind of object is not as wanted to having seen that it is again',
    labelNames: ['kind'],
    buckets: HEAL_BUCKETS,
    registers,
  });
  const calls = new Histogram({
    name: 'flannelette_store_call_seconds',
    help: 'Round trips to the store, by what was asked and whether it answered',
    labelNames: ['call', 'outcome'],
    buckets: STORE_BUCKETS,
    registers,
  });
  return {
    acted: (kind, verb, outcome) => actions.inc({ kind, verb, outcome }),
    healed: (kind, seconds) => heals.observe({ kind }, seconds),
    storeCalled: (call, seconds, outcome) => calls.observe({ call, outcome }, seconds),
    text: async () => ({ text: await registry.metrics(), contentType: registry.contentType }),
  };
}

/** What the status says, read anew for each scrape. */
function exposeStatus(registry: Registry, report: () => StatusReport): void {
  const gauge = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Gauge({ name: `flannelette_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  // The loop's own counters, which begin anew with the process as a counter may.
  const counter = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Counter({
      name: `flannelette_${name}_total`,
      help,
      labelNames: [...labelNames],
      registers: [registry],
    });

  const build = gauge('build_info', 'Always 1; the version is a label', ['version', 'instance']);
  const ready = gauge('ready', '1 when everything is as wanted and packets can flow');
  const loaded = gauge('config_loaded_timestamp_seconds', 'When the file in force was read');
  const valid = gauge('config_valid', '0 while the file has mistakes and the one before it is in force');
  const condition = gauge('condition', '1 while the condition holds; see docs/conditions.md', ['type']);
  const objects = gauge('objects', 'Objects of this host by kind and state', ['kind', 'state']);
  const live = gauge('store_live', '1 while the store is followed');
  const expiry = gauge(
    'lease_expiry_timestamp_seconds',
    "When this host's lease ends unless it is refreshed",
    ['subnet'],
  );
  const peers = gauge('peers', 'Hosts that packets can be sent to');
  const packets = counter('packets', 'Packets through the packet loop', ['direction']);
  const bytes = counter('bytes', 'Bytes of those packets', ['direction']);
  const drops = counter('drops', 'Packets that the packet loop dropped, by reason', ['reason']);

  // One of them collects for all: the report is made once a scrape.
  Object.assign(build, {
    collect() {
      const now = report();
      build.set({ version: now.version, instance: now.instance }, 1);
      ready.set(Number(now.ready));
      loaded.set(Date.parse(now.config.loadedAt) / 1000);
      valid.set(Number(now.config.error === undefined));
      for (const type of CONDITION_TYPES)
        condition.set({ type }, Number(now.conditions.some((held) => held.type === type)));
      objects.reset();
      for (const { kind, state } of now.objects) objects.inc({ kind, state });
      live.set(Number(now.store.status === 'live'));
      expiry.reset();
      if (now.lease?.expiresAt !== undefined) {
        const subnet = now.network?.subnets.join(' ') ?? '';
        expiry.set({ subnet }, Date.parse(now.lease.expiresAt) / 1000);
      }
      peers.set(now.peers.length);
      for (const each of [packets, bytes, drops]) each.reset();
      const { sentPackets, sentBytes, receivedPackets, receivedBytes } = now.traffic;
      packets.inc({ direction: 'sent' }, sentPackets);
      packets.inc({ direction: 'received' }, receivedPackets);
      bytes.inc({ direction: 'sent' }, sentBytes);
      bytes.inc({ direction: 'received' }, receivedBytes);
      for (const [reason, count] of Object.entries(now.traffic.drops)) drops.inc({ reason }, count);
    },
  });
}
