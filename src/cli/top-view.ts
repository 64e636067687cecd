/** What `holdfast top` shows: the figures of an interval, and their picture on 80 columns. */
import { type HistogramPart, Scrape, Span } from './scrape.js';

/** Times in milliseconds; null when nothing was counted, or (percentiles) beyond the last bound of the histogram. */
interface Times {
  readonly per_second: number;
  readonly mean_ms: number | null;
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
  readonly p999_ms: number | null;
}

type Rates = Readonly<Record<string, number>>;

export interface TopView {
  readonly version: string;
  readonly uptime_seconds: number;
  readonly interval_seconds: number;
  readonly answers_per_second: number;
  readonly results_per_second: Rates;
  readonly codes_per_second: Rates;
  readonly shed_per_second: Rates;
  readonly authorization: Times;
  readonly stages: Readonly<Record<string, Times>>;
  readonly shards: {
    readonly all: number;
    readonly answering: number;
    readonly refusing: number;
    readonly rebuilds: number;
    readonly queue_bytes: Rates;
  };
  readonly accounts: number;
  readonly cards: number;
  readonly holds_open: number;
  readonly connections: Readonly<Record<string, Rates>>;
  readonly link_errors_per_second: Rates;
  readonly journal: {
    readonly commit: Times;
    readonly records_per_commit: number | null;
    readonly disk_free_bytes: number;
    readonly disk_reserve_bytes: number;
    readonly segments_behind_records: number;
  };
  readonly memory: {
    readonly resident_bytes: number;
    readonly heap_bytes: Rates;
    readonly external_bytes: Rates;
  };
  /** Share that a rotation of the key has behind it, of those that go on. */
  readonly rotations: Rates;
  readonly cpu_cores: number;
  /** Of the control thread. */
  readonly control: { readonly gc_ms_per_second: number; readonly event_loop_p99_ms: number };
  /** What an operator should look at now; empty when there is nothing. */
  readonly alarms: readonly string[];
}

const ROTATION = 'holdfast_key_rotation_progress_ratio';

/** In the order of a message's way. */
const stages = ['route', 'decode', 'queue', 'decide', 'journal', 'encode', 'write'] as const;

/** The figures between two scrapes. A server that began anew in between counts from its start. */
export function topView(before: Scrape, after: Scrape, nowSeconds: number): TopView {
  const start = 'process_start_time_seconds';
  const span = new Span(before.sum(start) === after.sum(start) ? before : new Scrape('', before.atMs), after);
  const times = (name: string, labels: Readonly<Record<string, string>> = {}): Times =>
    timesOf(span.histogram(name, labels), span.seconds);
  const batches = span.histogram('holdfast_journal_batch_records');
  const connections = [...after.by('holdfast_connections', 'transport').keys()].map((transport) => [
    transport,
    Object.fromEntries(after.by('holdfast_connections', 'state', { transport })),
  ]);
  return {
    version: [...after.by('holdfast_build_info', 'version').keys()][0] ?? '',
    uptime_seconds: Math.max(0, nowSeconds - after.sum('process_start_time_seconds')),
    interval_seconds: round(span.seconds),
    answers_per_second: round(span.rate('holdfast_responses_total')),
    results_per_second: rates(span.ratesBy('holdfast_authorizations_total', 'result')),
    codes_per_second: rates(span.ratesBy('holdfast_responses_total', 'code')),
    shed_per_second: rates(span.ratesBy('holdfast_shed_total', 'cause')),
    authorization: times('holdfast_authorization_duration_seconds'),
    stages: Object.fromEntries(
      stages.map((stage) => [stage, times('holdfast_stage_duration_seconds', { stage })] as const),
    ),
    shards: {
      all: after.sum('holdfast_shards'),
      answering: after.sum('holdfast_shards_answering'),
      refusing: after.sum('holdfast_shards_refusing'),
      rebuilds: after.sum('holdfast_shard_rebuilds_total'),
      queue_bytes: Object.fromEntries(after.by('holdfast_shard_queue_depth', 'shard')),
    },
    accounts: after.sum('holdfast_accounts'),
    cards: after.sum('holdfast_cards'),
    holds_open: after.sum('holdfast_holds_open'),
    connections: Object.fromEntries(connections) as Record<string, Rates>,
    link_errors_per_second: rates(span.ratesBy('holdfast_link_errors_total', 'kind')),
    journal: {
      commit: times('holdfast_journal_commit_duration_seconds'),
      records_per_commit: batches.count === 0 ? null : round(batches.sum / batches.count),
      disk_free_bytes: after.sum('holdfast_disk_free_bytes'),
      disk_reserve_bytes: after.sum('holdfast_disk_reserve_bytes'),
      segments_behind_records: after.sum('holdfast_search_lag_records'),
    },
    memory: {
      resident_bytes: after.sum('process_resident_memory_bytes'),
      heap_bytes: Object.fromEntries(after.by('holdfast_thread_memory_bytes', 'thread', { kind: 'heap' })),
      external_bytes: Object.fromEntries(after.by('holdfast_thread_memory_bytes', 'thread', { kind: 'external' })),
    },
    rotations: Object.fromEntries(
      [...after.by(ROTATION, 'usage')].filter(([usage, share]) => usage !== 'none' && share < 1),
    ),
    cpu_cores: round(span.rate('process_cpu_seconds_total')),
    control: {
      gc_ms_per_second: round(span.rate('nodejs_gc_duration_seconds_sum') * 1000),
      event_loop_p99_ms: round(after.sum('nodejs_eventloop_lag_p99_seconds') * 1000),
    },
    alarms: alarmsOf(span, after),
  };
}

function alarmsOf(span: Span, after: Scrape): string[] {
  const alarms: string[] = [];
  const missing = after.sum('holdfast_shards') - after.sum('holdfast_shards_answering');
  const add = (holds: boolean, text: string): void => void (holds && alarms.push(text));
  add(after.sum('holdfast_ledger_imbalance') !== 0, 'the ledger does not balance');
  add(missing > 0, `shards that do not answer: ${missing}`);
  add(after.sum('holdfast_shards_refusing') > 0, 'shards refuse because of their index');
  add(after.sum('holdfast_clock_paused') > 0, 'the clocks differ: expiry is paused');
  add(
    after.sum('holdfast_disk_free_bytes') < after.sum('holdfast_disk_reserve_bytes'),
    'the disk is below its reserve',
  );
  for (const [task, up] of after.by('holdfast_background_task_up', 'task'))
    add(up < 1, `the background task ${task} has ended`);
  for (const [usage, stalled] of after.by('holdfast_key_rotation_stalled', 'usage'))
    add(stalled > 0, `the rotation of the ${usage} key stands still`);
  add(span.rate('holdfast_webhook_deliveries_total', { result: 'dead' }) > 0, 'webhook deliveries are given up');
  return alarms;
}

function timesOf(part: HistogramPart, seconds: number): Times {
  const ms = (q: number): number | null => {
    const value = part.quantile(q);
    return value === undefined || !Number.isFinite(value) ? null : round(value * 1000);
  };
  return {
    per_second: round(part.count / seconds),
    mean_ms: part.count === 0 ? null : round((part.sum / part.count) * 1000),
    p50_ms: ms(0.5),
    p99_ms: ms(0.99),
    p999_ms: ms(0.999),
  };
}

const round = (value: number): number => Math.round(value * 1000) / 1000;
/** Those that are not 0. */
const rates = (map: ReadonlyMap<string, number>): Rates =>
  Object.fromEntries([...map].filter(([, value]) => value > 0).map(([key, value]) => [key, round(value)]));

const COLUMNS = 80;
/** Entries of a line of rates, and rows of the table of threads: what does not fit is counted. */
const RATES_MAX = 5;
const THREADS_MAX = 8;

/** The picture: at most 40 lines of at most 80 columns. `place` is where it was read, `clock` the time of day. */
export function topLines(view: TopView, place: string, clock: string): string[] {
  const { shards, journal, memory, control } = view;
  const threads = Object.keys(memory.heap_bytes);
  const lines = [
    `holdfast ${view.version}  ${place}  up ${duration(view.uptime_seconds)}  ${clock}`,
    ...(view.alarms.length === 0 ? ['nothing needs attention'] : view.alarms.map((text) => `! ${text}`)),
    '',
    `answers ${number(view.answers_per_second)}/s  ${rateList(view.results_per_second)}`,
    `codes   ${rateList(view.codes_per_second)}`,
    `shed    ${rateList(view.shed_per_second)}`,
    '',
    `${'stage'.padEnd(16)}${['per second', 'mean ms', 'p50 ms', 'p99 ms', 'p99.9 ms'].map((text) => text.padStart(11)).join('')}`,
    timesLine('authorization', view.authorization),
    ...Object.entries(view.stages).map(([stage, times]) => timesLine(`  ${stage}`, times)),
    timesLine('commit', journal.commit),
    '',
    `shards  ${shards.answering} of ${shards.all} answer, ${shards.refusing} refuse, ${number(shards.rebuilds)} rebuilt`,
    `books   ${number(view.accounts)} accounts, ${number(view.cards)} cards, ${number(view.holds_open)} open holds`,
    `journal ${journal.records_per_commit === null ? 'no commit' : `${number(journal.records_per_commit)} records a commit`}, segments ${number(journal.segments_behind_records)} behind`,
    `disk    ${bytes(journal.disk_free_bytes)} free, reserve ${bytes(journal.disk_reserve_bytes)}`,
    ...Object.entries(view.rotations).map(
      ([usage, share]) => `keys    the ${usage} key is being rotated: ${Math.floor(share * 100)} %`,
    ),
    ...Object.entries(view.connections).map(
      ([transport, states]) =>
        `${transport.padEnd(7)} ${Object.entries(states)
          .map(([state, count]) => `${number(count)} ${state.replace('_', ' ')}`)
          .join(', ')}`,
    ),
    `errors  ${rateList(view.link_errors_per_second)}`,
    `process ${view.cpu_cores.toFixed(2)} cores, ${bytes(memory.resident_bytes)} resident; control: GC ${control.gc_ms_per_second.toFixed(1)} ms/s, loop p99 ${control.event_loop_p99_ms.toFixed(1)} ms`,
    '',
    `${'thread'.padEnd(16)}${['heap', 'external', 'queue'].map((text) => text.padStart(11)).join('')}`,
    ...threads.slice(0, THREADS_MAX).map((thread) => threadLine(thread, view)),
    ...(threads.length > THREADS_MAX ? [`and ${threads.length - THREADS_MAX} more`] : []),
  ];
  return lines.map((line) => line.slice(0, COLUMNS).trimEnd());
}

function timesLine(name: string, times: Times): string {
  const cells = [times.mean_ms, times.p50_ms, times.p99_ms, times.p999_ms];
  // A percentile that is not known although something was counted lies beyond the last bound.
  const text = (ms: number | null): string => (ms !== null ? ms.toFixed(3) : times.per_second === 0 ? '-' : '> 1573');
  return `${name.padEnd(16)}${[number(times.per_second), ...cells.map(text)].map((cell) => cell.padStart(11)).join('')}`;
}

function threadLine(thread: string, { memory, shards }: TopView): string {
  const queue = shards.queue_bytes[thread];
  const cells = [
    bytes(memory.heap_bytes[thread] ?? 0),
    bytes(memory.external_bytes[thread] ?? 0),
    queue === undefined ? '-' : bytes(queue),
  ];
  return `${thread.padEnd(16)}${cells.map((cell) => cell.padStart(11)).join('')}`;
}

function rateList(all: Rates): string {
  // Largest first. An object cannot say so: keys of digits, as codes are, come first in it.
  const entries = Object.entries(all).sort((one, other) => other[1] - one[1]);
  if (entries.length === 0) return 'none';
  const shown = entries.slice(0, RATES_MAX).map(([key, value]) => `${key} ${number(value)}/s`);
  return [...shown, ...(entries.length > RATES_MAX ? [`and ${entries.length - RATES_MAX} more`] : [])].join('  ');
}

/** `12 345`, or with one digit behind the point below ten. */
function number(value: number): string {
  const text = value < 10 && !Number.isInteger(value) ? value.toFixed(1) : String(Math.round(value));
  return text.replace(/\B(?=(\d{3})+(?!\d))/g, ' ');
}

function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'm'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  return (first < 0 ? parts.slice(3) : parts.slice(first, first + 2))
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}
