/** Where a whole run is written down. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repositoryRoot } from '../test/lab/repository.js';
import { chartSvg } from './chart.js';
import { everything, headlines, withBlock } from './markdown.js';
import type { Results } from './results.js';

export async function writeDocs(results: Results): Promise<void> {
  const root = repositoryRoot();
  await writeFile(join(root, 'docs/bench/results.json'), `${JSON.stringify(results, null, 2)}\n`);
  await writeFile(join(root, 'docs/bench/chart.svg'), chartSvg(results));
  await rewrite(join(root, 'docs/bench/README.md'), everything(results));
  await rewrite(join(root, 'README.md'), headlines(results));
}

async function rewrite(path: string, content: string): Promise<void> {
  await writeFile(path, withBlock(await readFile(path, 'utf8'), content));
}
