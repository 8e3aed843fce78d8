/** How figures become a table, a chart and the text of the documents, and that the documents hold what was measured. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { chartSvg } from '../../bench/chart.js';
import { everything, headlines, withBlock } from '../../bench/markdown.js';
import { benchOptions } from '../../bench/options.js';
import { type Results, ratioToVxlan, shown, summaryOf } from '../../bench/results.js';
import { tableText } from '../../bench/table.js';
import { repositoryRoot } from '../lab/repository.js';

const RESULTS: Results = {
  measuredAt: '2026-11-27T05:00:00.000Z',
  commit: 'abc1234',
  machine: { processor: 'A', cores: 2, memoryGiB: 8, kernel: '6.18', system: 'Debian', node: 'v20.20.2' },
  seconds: 3,
  figures: [
    { underlay: 'segmenting', path: 'vxlan', figure: 'tcp1', values: [10_000, 9000, 11_000] },
    { underlay: 'segmenting', path: 'auto', figure: 'tcp1', values: [6500, 6000, 7000] },
    { underlay: 'plain', path: 'vxlan', figure: 'ping', values: [0.025] },
    { underlay: 'plain', path: 'auto', figure: 'ping', values: [0.1] },
    { underlay: 'segmenting', path: 'auto', figure: 'idleCpu', values: [0.2] },
  ],
  scenes: [{ figure: 'joinFew', values: [0.9, 0.85, 1.2] }],
};

test('takes the median of the runs, and what it is of kernel vxlan', () => {
  assert.deepEqual(summaryOf(RESULTS, 'segmenting', 'vxlan', 'tcp1'), {
    median: 10_000,
    least: 9000,
    most: 11_000,
  });
  assert.equal(ratioToVxlan(RESULTS, 'segmenting', 'auto', 'tcp1'), 0.65);
  assert.equal(ratioToVxlan(RESULTS, 'plain', 'auto', 'ping'), 4);
  assert.equal(ratioToVxlan(RESULTS, 'segmenting', 'auto', 'idleCpu'), undefined);
  assert.equal(summaryOf(RESULTS, 'plain', 'auto', 'tcp1'), undefined);
  assert.equal(shown('tcp1', 12_345.6), '12,346');
  assert.equal(shown('ping', 0.1), '0.100');
});

test('prints what was measured, each underlay by itself, and nothing else', () => {
  const lines = tableText(RESULTS).split('\n');
  assert.match(
    lines.join('\n'),
    /TCP, 1 stream, Mbit\/s +flannelette +6,500 +0\.65 of vxlan +6,000 to 7,000/,
  );
  assert.equal(lines.filter((line) => line.includes('ping')).length, 2);
  assert.match(lines.join('\n'), /1,000 hosts are reached, s +at most 1 +0\.90 +0\.85 to 1\.20/);
  assert.doesNotMatch(lines.join('\n'), /UDP|NaN|undefined/);
});

test('draws bars whose lengths are to each other as the figures', () => {
  const svg = chartSvg(RESULTS);
  const widths = [...svg.matchAll(/width="(\d+)" height="14" fill="#(0a3069|7a8794)"/g)].map(([, width]) =>
    Number(width),
  );
  // The two of the legend come first.
  assert.deepEqual(widths.slice(2), [230, 150, 58, 230]);
  assert.doesNotMatch(svg, /NaN|undefined/);
});

test('writes between the marks of a document and nowhere else', () => {
  const document =
    'before\n<!-- written by make bench -->\nold\n<!-- end of what make bench writes -->\nafter\n';
  const written = withBlock(document, headlines(RESULTS));
  assert.match(written, /^before\n<!-- written/);
  assert.match(written, /<!-- end of what make bench writes -->\nafter\n$/);
  assert.match(written, /\| TCP, 1 stream, Mbit\/s \| 10,000 \| 6,500 \(0\.65\) \| {2}\|/);
  assert.doesNotMatch(written, /old/);
  assert.equal(withBlock(written, headlines(RESULTS)), written);
  assert.throws(() => withBlock('no marks', ''), /has no/);
});

test('takes a part when asked, and writes down only the whole', () => {
  assert.equal(benchOptions({}).isWhole, true);
  const part = benchOptions({ ONLY: 'udp64,ping,churn', RUNS: '1', PATHS: 'vxlan' });
  assert.deepEqual(
    part.measures.map(({ name }) => name),
    ['udp64', 'ping'],
  );
  assert.deepEqual(
    part.scenes.map(({ name }) => name),
    ['churn'],
  );
  assert.deepEqual([part.paths, part.runs, part.isWhole], [['vxlan'], 1, false]);
  assert.throws(() => benchOptions({ ONLY: 'udp65' }), /"udp65" is none of tcp1/);
  assert.throws(() => benchOptions({ RUNS: '0' }), /must be a whole number/);
});

const NOT_MEASURED = 'Not measured yet: `make bench`.\n';

test('the documents hold what results.json holds', () => {
  const root = repositoryRoot();
  const file = (path: string) => readFileSync(join(root, path), 'utf8');
  const isMeasured = existsSync(join(root, 'docs/bench/results.json'));
  const results = isMeasured ? (JSON.parse(file('docs/bench/results.json')) as Results) : undefined;
  if (results !== undefined) assert.equal(file('docs/bench/chart.svg'), chartSvg(results));
  for (const [path, written] of [
    ['README.md', headlines],
    ['docs/bench/README.md', everything],
  ] as const) {
    const document = file(path);
    assert.equal(withBlock(document, results === undefined ? NOT_MEASURED : written(results)), document);
  }
});
