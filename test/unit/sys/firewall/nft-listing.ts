/** What nft lists, made by hand, and the rule in it that is found. */
import { parseAddress } from '../../../../src/model/address.js';
import { nftHarm } from '../../../../src/sys/firewall/nft-datagrams.js';

const DATAGRAMS = { address: parseAddress('192.0.2.10'), port: 8285, link: 'eth0' };

/** Objects as `nft --json list ruleset` prints them. */
export function harm(...objects: readonly object[]) {
  const metainfo = {
    metainfo: { version: '1.0.6', release_name: 'Lester Gooch #5', json_schema_version: 1 },
  };
  return nftHarm(JSON.stringify({ nftables: [metainfo, ...objects] }), DATAGRAMS, () => false);
}

export const AT = { family: 'inet', table: 't' };
export const base = (hook: string, fields: object = {}) => ({
  chain: { ...AT, name: 'c', handle: 1, type: 'filter', hook, prio: 0, policy: 'accept', ...fields },
});
export const rule = (expr: readonly object[], chain = 'c') => ({ rule: { ...AT, chain, handle: 2, expr } });
export const match = (left: object, right: unknown, op = '==') => ({ match: { op, left, right } });
export const payload = (protocol: string, field: string) => ({ payload: { protocol, field } });
export const meta = (key: string) => ({ meta: { key } });
export const DROP = { drop: null };
export const ACCEPT = { accept: null };
export const COUNTER = { counter: { packets: 3, bytes: 84 } };
