/** docs/tour.md is a transcript: each line in it is run, and prints what stands there. GOLDEN=write writes it anew. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { memberAt, onCluster } from '../lab/cluster.js';
import { repositoryRoot } from '../lab/repository.js';
import { Shell } from '../lab/shell.js';

const PAGE = join(repositoryRoot(), 'docs/tour.md');
const PLACE = '/run/tour';

test('the tour goes as it is written', { timeout: 180_000 }, async () => {
  const page = readFileSync(PAGE, 'utf8');
  const file = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  await onCluster({ hosts: 2 }, async (cluster) => {
    const members = [memberAt(cluster, 0), memberAt(cluster, 1)];
    const shells = members.map(({ host }) => new Shell(host));
    try {
      for (const [index, { host }] of members.entries()) {
        await host.writeFile(`${PLACE}/flannelette.yaml`, file);
        await shells[index]?.run(`cd ${PLACE}; PATH=${repositoryRoot()}/bin:$PATH; export NO_COLOR=1`);
      }
      const run = async (host: number, command: string) => {
        // There is no systemd in a namespace: what dockerd would do with its options is done here.
        if (command === 'systemctl start docker') {
          await members[host - 1]?.docker();
          return '';
        }
        // Doctor, ping and validate end with another code where something is wrong.
        return shells[host - 1]?.run(`${command}${command.endsWith('&') ? '' : ' || true'}`) ?? '';
      };
      const now = await transcribed(page, run);
      if (process.env.GOLDEN === 'write') writeFileSync(PAGE, now);
      else assert.equal(now, page);
    } finally {
      await Promise.all(shells.map((shell) => shell.close()));
    }
  });
});

/** The page with what its lines print now. */
async function transcribed(
  page: string,
  run: (host: number, command: string) => Promise<string>,
): Promise<string> {
  const parts = page.split(/(```console\n[\s\S]*?```)/);
  const written: string[] = [];
  for (const part of parts) {
    if (!part.startsWith('```console')) {
      written.push(part);
      continue;
    }
    const lines: string[] = [];
    for (const [line, host, command = ''] of part.matchAll(/^host(\d)\$ (.*)$/gm)) {
      const printed = lasting(await run(Number(host), command));
      lines.push(line, ...(printed === '' ? [] : [printed]));
    }
    written.push(['```console', ...lines, '```'].join('\n'));
  }
  return written.join('');
}

/** Without what is another each time. */
function lasting(printed: string): string {
  return printed
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '…')
    .replace(/\b(pid|process|revision) \d+/g, '$1 …')
    .replace(/\b\d+h\d+m\b|\b\d+m\d+s\b/g, '…')
    .trimEnd();
}
