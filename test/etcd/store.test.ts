import { randomUUID } from 'node:crypto';
import { after, before } from 'node:test';
import { createEtcdStore } from '../../src/sys/etcd-store.js';
import { storeContract } from '../contract/store-contract.js';
import { EtcdServer } from '../lab/etcd.js';

let etcd: EtcdServer;
before(async () => {
  etcd = await EtcdServer.create();
  await etcd.start();
});
after(() => etcd.destroy());

storeContract('etcd', async () => {
  const section = {
    type: 'etcd',
    endpoints: [etcd.endpoint],
    prefix: `/test/${randomUUID()}`,
    leaseTtlSeconds: 86_400,
  } as const;
  return { store: createEtcdStore(section), other: createEtcdStore(section), close: async () => {} };
});
