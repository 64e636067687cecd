/**
 * Controls and velocity alone: the check of ten windows (five of the calendar in two time zones, five trailing), what an
 * approval adds, and the memory of counters. Cards in random order, so that rows are not in the caches; one row holds all
 * windows of a card. The message's decoding, the decision around it and the journal are excluded.
 *
 * Bytes of a memory row are the result: all memory of the table (columns, hash index, blocks with their waste) by the number
 * of windows, for cards that all grow in step, which is the worst case for the blocks.
 */
import { type CompiledControls, cardControls } from '#src/domain/controls/compile.js';
import { ControlsCheck } from '#src/domain/controls/controls-check.js';
import { ControlFacts } from '#src/domain/controls/facts.js';
import { defaultMccGroups } from '#src/domain/controls/mcc-groups.js';
import { parseControls } from '#src/domain/controls/parse.js';
import { ControlLevel } from '#src/domain/controls/spec.js';
import { defaultControlResponses } from '#src/domain/controls/verdict.js';
import { StateDigest } from '#src/domain/digest.js';
import { MessageInput, Text } from '#src/domain/message.js';
import { CounterChanges, cardOwner } from '#src/domain/velocity/counter-changes.js';
import { VelocityTable } from '#src/domain/velocity/velocity-table.js';
import { CurrentBucket, WindowClock } from '#src/domain/velocity/window-clock.js';
import { fixedShape, WindowUnit } from '#src/domain/velocity/windows.js';
import { IntlZoneCalendar } from '#src/intl-zone-calendar.js';
import { measure, scattered } from './measure.js';
import type { BenchRow } from './row.js';

const NOW = Date.UTC(2026, 4, 20, 12);
const TABLE = 9;
const ZONE = 'America/Sao_Paulo';

const trailing = [
  { window: 'trailing', seconds: 600 },
  { window: 'trailing', seconds: 3600, name: '1h' },
  { window: 'trailing', seconds: 86_400, name: '24h' },
  { window: 'trailing', seconds: 7 * 86_400, name: '7d' },
  { window: 'trailing', seconds: 30 * 86_400 },
];
const calendar = [
  { window: 'day', zone: ZONE, name: 'day' },
  { window: 'week', zone: ZONE, name: 'week' },
  { window: 'month', name: 'month' },
  { window: 'day', zone: ZONE, mcc: ['groceries', '5999'] },
  { window: 'month', channels: ['chip', 'contactless'] },
];
const limited = (window: object): object => ({ ...window, amount: 1e12, count: 1_000_000 });
/**
 * Five windows of the calendar in two time zones, five trailing; none of the limits is ever reached. Names are those of the
 * rules' benchmark.
 */
export const tenWindows = [...calendar, ...trailing].map(limited);

function compile(clock: WindowClock, velocity: readonly object[]): CompiledControls {
  const context = {
    level: ControlLevel.card,
    groups: defaultMccGroups,
    knowsZone: (zone: string) => clock.knows(zone),
  };
  const parsed = parseControls({ velocity, mcc: { deny: ['gambling'] }, countries: { deny: ['KP'] } }, context);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return cardControls(parsed.controls, undefined, { groups: defaultMccGroups, clock });
}

class Bench {
  readonly table = new VelocityTable(new StateDigest(), TABLE);
  readonly clock = new WindowClock(new IntlZoneCalendar());
  readonly controls: CompiledControls;
  readonly check = new ControlsCheck(this.table, defaultControlResponses);
  readonly changes = new CounterChanges();
  readonly facts = new ControlFacts();
  readonly input = new MessageInput();
  sequence = 0;

  constructor(velocity: readonly object[]) {
    this.controls = compile(this.clock, velocity);
    this.input.processingCode = 0;
    this.input.mcc = 5411;
    this.input.country = 76;
    this.input.entryMode = 51;
    this.input.setText(Text.acceptor, 'MERCHANT0000001');
  }

  passes(card: number, amount: number, nowMs: number): boolean {
    this.facts.readRequest(this.input, amount, 0);
    this.check.begin(this.facts, this.controls, cardOwner(card), undefined, 0, nowMs);
    return this.check.passes();
  }

  /** What an approval of the request that was checked does. */
  count(amount: number, nowMs: number): void {
    this.changes.clear();
    this.check.countApproval(this.changes, amount);
    this.table.apply(this.changes, nowMs, ++this.sequence);
  }
}

/** An ordinary amount: 1.00 to 300.00. */
const amountOf = (i: number): number => 100 + ((Math.imul(i, 0x9e3779b1) >>> 0) % 29_900);

/** Purchases on every card until each trailing window of it has as many live buckets as it can have. */
function fill(bench: Bench, cards: number, rounds: number, stepMs: number): number {
  let nowMs = NOW;
  for (let round = 0; round < rounds; round++, nowMs += stepMs) {
    for (let card = 0; card < cards; card++) {
      if (!bench.passes(card, amountOf(card + round * 7), nowMs))
        throw new Error('a limit of the benchmark was reached');
      bench.count(amountOf(card + round * 7), nowMs);
    }
  }
  while (bench.table.takeDirty(65_536, () => undefined) > 0);
  return nowMs - stepMs;
}

function benchTen(cards: number, operations: number): BenchRow[] {
  const bench = new Bench(tenWindows);
  // Twelve purchases two hours apart: the 30-day window has 1 bucket with all of them, that of a day all twelve.
  const nowMs = fill(bench, cards, 12, 2 * 3_600_000) + 1;
  const name = (what: string): string => `${what}, 10 windows, ${cards / 1000} k cards`;
  let refused = 0;
  const check = (i: number): void => {
    if (!bench.passes(scattered(i, cards), amountOf(i), nowMs)) refused++;
  };
  const both = (i: number): void => {
    if (!bench.passes(scattered(i, cards), amountOf(i), nowMs)) refused++;
    bench.count(amountOf(i), nowMs);
  };
  const rows = [measure('domain', name('controls: check'), operations, check)];
  rows.push(measure('domain', name('controls: check, count and apply'), operations, both));
  if (refused > 0) throw new Error('a limit of the benchmark was reached');
  return rows;
}

function benchClock(operations: number): BenchRow {
  const clock = new WindowClock(new IntlZoneCalendar());
  const month = new CurrentBucket(clock, clock.zone(ZONE), fixedShape(WindowUnit.month, 1));
  let sum = 0;
  const row = measure('domain', 'controls: instance of a month in a time zone', operations, (i) => {
    sum += month.at(NOW + (i & 0xffff));
  });
  if (sum === 0) throw new Error('nothing was asked');
  return row;
}

/** Memory of a window as a row whose bytes are the result; the time is that of an approval's check and application. */
function benchMemory(
  what: string,
  velocity: readonly object[],
  cards: number,
  rounds: number,
  stepMs: number,
): BenchRow {
  const bench = new Bench(velocity);
  const started = process.cpuUsage();
  fill(bench, cards, rounds, stepMs);
  const { user, system } = process.cpuUsage(started);
  const nsPerOp = Math.round(((user + system) * 1000) / (cards * rounds));
  const bytesPerOp = Math.round((bench.table.memoryBytes / (cards * velocity.length)) * 10) / 10;
  const name = `controls: memory per window, ${what}`;
  return { room: 'domain', name, opsPerSec: Math.round(1e9 / nsPerOp), nsPerOp, bytesPerOp };
}

/** Runs the benchmarks of controls and velocity, about ten seconds. */
export function benchVelocity(): BenchRow[] {
  const alike = (seconds: number): object[] => {
    const only = ['5411', '5412', '5413', '5414', '5415', '5416', '5417', '5418', '5419', '5420'];
    return only.map((code) => limited({ window: 'trailing', seconds, mcc: ['5411', code] }));
  };
  return [
    benchClock(10_000_000),
    ...benchTen(1000, 500_000),
    ...benchTen(100_000, 500_000),
    benchMemory('10 mixed', tenWindows, 65_536, 12, 2 * 3_600_000),
    benchMemory('10 trailing with all 16 buckets live', alike(86_400), 65_536, 16, 5_760_000),
    benchMemory('10 trailing with 4 buckets live', alike(86_400), 65_536, 4, 5_760_000),
    benchMemory('one day window alone', [limited({ window: 'day' })], 65_536, 3, 600_000),
  ];
}
