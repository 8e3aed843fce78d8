/** The import rule and its companions as data, each with its reason: the reason is what one reads when it bites. */
import { posix } from 'node:path';
import { KINDS } from '../../../src/model/objects.js';
import { scan } from './scan.js';

interface Layer {
  readonly name: string;
  readonly files: RegExp;
  /** What its files may import of ours. */
  readonly imports: RegExp;
  /** npm packages. Types count too. */
  readonly packages?: RegExp;
  /** Whether `node:` modules, clock, chance, environment and the global process are there for it. */
  readonly effects?: boolean;
  readonly because: string;
}

const LAYERS: readonly Layer[] = [
  {
    name: 'model',
    files: /^src\/model\//,
    imports: /^src\/model\//,
    because: 'the model is pure, so that a plan can be computed, tested and replayed without a world',
  },
  {
    name: 'wire',
    files: /^src\/wire\//,
    imports: /^src\/(wire|model)\//,
    because: 'wire turns bytes into values of the model and back, and does nothing else',
  },
  {
    name: 'ports',
    files: /^src\/ports(\.ts$|\/)/,
    imports: /^src\/(model|ports)\//,
    because: 'a port is stated in words of the model, never in those of one implementation',
  },
  {
    name: 'reconcilers',
    files: /^src\/reconcilers\//,
    imports: /^src\/(model\/|wire\/|ports\.ts|reconcilers\/)/,
    because: 'reconcilers reach the world through ports alone, so that fakes can stand in for it',
  },
  {
    name: 'packet worker',
    files: /^src\/dataplane\/worker\.ts$/,
    imports: /^src\/(dataplane|wire|model|sys)\/|^src\/ports\.ts$/,
    effects: true,
    because: "it is the packet loop's composition root",
  },
  {
    name: 'dataplane',
    files: /^src\/dataplane\//,
    imports: /^src\/(dataplane|wire|model)\/|^src\/ports\.ts$/,
    because: 'the packet loop runs in a test without a kernel; worker.ts alone gives it real sockets',
  },
  {
    name: 'config',
    files: /^src\/config\//,
    imports: /^src\/(config|model)\//,
    packages: /^(js-yaml|zod)$/,
    because: 'config turns a text into values; who reads the text is not its business',
  },
  {
    name: 'convert',
    files: /^src\/convert\//,
    imports: /^src\/(convert|config|wire|model)\//,
    because:
      "it turns flanneld's text into the file's, and asks the file's own rules; both texts are its caller's",
  },
  {
    name: 'cli',
    files: /^src\/cli\//,
    imports:
      /^src\/(cli|convert|model|runtime)\/|^src\/ports\.ts$|^src\/reconcilers\/(reconciler|store-access)\.ts$/,
    packages: /^(commander|js-yaml)$/,
    because: 'commands are thin: they run what is handed to them and print what came of it',
  },
  {
    name: 'assembly',
    files: /^src\/assembly\.ts$/,
    imports: /^src\/(model|reconcilers|runtime)\/|^src\/ports\.ts$/,
    because: 'it puts reconcilers over ports, whichever they are, so that tests assemble the same host',
  },
  {
    name: 'runtime',
    files: /^src\/runtime\//,
    imports:
      /^src\/(runtime|model|wire)\/|^src\/ports\.ts$|^src\/reconcilers\/(reconciler|store-access|path-watch)\.ts$/,
    because:
      'rounds and loops are the same for every kind, so they know what all reconcilers share and no single one',
  },
  {
    name: 'sys',
    files: /^src\/sys\//,
    imports: /^src\/(sys|model|wire|dataplane)\/|^src\/ports\.ts$/,
    packages: /^(koffi|netlink\/dist\/.+|etcd3|@grpc\/grpc-js|cockatiel|pino|prom-client)$/,
    effects: true,
    because:
      "sys implements ports, the packet loop's own among them; it decides nothing, so it needs nobody who decides",
  },
  {
    name: 'compose',
    files: /^src\/compose(-forwarding|-host|-privileges|-tools)?\.ts$/,
    imports: /^src\/(?!main\.ts)/,
    because: 'the composition root knows both sides of every port, and leaves effects to sys',
  },
  {
    name: 'main',
    files: /^src\/main\.ts$/,
    imports: /^src\/(compose\.ts|cli\/|config\/|model\/|ports\.ts)/,
    effects: true,
    because: 'main turns arguments into an exit code; what is real is put together in compose.ts',
  },
];

/** What the effects are, and why a pure file that needs one takes it as an argument. */
const EFFECTS: readonly { readonly pattern: RegExp; readonly reason: string }[] = [
  { pattern: /(?<![.\w])Date\.now\b/, reason: 'the clock is a port' },
  { pattern: /\bnew Date\(\s*\)/, reason: 'the clock is a port' },
  { pattern: /(?<![.\w])performance\s*\./, reason: 'the clock is a port' },
  { pattern: /(?<![.\w])AbortSignal\.timeout\b/, reason: 'the clock is a port' },
  {
    pattern: /(?<![.\w])(set|clear)(Timeout|Interval|Immediate)\b/,
    reason: 'waiting is done by the clock, a port',
  },
  { pattern: /(?<![.\w])Math\.random\b/, reason: 'chance is a port' },
  { pattern: /(?<![.\w])crypto\s*\./, reason: 'chance is a port' },
  { pattern: /(?<![.\w])process\s*\./, reason: 'environment and process are the business of sys and main' },
  { pattern: /(?<![.\w])globalThis\b/, reason: 'it hides which global is meant' },
  { pattern: /(?<![.\w])fetch\s*\(/, reason: 'the network is reached through ports' },
  { pattern: /(?<![.\w])console\s*\./, reason: 'results are returned, the log is a port' },
  { pattern: /(?<![.\w])Buffer\b/, reason: 'pure code works on Uint8Array and DataView' },
];

/** One sentence for each breach, sorted; none when `files` (path from the root of the repository → text) obeys. */
export function violations(files: ReadonlyMap<string, string>): readonly string[] {
  const found: string[] = [];
  const graph = new Map<string, string[]>();
  for (const [path, source] of files) {
    const layer = LAYERS.find((candidate) => candidate.files.test(path));
    if (layer === undefined) {
      found.push(`${path} belongs to no layer: give it a place in test/unit/architecture/rules.ts`);
      continue;
    }
    const { imports, code } = scan(path, source);
    graph.set(path, ours(path, imports));
    found.push(
      ...nameBreaches(path),
      ...imports.flatMap((specifier) => importBreaches(path, specifier, layer, files)),
      ...codeBreaches(path, code, layer),
    );
  }
  return [...found, ...cycles(graph)].sort();
}

function nameBreaches(path: string): string[] {
  const name = posix.basename(path, '.ts');
  if (/^(utils?|helpers?|common|index|misc|shared)$/.test(name)) {
    return [`${path} is named after nothing: a file is called by the one thing inside`];
  }
  return /^[a-z0-9]+(-[a-z0-9]+)*$/.test(name) ? [] : [`${path} is not in kebab-case`];
}

function importBreaches(
  path: string,
  specifier: string,
  layer: Layer,
  files: ReadonlyMap<string, string>,
): string[] {
  const because = `${layer.name} may not: ${layer.because}`;
  if (specifier.startsWith('node:')) {
    return layer.effects === true ? [] : [`${path} imports ${specifier}; ${because}`];
  }
  if (!specifier.startsWith('.')) {
    if (specifier === 'netlink') {
      return [
        `${path} imports netlink itself, whose native socket aborts the process: import netlink/dist/...`,
      ];
    }
    return layer.packages?.test(specifier) === true
      ? []
      : [`${path} imports the package ${specifier}; ${because}`];
  }
  const target = resolved(path, specifier);
  if (!files.has(target)) return [`${path} imports ${specifier}, but there is no ${target}`];
  if (isReconciler(target) && path.startsWith('src/reconcilers/')) {
    return [`${path} imports ${target}: reconcilers meet through the world only`];
  }
  return layer.imports.test(target) ? [] : [`${path} imports ${target}; ${because}`];
}

function codeBreaches(path: string, code: string, layer: Layer): string[] {
  const found: string[] = [];
  if (/\bexport\s+default\b|\bas\s+default\b/.test(code)) {
    found.push(`${path} has a default export: a thing has one name everywhere`);
  }
  if (layer.effects === true) return found;
  for (const { pattern, reason } of EFFECTS) {
    const match = pattern.exec(code);
    if (match !== null) found.push(`${path} uses ${match[0]}: ${reason}`);
  }
  return found;
}

/** A file named after a kind of object drives that kind; the others in the folder are what they share. */
function isReconciler(path: string): boolean {
  return KINDS.some((kind) => path === `src/reconcilers/${kind}.ts`);
}

function ours(path: string, imports: readonly string[]): string[] {
  return imports
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => resolved(path, specifier));
}

function resolved(path: string, specifier: string): string {
  return posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts');
}

/** As circles among src/ are: for what has no layers. */
export function circles(files: ReadonlyMap<string, string>): readonly string[] {
  const graph = new Map<string, string[]>();
  for (const [path, source] of files) graph.set(path, ours(path, scan(path, source).imports));
  return cycles(graph);
}

/** Each circle once, from its first file in the order of the graph. Types count: a circle of ideas is one too. */
function cycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  function visit(path: string): void {
    if (trail.includes(path)) {
      found.push(`${[...trail.slice(trail.indexOf(path)), path].join(' → ')} is a circle of imports`);
      return;
    }
    if (done.has(path)) return;
    trail.push(path);
    for (const next of graph.get(path) ?? []) visit(next);
    trail.pop();
    done.add(path);
  }
  for (const path of graph.keys()) visit(path);
  return found;
}
