/** flannel's alloc backend: a subnet and the files that tell of it. How packets reach the other hosts is somebody else's affair. */
import type { Backend } from './backend.js';

export const alloc = {
  type: 'alloc',
  options: {},
  plan: ({ mtu, host: { external } }) => ({
    mtu: mtu === 'auto' ? external.mtu : mtu,
    lease: { backendType: '' },
    objects: {},
    devices: [],
    entrances: [external.name],
    ignored: [],
  }),
} as const satisfies Backend;
