/**
 * One HTML file that needs no network: what the run was and whether it passed, latency by percentile, throughput and latency over
 * time, answers by response code, the stages of the server, the whole summary as text, and the result as JSON inside.
 */
import type { LatencyHistogram } from './histogram.js';
import { type Bar, barChart, escapeHtml, latencyChart, percentileChart, throughputChart } from './report-charts.js';
import { LoadtestExit, type LoadtestResult } from './result.js';
import { showMeasured, type Threshold } from './thresholds.js';
import { showRate, showUs } from './units.js';

const STYLE = `
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5d6875;--paper:#fff;--card:#f5f7f9;--line:#d9dfe6;
--blue:#0b6bcb;--grey:#8a8f98;--orange:#c9720a;--red:#c62f3b;--green:#1d7f46}
@media (prefers-color-scheme:dark){:root{--ink:#dde3ea;--soft:#98a3b0;--paper:#12161c;--card:#1a2029;--line:#2e3742;
--blue:#5aa7f2;--grey:#7f8894;--orange:#e9a04a;--red:#f0727c;--green:#58c98a}}
body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2rem auto;padding:0 1rem;color:var(--ink);background:var(--paper)}
h1{margin:0;font-size:1.7rem}h1 small{font-size:1rem;font-weight:400;color:var(--soft)}h2{margin:2.2rem 0 .6rem;font-size:1.1rem}
p{margin:.4rem 0}.soft,.legend{color:var(--soft)}.legend{font-size:13px}
.good{color:var(--green)}.bad{color:var(--red)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:.7rem;margin:1.2rem 0}
.tiles div{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.6rem .8rem}
.tiles b{display:block;font-size:1.25rem;font-variant-numeric:tabular-nums}.tiles span{color:var(--soft);font-size:13px}
svg{width:100%;height:auto;display:block}svg text{font-size:12px;fill:var(--soft)}
svg line{stroke:var(--line)}svg polyline{fill:none;stroke-width:2}svg .warm{fill:var(--line);opacity:.45}
polyline.blue{stroke:var(--blue)}polyline.grey{stroke:var(--grey)}polyline.orange{stroke:var(--orange)}polyline.red{stroke:var(--red)}
rect.blue{fill:var(--blue)}rect.grey{fill:var(--grey)}rect.orange{fill:var(--orange)}rect.red,circle.red{fill:var(--red)}
span.blue{color:var(--blue)}span.grey{color:var(--grey)}span.orange{color:var(--orange)}span.red{color:var(--red)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
td,th{padding:.25rem .6rem;text-align:right;border-bottom:1px solid var(--line);font-weight:400}td:first-child,th:first-child{text-align:left}
th{color:var(--soft)}ul{margin:.4rem 0;padding-left:1.2rem}
pre{overflow:auto;padding:1rem;background:var(--card);border:1px solid var(--line);border-radius:8px;font-size:12px}`;

const micros = (us: number | null): string => showUs(us ?? Number.NaN);
const grouped = (count: number): string => count.toLocaleString('en-US');

function tiles(result: LoadtestResult): string {
  const { latency_us: latency, verify } = result;
  const money = verify.ok === null ? 'not asked for' : verify.ok ? 'right' : 'WRONG';
  const cells: readonly (readonly [string, string])[] = [
    ['achieved per second', showRate(result.achieved_per_s)],
    ['offered per second', showRate(result.offered_per_s)],
    ['p50', micros(latency.p50)],
    ['p99', micros(latency.p99)],
    ['p99.9', micros(latency.p999)],
    ['slowest', micros(latency.max)],
    ['dropped', grouped(result.dropped)],
    ['errors, timeouts', `${grouped(result.errors)}, ${grouped(result.timeouts)}`],
    ['server CPU per message', result.server_cpu_us === null ? 'n/a' : `${result.server_cpu_us.toFixed(1)} us`],
    ['money verified', money],
  ];
  return `<div class="tiles">${cells.map(([name, value]) => `<div><b>${escapeHtml(value)}</b><span>${escapeHtml(name)}</span></div>`).join('')}</div>`;
}

/** The outcome in words, the gravest first, as it decides the exit status. */
function verdict({ verify, exit_status: status, answered }: LoadtestResult): string {
  if (verify.ok === false) return 'Money or answers are wrong';
  if (status === LoadtestExit.pass) return 'Passed';
  if (status === LoadtestExit.interrupted) return 'Interrupted';
  if (status === LoadtestExit.thresholds) return 'A threshold failed';
  return answered === 0 ? 'Nothing was answered' : 'Errors or timeouts';
}

/** What the figures must be read with: thresholds, and what the run warns of. */
function judgement(result: LoadtestResult, asked: readonly Threshold[]): string {
  const thresholds = result.thresholds.map(
    ({ threshold, ok, measured }, i) =>
      `<li class="${ok ? 'good' : 'bad'}">${ok ? '✓' : '✗'} ${escapeHtml(threshold)} <b>${showMeasured(asked[i]!, measured)}</b></li>`,
  );
  const warnings = [...result.warnings, ...result.problems.slice(0, 5)].map((one) => `<li>${escapeHtml(one)}</li>`);
  const list = (title: string, items: readonly string[]): string =>
    items.length === 0 ? '' : `<h2>${title}</h2><ul>${items.join('')}</ul>`;
  return list('Thresholds', thresholds) + list('Read the figures with this in mind', warnings);
}

/** Approvals in blue, what the server would not decide in red, every other answer in orange. */
function codeStyle(code: string): string {
  if (code === '00' || code === '10' || code === '85') return 'blue';
  return code === '91' || code === '96' ? 'red' : 'orange';
}

function responseCodes(result: LoadtestResult): string {
  const bars = Object.entries(result.by_response_code)
    .sort(([, a], [, b]) => b - a)
    .map(
      ([code, count]): Bar => ({
        name: `DE39 ${code}`,
        value: count,
        label: `${grouped(count)} (${((count / result.answered) * 100).toFixed(2)} %)`,
        style: codeStyle(code),
      }),
    );
  return bars.length === 0 ? '<p class="legend">Nothing was answered.</p>' : barChart('Answers by response code', bars);
}

function serverStages(result: LoadtestResult): string {
  const stages = Object.entries(result.server_stages_us);
  if (stages.length === 0) return '<p class="legend">Not available: /metrics gave no stage histogram.</p>';
  const bars = stages.map(
    ([stage, times]): Bar => ({ name: stage, value: times.mean, label: `${micros(times.mean)} mean`, style: 'blue' }),
  );
  const rows = stages.map(
    ([stage, { count, mean, p50, p99 }]) =>
      `<tr><td>${escapeHtml(stage)}</td><td>${grouped(count)}</td><td>${micros(mean)}</td><td>${micros(p50)}</td><td>${micros(p99)}</td></tr>`,
  );
  return `${barChart('Stages of the server, mean time', bars)}
<table><tr><th>stage</th><th>times</th><th>mean</th><th>p50</th><th>p99</th></tr>${rows.join('')}</table>
<p class="legend">As the server measures them; percentiles are upper bounds of its histogram's buckets.</p>`;
}

/** The page. @param asked the thresholds of the run @param text the summary for the terminal */
export function htmlReport(
  result: LoadtestResult,
  asked: readonly Threshold[],
  text: string,
  latency: LatencyHistogram,
  service: LatencyHistogram,
): string {
  const { env } = result;
  const machine = `${env.cpu}, ${env.cores} cores, node ${env.node}${env.same_host ? ', client and server on the same host' : ''}`;
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Load test ${escapeHtml(result.started_at)}</title>
<style>${STYLE}
</style>
<h1 class="${result.passed ? 'good' : 'bad'}">${verdict(result)} <small>exit status ${result.exit_status}</small></h1>
<p>${escapeHtml(result.target)} · ${escapeHtml(result.started_at)} · ${result.mode} loop, ${escapeHtml(result.arrival)} · ${result.duration_s.toFixed(1)} s after ${result.warmup_s} s of warm-up</p>
<p class="soft">${escapeHtml(machine)}</p>
${tiles(result)}
${judgement(result, asked)}
<h2>Latency by percentile</h2>
${percentileChart(latency, service)}
<h2>Throughput over time</h2>
${throughputChart(result.series)}
<h2>Response time over time</h2>
${latencyChart(result.series)}
<h2>Answers by response code</h2>
${responseCodes(result)}
<h2>Stages of the server</h2>
${serverStages(result)}
<h2>All figures</h2>
<pre>${escapeHtml(text)}</pre>
<script type="application/json" id="result">${JSON.stringify(result).replaceAll('<', '\\u003c')}</script>
</html>
`;
}
