/** The files in memory keep the contract that the disk keeps. */
import { filesContract } from '../contract/files-contract.js';
import { FakeFiles } from '../fakes/fake-files.js';

filesContract('FakeFiles', async (body) => {
  const files = new FakeFiles();
  await body({
    files,
    root: '/root',
    edit: (path, content) => files.edit(path, content),
    chmod: (path, mode) => files.chmod(path, mode),
    delete: (path) => files.delete(path),
  });
});
