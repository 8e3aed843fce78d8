/** /proc/sys/net in memory: each device has settings of its own, copied from `default` when it appears. */
import type { SysctlState } from '../../src/model/objects.js';
import { Refusal } from './fake-fib.js';

/** What each device has, with the values of a fresh network namespace. */
const DEVICE_SETTINGS: Readonly<Record<string, string>> = {
  'ipv4.accept_local': '0',
  'ipv4.arp_ignore': '0',
  'ipv4.forwarding': '0',
  'ipv4.proxy_arp': '0',
  'ipv4.rp_filter': '0',
  'ipv4.send_redirects': '1',
  'ipv6.accept_ra': '1',
  'ipv6.disable_ipv6': '0',
  'ipv6.forwarding': '0',
};

export class FakeSysctls {
  readonly #values = new Map<string, string>();
  /** Keys that were written since their device appeared, by us or by others. */
  readonly #written = new Set<string>();

  readonly #notify: (group: 'ipv4-netconf' | 'ipv6-netconf') => void;

  /** `notify` is told of each change that the kernel tells of: whether something is forwarded. */
  constructor(notify: (group: 'ipv4-netconf' | 'ipv6-netconf') => void) {
    this.#notify = notify;
    this.addDevice('all');
    this.addDevice('default');
  }

  addDevice(device: string): void {
    for (const [setting, initial] of Object.entries(DEVICE_SETTINGS)) {
      this.#values.set(keyOf(device, setting), this.#values.get(keyOf('default', setting)) ?? initial);
    }
  }

  removeDevice(device: string): void {
    for (const setting of Object.keys(DEVICE_SETTINGS)) {
      this.#values.delete(keyOf(device, setting));
      this.#written.delete(keyOf(device, setting));
    }
  }

  get(name: string): string | undefined {
    return this.#values.get(canonical(name));
  }

  /** Throws Refusal. */
  set({ name, value }: SysctlState): void {
    const key = canonical(name);
    if (!this.#values.has(key)) throw new Refusal('ENOENT', 'no such file or directory');
    if (!/^-?\d+$/.test(value)) throw new Refusal('EINVAL', 'invalid argument');
    const isOther = this.#values.get(key) !== value;
    this.#values.set(key, value);
    this.#written.add(key);
    const family = /^net\.(ipv[46])\.conf\..*\.forwarding$/.exec(key)?.[1];
    if (isOther && family !== undefined) this.#notify(family === 'ipv4' ? 'ipv4-netconf' : 'ipv6-netconf');
    // Forwarding for all is forwarding for each device, now and later (inet_forward_change in net/ipv4/devinet.c).
    const prefix = /^(net\.ipv[46]\.conf\.)all\.forwarding$/.exec(key)?.[1];
    if (prefix === undefined) return;
    for (const other of this.#values.keys()) {
      if (other.startsWith(prefix) && other.endsWith('.forwarding')) this.#values.set(other, value);
    }
  }

  /** One line for each setting that was written. */
  lines(): readonly string[] {
    return [...this.#written].map((key) => `sysctl ${key} = ${this.#values.get(key)}`);
  }
}

/** One setting has two names (net/ipv4/devinet.c). */
function canonical(name: string): string {
  return name === 'net.ipv4.ip_forward' ? 'net.ipv4.conf.all.forwarding' : name;
}

function keyOf(device: string, setting: string): string {
  const [family, field] = setting.split('.');
  return `net.${family}.conf.${device.replaceAll('.', '/')}.${field}`;
}
