/**
 * Makes dist/program of the compiled program and the packages that it uses: a few files in place of four hundred, which
 * Node finds, reads and compiles in half the time (docs/decisions/0021-start.md). What is loaded late stays in files of
 * its own. koffi is native and stays where it is.
 */
import { readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { repositoryRoot } from '../test/lab/repository.js';

const root = repositoryRoot();
const compiled = join(root, 'dist/src');
const program = join(root, 'dist/program');

const PROTO_LOADED = /\(0, proto_loader_1\.loadSync\)\(`\$\{__dirname\}\/\.\.\/proto\/rpc\.proto`,/;

/** etcd's interface as etcd3 reads it at its start, read now: no file to be found, and no grammar to be parsed. */
const etcdInterface: Plugin = {
  name: 'etcd-interface',
  setup({ onLoad }) {
    onLoad({ filter: /[/]etcd3[/]lib[/]connection-pool[.]js$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      if (!PROTO_LOADED.test(text)) throw new Error(`${path} does not load rpc.proto as it used to`);
      const contents = text.replace(
        PROTO_LOADED,
        () => `(0, proto_loader_1.fromJSON)(${JSON.stringify(protoOf(path))},`,
      );
      return { contents, loader: 'js' };
    });
  },
};

/** What loadSync would make of the file; with protobufjs as proto-loader has it. */
function protoOf(connectionPool: string): object {
  const loader = createRequire(connectionPool).resolve('@grpc/proto-loader');
  const { Root } = createRequire(loader)('protobufjs') as typeof import('protobufjs');
  const file = join(dirname(connectionPool), '../proto/rpc.proto');
  return new Root().loadSync(file, { keepCase: true }).toJSON();
}

rmSync(program, { recursive: true, force: true });
await build({
  entryPoints: {
    'bin/main': join(compiled, 'main.js'),
    // Where packet-worker.js looks for it, seen from the directory of the chunks.
    'dataplane/worker': join(compiled, 'dataplane/worker.js'),
  },
  outdir: program,
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.18',
  external: ['koffi'],
  // Packages of the older kind ask for Node's modules by require.
  banner: {
    js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
  },
  plugins: [etcdInterface],
  logLevel: 'warning',
});
