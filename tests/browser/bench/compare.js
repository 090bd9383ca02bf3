// Socket versus HTTP in the page: two minutes of ten messages a second, four lanes at once, against the raw socket.

import { CompareScreen } from '../support/compare.js';

const SECONDS = 120;
const SHORT = 20;

export async function measureCompare({ page }, quick) {
  const compare = new CompareScreen(page);
  await compare.go();
  const seconds = quick ? SHORT : SECONDS;
  await compare.set({ rate: 10, payload: 64, seconds, poll: 1 });
  await compare.start.click();
  await compare.waitForPhase('done', (seconds + 60) * 1000);
  const report = await compare.report();
  const lane = (name) => report.lanes.find((lane) => lane.name === name);
  const ms = (value) => value.toFixed(2);
  const said = ({ p50, p95, mean }) => `${ms(p50)} / ${ms(p95)} / ${ms(mean)} ms`;
  const apart = lane('websocket').delay_ms.p95 - report.reference.p95;
  const late = Math.abs(lane('short_poll').delay_ms.mean - 500);
  const whole = report.complete && report.lanes.every((lane) => lane.complete);
  const rows = [
    {
      figure: 'raw socket, as the server reads it: p50 / p95 / mean',
      measured: said(report.reference),
      includes: `${report.sent} messages of 64 bytes, Poisson, 10 a second for ${seconds} s; from the source's send`,
    },
  ];
  for (const name of ['short_poll', 'long_poll', 'sse', 'websocket']) {
    const { delay_ms: delay, requests, predicted } = lane(name);
    const targets = {
      short_poll: { target: 'mean within 10 % of 500 ms', met: late <= 50 },
      websocket: { target: 'p95 within 5 ms of the raw socket’s', met: apart <= 5 },
    };
    rows.push({
      figure: `${name.replace('_', ' ')}: p50 / p95 / mean`,
      measured: said(delay),
      ...targets[name],
      includes: `to JavaScript having the event; ${requests} requests, ${Math.round(predicted.requests)} predicted`,
    });
  }
  rows.push({
    figure: 'every lane complete',
    measured: whole ? 'yes' : 'no',
    target: 'yes',
    met: whole,
    includes: `every byte, in order, by offset; clocks agree to ±${ms(report.clock_uncertainty_ms)} ms`,
  });
  return rows;
}
