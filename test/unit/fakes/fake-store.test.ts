import { storeContract } from '../../contract/store-contract.js';
import { FakeStore } from '../../fakes/fake-store.js';

storeContract('fake', async () => {
  const store = new FakeStore();
  return { store, other: store, close: async () => {} };
});
