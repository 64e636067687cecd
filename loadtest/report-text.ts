/** The summary for people, pass and fail first, and the live line. */
import type { Options } from './arguments.js';
import type { LatencySummary, LoadtestResult } from './result.js';
import type { Second } from './run.js';
import { showMeasured } from './thresholds.js';
import { showRate, showUs } from './units.js';

/** Samples that must lie beyond a percentile before it is shown: with fewer it is an anecdote. */
const BEYOND_MIN = 10;

const columns: readonly (readonly [string, keyof LatencySummary, number])[] = [
  ['p50', 'p50', 50],
  ['p75', 'p75', 75],
  ['p90', 'p90', 90],
  ['p95', 'p95', 95],
  ['p99', 'p99', 99],
  ['p99.9', 'p999', 99.9],
  ['p99.99', 'p9999', 99.99],
  ['max', 'max', 0],
  ['mean', 'mean', 0],
  ['stdev', 'stddev', 0],
];

function latencyRow(name: string, summary: LatencySummary): string {
  const cells = columns.map(([, key, p]) => {
    const value = summary[key];
    const enough = (summary.count * (100 - p)) / 100 >= BEYOND_MIN;
    return (value === null || !enough ? 'n/a' : showUs(value)).padStart(9);
  });
  return `  ${name.padEnd(22)}${cells.join('')}`;
}

const percent = (share: number) => (Number.isFinite(share) ? `${(share * 100).toFixed(2)} %` : 'n/a');
const grouped = (count: number) => count.toLocaleString('en-US');

export function textReport(result: LoadtestResult, options: Options): string {
  const lines: string[] = [''];
  const { env, verify, client } = result;
  if (result.interrupted) lines.push('INTERRUPTED: the figures cover the time until then', '');
  if (verify.ok === false) lines.push('VOID: the verification failed, the figures below prove nothing', '');
  if (result.thresholds.length > 0) {
    lines.push('thresholds');
    result.thresholds.forEach((outcome, i) => {
      const found = showMeasured(options.thresholds[i]!, outcome.measured);
      lines.push(`  ${outcome.ok ? '✓' : '✗'} ${outcome.threshold.padEnd(36)} ${found}`);
    });
    lines.push('');
  }
  if (result.find_max) lines.push(...findMaxLines(result), '');
  const sha = env.git_sha ? `${env.git_sha}${env.git_dirty ? ' (dirty)' : ''}` : 'unknown revision';
  lines.push('environment');
  lines.push(
    `  ${sha} · node ${env.node} · ${env.cpu}, ${env.cores} cores · ${env.os}${env.same_host ? ' · same host' : ''}`,
  );
  if (env.disk) {
    const { directory, fdatasync_p50_us: p50, fdatasync_p99_us: p99 } = env.disk;
    lines.push(`  disk of ${directory}: fdatasync p50 ${showUs(p50)}, p99 ${showUs(p99)} (4 KiB, after the run)`);
  }
  if (env.engine) lines.push(`  engine ${env.engine.version} · node ${env.engine.node}`);
  lines.push(
    `  ${result.target} · ${result.dialect} · ${result.connections} connections · ${result.workers} workers · ${result.mode} loop, ${result.arrival}`,
    `  ${grouped(result.accounts)} accounts, ${result.distribution} · mix ${mixText(result.mix)} · seed ${result.seed} · warm-up ${result.warmup_s} s, not counted`,
    '',
    'load',
    `  offered  ${grouped(result.offered).padStart(12)}   ${showRate(result.offered_per_s)}/s for ${result.duration_s.toFixed(1)} s`,
    `  achieved ${grouped(result.answered - result.shed).padStart(12)}   ${showRate(result.achieved_per_s)}/s, ${percent(result.achieved_per_s / result.offered_per_s)} of offered`,
    `  dropped  ${grouped(result.dropped).padStart(12)}   ${percent(result.dropped / result.offered)}`,
    `  approved ${grouped(result.approved).padStart(12)}   ${percent(result.approved / result.answered)} of the answers`,
    ...(result.chip === undefined ? [] : [chipLine(result.chip)]),
    `  timeouts ${result.timeouts} · late ${result.late} · shed ${result.shed} · errors ${result.errors} · reconnects ${result.reconnects}`,
  );
  const wrong = Object.entries(result.errors_by).filter(([, count]) => count > 0);
  if (wrong.length > 0) lines.push(`  errors: ${wrong.map(([name, count]) => `${name} ${count}`).join(', ')}`);
  for (const problem of result.problems.slice(0, 5)) lines.push(`    ${problem}`);
  lines.push(
    '',
    `latency${' '.repeat(17)}${columns.map(([name]) => name.padStart(9)).join('')}`,
    latencyRow('response (from due)', result.latency_us),
    latencyRow('service (from send)', result.service_us),
  );
  for (const [kind, counts] of Object.entries(result.by_kind)) lines.push(latencyRow(`  ${kind}`, counts.latency_us));
  if (result.chip !== undefined)
    lines.push(
      latencyRow('  with chip data', result.chip.latency_us),
      latencyRow('  without', result.chip.others_latency_us),
    );
  if (result.shed > 0) lines.push(latencyRow('  shed (91, 96)', result.shed_us));
  lines.push('', 'answers');
  lines.push(`  by DE39  ${tally(result.by_response_code)}`, `  by MTI   ${tally(result.by_mti)}`);
  lines.push(`  by kind  ${kindsText(result)}`);
  const stages = Object.entries(result.server_stages_us);
  lines.push('', 'server stages (upper bounds of its histogram)');
  if (stages.length === 0) lines.push('  not available: /metrics of the admin API gave no stage histogram');
  for (const [stage, times] of stages) {
    lines.push(
      `  ${stage.padEnd(10)} p50 ${showUs(times.p50).padStart(8)}   p99 ${showUs(times.p99).padStart(8)}   mean ${showUs(times.mean).padStart(8)}   n ${grouped(times.count)}`,
    );
  }
  if (result.server_cpu_us !== null)
    lines.push(`  CPU of the server ${result.server_cpu_us.toFixed(1)} us per message`);
  lines.push('', ...verifyLines(result), '', 'client');
  lines.push(
    `  busy ${percent(client.utilization)} of its busiest thread · ${client.cpu_cores.toFixed(2)} cores · send lag p50 ${showUs(client.send_lag_p50_us ?? Number.NaN)}, p99 ${showUs(client.send_lag_p99_us ?? Number.NaN)}, max ${showUs(client.send_lag_max_us ?? Number.NaN)}`,
  );
  for (const warning of result.warnings) lines.push(`  ! ${warning}`);
  lines.push('', 'reproduce with', `  ${result.reproduce}`, '');
  return lines.join('\n');
}

function chipLine({ percent, verified, verified_per_s, cryptography }: NonNullable<LoadtestResult['chip']>): string {
  const who = { software: 'by software cryptography', devices: 'by devices (HSM)', unknown: 'by whom is unknown' };
  return `  chip     ${grouped(verified).padStart(12)}   ${showRate(verified_per_s)}/s ARQC verified and answered ${who[cryptography]}; ${percent} % of the auths`;
}

function verifyLines(result: LoadtestResult): string[] {
  const { verify } = result;
  if (verify.ok === null) return ['verify  not asked for (--verify)'];
  const lines = [
    `verify  ${verify.ok ? '✓ ok' : '✗ FAILED'}`,
    `  ${verify.accounts_checked} accounts, ${verify.accounts_wrong} wrong${verify.accounts_bounded > 0 ? `, ${verify.accounts_bounded} known only within bounds` : ''} · ${verify.answers_checked} answers, ${verify.answers_wrong} wrong · trial balance difference ${verify.trial_balance_difference ?? 'unknown'}`,
  ];
  for (const failure of verify.failures) lines.push(`    ${failure}`);
  return lines;
}

function findMaxLines(result: LoadtestResult): string[] {
  const found = result.find_max!;
  const lines = ['steps'];
  for (const step of found.steps) {
    const why = step.broken.length > 0 ? `   ${step.broken.join('; ')}` : '';
    lines.push(
      `  ${step.passed ? '✓' : '✗'} ${showRate(step.rate).padStart(8)}/s   achieved ${showRate(step.achieved_per_s).padStart(8)}/s   p99 ${showUs(step.p99_us ?? Number.NaN).padStart(8)}${why}`,
    );
  }
  lines.push(
    found.best_per_s === null
      ? 'no rate passed'
      : `highest passing rate: ${showRate(found.best_per_s)}/s (its figures follow)`,
  );
  return lines;
}

const tally = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${grouped(count)}`)
    .join(' · ') || 'none';

const mixText = (mix: Readonly<Record<string, number>>) =>
  Object.entries(mix)
    .map(([kind, weight]) => `${kind}:${weight}`)
    .join(',');

function kindsText(result: LoadtestResult): string {
  const text = Object.entries(result.by_kind)
    .map(([kind, counts]) => `${kind} ${grouped(counts.answered)}/${grouped(counts.sent)}`)
    .join(' · ');
  const instead =
    result.substituted > 0
      ? ` (answered/sent; ${result.substituted} sent as auth for want of an original)`
      : ' (answered/sent)';
  return text + instead;
}

/** One second as a line of about 120 characters. */
export function liveLine(second: Second): string {
  const count = second.latency.count;
  const at = (p: number) => showUs(count === 0 ? Number.NaN : second.latency.percentile(p, count));
  return [
    `${second.elapsedS.toFixed(0).padStart(4)}s${second.warmingUp ? ' warm-up' : ''}`,
    `offered ${showRate(second.offered)}/s`,
    `achieved ${showRate(second.achieved)}/s`,
    `in flight ${second.inFlight}`,
    `p50 ${at(50)} p99 ${at(99)} p99.9 ${at(99.9)} max ${showUs(second.latency.max)}`,
    `approved ${percent(second.approvedShare)}`,
    `err ${second.errors} tmo ${second.timeouts} drop ${second.dropped}`,
    `lag p99 ${showUs(second.lag.percentile(99))}`,
    `cpu ${(second.utilization * 100).toFixed(0)} %`,
  ].join(' · ');
}
