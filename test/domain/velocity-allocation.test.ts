/**
 * The hot path of controls and velocity needs no object per window on the heap. Measured on the built program, in processes
 * of its own, and the least of five counts: whether a float that one function hands to another becomes an object is decided
 * by what the compiler inlines, and in about a quarter of the processes it leaves one per window (some 160 bytes per check,
 * in `VelocityTable.apply`) where it leaves 40 to 55 bytes in the others. Code that makes an object per window by itself
 * makes it in all five.
 */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

const script = `
import { cardControls } from '#src/domain/controls/compile.js';
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
import { WindowClock } from '#src/domain/velocity/window-clock.js';
import { IntlZoneCalendar } from '#src/intl-zone-calendar.js';
const BLOCKS = 40;
const PER_BLOCK = 2500;
const clock = new WindowClock(new IntlZoneCalendar());
const trailing = [60, 600, 3600, 86_400, 31 * 86_400].map((seconds) => ({ window: 'trailing', seconds, count: 1e6 }));
const calendar = ['day', 'week', 'month', 'year', 'lifetime'].map((window) => ({ window, amount: 1e14, count: 1e6 }));
const parsed = parseControls(
  { velocity: [...trailing, ...calendar], mcc: { deny: ['gambling'] }, merchants: { deny: ['NOBODY'] } },
  { level: ControlLevel.card, groups: defaultMccGroups, knowsZone: () => true },
);
if (!parsed.ok) throw new Error('controls of the test are wrong');
const controls = cardControls(parsed.controls, undefined, { groups: defaultMccGroups, clock });
const table = new VelocityTable(new StateDigest(), 9);
const check = new ControlsCheck(table, defaultControlResponses);
const facts = new ControlFacts();
const input = new MessageInput();
input.setText(Text.acceptor, 'MERCHANT0000001');
input.mcc = 5411;
input.entryMode = 51;
const changes = new CounterChanges();
const read = new CounterChanges();
const packed = new Uint8Array(1024);
const growth = [];
const began = Date.UTC(2026, 4, 20);
// A function: in the top level of a module every number that changes is an object.
function work(first) {
  for (let i = 0; i < PER_BLOCK; i++) {
    const nowMs = began + 77 * (first + i);
    input.processingCode = i % 4 === 0 ? 10_000 : 0;
    facts.readRequest(input, 1 + (i % 50_000), 0);
    check.begin(facts, controls, cardOwner(i % 100), undefined, 0, nowMs);
    changes.clear();
    if (check.passes()) check.countApproval(changes, 1 + (i % 50_000));
    else check.countDecline(changes);
    read.unpack(packed, 0, changes.pack(packed, 0));
    table.apply(read, nowMs, first + i + 1);
  }
}
for (let block = 0; block < BLOCKS; block++) {
  const before = process.memoryUsage().heapUsed;
  work(block * PER_BLOCK);
  while (table.takeDirty(1000, () => undefined) > 0);
  const grown = process.memoryUsage().heapUsed - before;
  if (block >= BLOCKS / 4 && grown >= 0) growth.push(grown / PER_BLOCK);
}
growth.sort((a, b) => a - b);
console.log(JSON.stringify({ samples: growth.length, rows: table.rows, bytes: growth[growth.length >> 2] }));
`;

const BOUND = 100;

/** One process's figures. */
function measure(): { samples: number; rows: number; bytes: number } {
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  return JSON.parse(output) as { samples: number; rows: number; bytes: number };
}

test('100 000 checks of ten windows, packed, unpacked and applied, allocate nothing per window', () => {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 5 && least >= BOUND; run++) {
    const { samples, rows, bytes } = measure();
    expect(samples).toBeGreaterThan(3);
    expect(rows).toBe(100);
    least = Math.min(least, bytes);
  }
  // One small object for each of the ten windows is 160 bytes.
  expect(least).toBeLessThan(BOUND);
}, 60_000);
