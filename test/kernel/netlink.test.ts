/** Linux itself, each test in a fresh network namespace. */
import { execFileSync } from 'node:child_process';
import * as libc from '../../src/sys/libc.js';
import { KernelNetlink } from '../../src/sys/netlink/netlink.js';
import { kernelSysctls } from '../../src/sys/sysctls.js';
import * as tun from '../../src/sys/tun.js';
import { netlinkContract } from '../contract/netlink-contract.js';
import { inFreshNamespace } from '../lab/namespace.js';

netlinkContract('KernelNetlink', (body) =>
  inFreshNamespace(async () => {
    const netlink = new KernelNetlink();
    try {
      await body({
        netlink,
        tuns: tun.kernelTuns,
        sysctls: kernelSysctls,
        addVeth: (name, peer) =>
          void execFileSync('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', peer]),
        holdTun(name) {
          const fd = tun.openTunCloneDevice();
          const flags = tun.IFF_TUN | tun.IFF_NO_PI;
          libc.ioctl(fd, tun.TUNSETIFF, tun.tunRequest(name, flags), `hold ${name}`);
          return () => libc.close(fd);
        },
      });
    } finally {
      netlink.close();
    }
  }),
);
