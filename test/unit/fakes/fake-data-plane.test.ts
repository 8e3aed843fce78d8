import { parseInterfaceAddress } from '../../../src/model/address.js';
import { ADDRESSES, dataPlaneContract } from '../../contract/data-plane-contract.js';
import { FakeDataPlane } from '../../fakes/fake-data-plane.js';
import { fakeHost } from '../../fakes/fake-kernel.js';

dataPlaneContract('FakeDataPlane', async (body) => {
  const kernel = fakeHost({ address: `${ADDRESSES[0]}/24`, gateway: '198.18.0.1' });
  kernel.foreign({ op: 'add-address', link: 'eth0', ...parseInterfaceAddress(`${ADDRESSES[1]}/24`) });
  kernel.tuns.create('flannel0', { multiQueue: false });
  const dataPlane = new FakeDataPlane(kernel);
  await body({
    dataPlane,
    makeTun: async (options) => kernel.tuns.create('flannel0', options),
    deleteTun: async () => kernel.foreign({ op: 'delete-link', name: 'flannel0' }),
    tunExists: async () => (await kernel.netlink.links()).some(({ name }) => name === 'flannel0'),
    holdTun: () => kernel.holdTun('flannel0'),
    holdPort: async (port) => {
      if (dataPlane.forwarder()?.bind.port === port) throw new Error(`Cannot hold port ${port}: it is taken`);
      dataPlane.takenPorts.add(port);
      return async () => {
        dataPlane.takenPorts.delete(port);
      };
    },
    killLoop: () => dataPlane.die(),
  });
});
