// The table, as it stands in docs/BENCHMARKS.md.

import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';

const BENCHMARKS = new URL('../../../docs/BENCHMARKS.md', import.meta.url);
const [BEGIN, END] = ['<!-- browser-bench -->', '<!-- /browser-bench -->'];

/** What it was measured on, and how to read it. */
export function machine(chromium) {
  const cpus = os.cpus();
  const git = (...args) => execFileSync('git', args, { cwd: new URL('.', import.meta.url), encoding: 'utf8' }).trim();
  const commit = git('log', '-1', '--format=%h of %cs');
  return [
    `${cpus.length} cores (${cpus[0].model}), ${Math.round(os.totalmem() / 1024 ** 3)} GiB, Linux ${os.release()}, Chromium ${chromium}, Node ${process.versions.node}, release build of ${commit}; loopback.`,
    'Headless Chromium draws in software, and sender, server and browser share these cores: on a machine with more of them, or with a GPU, the page has more room than here.',
    'Times of rows: the event’s `at` (the server’s wall clock, µs) against `performance.timeOrigin + performance.now()` in the page, one clock on one machine, resolution 0.1 ms; a row counts as on screen when the frame after the one that drew it begins, which is up to a frame (16.7 ms) too late.',
  ].join(' ');
}

export function table(rows) {
  const line = ({ figure, measured, target = '', met, includes }) => `| ${figure} | ${measured} | ${target}${met === undefined ? '' : met ? ' ✓' : ' ✗'} | ${includes} |`;
  return ['| figure | measured | target | what it includes |', '|---|---|---|---|', ...rows.map(line)].join('\n');
}

/** Replaces what stands between the markers. */
export async function write(text) {
  const page = await readFile(BENCHMARKS, 'utf8');
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error('docs/BENCHMARKS.md has no place for the table');
  await writeFile(BENCHMARKS, `${page.slice(0, begin + BEGIN.length)}\n${text}\n${page.slice(end)}`);
}
