// How fast the page is: `SOCKSCOPE_BIN=target/release/sockscope node tests/browser/bench.js`. Nothing here is a test,
// and nothing fails for being slow; what is wrong (a row that does not say what was sent) fails.
//
// --write  puts the table into docs/BENCHMARKS.md between its markers (a release build, please)
// --quick  a short run, noisier figures
// --only latency|flood|zoom|compare

import { parseArgs } from 'node:util';

import { measureCompare } from './bench/compare.js';
import { measureFlood } from './bench/flood.js';
import { measureLatency } from './bench/latency.js';
import { openPage } from './bench/page.js';
import { machine, table, write } from './bench/table.js';
import { measureZoom } from './bench/zoom.js';

const { values: asked } = parseArgs({
  options: { write: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false }, only: { type: 'string' } },
});
const figures = { latency: measureLatency, flood: measureFlood, zoom: measureZoom, compare: measureCompare };
if (asked.only !== undefined && figures[asked.only] === undefined) throw new Error(`--only takes ${Object.keys(figures).join(' or ')}`);
if (asked.write && (asked.quick || asked.only !== undefined)) throw new Error('what is written is all of it, at full length');

const rows = [];
let browser = '';
for (const [name, measure] of Object.entries(figures)) {
  if (asked.only !== undefined && asked.only !== name) continue;
  console.error(`measuring: ${name}`);
  // A server, a browser and a page of its own each: what one leaves behind must not weigh on the next.
  const opened = await openPage();
  try {
    browser = opened.version;
    rows.push(...(await measure(opened, asked.quick)));
  } finally {
    await opened.close();
  }
}
const text = `${machine(browser)}\n\n${table(rows)}`;
console.log(text);
if (asked.write) await write(text);
