/**
 * One shard thread's work per message without its disk: ring entry in, decode, normalize, duplicate check, decide, apply,
 * journal record, seal, reply, release. The lane takes the frames and does nothing, so this is the CPU that the shard adds
 * to the commit.
 *
 * The full pipeline is the same with ten velocity windows on each card and a program with 20 active and 5 shadow rules, which
 * read them; plain, with windows and full are measured in turns, so that the ratios are of one machine in one minute. A ratio
 * is the median of those of the turns, and stands in the name of its row. Every message is approved.
 */

import { monotonicUs } from '#src/clock.js';
import { Response } from '#src/domain/codes.js';
import { IndexKeys } from '#src/domain/index-keys.js';
import { makeSnapshot, type SnapshotRule } from '#src/domain/program/snapshot.js';
import { pack } from '#src/iso8583/message.js';
import { scratchJournal } from '#src/journal/scratch.js';
import { createSegmentBoard, SegmentBoard } from '#src/journal/segment-board.js';
import { ControlBlock, createControlBlock, ShardState } from '#src/ring/control-block.js';
import { CardDirectory, createDirectory } from '#src/ring/directory.js';
import { RequestKind } from '#src/ring/kinds.js';
import { createRing, RingConsumer, RingProducer } from '#src/ring/ring.js';
import { createWake, Waker } from '#src/ring/wake.js';
import { WIRE_HEADER_BYTES } from '#src/ring/wire-entry.js';
import { Faults, noFaults } from '#src/shard/faults.js';
import { LogicalShard } from '#src/shard/logical-shard.js';
import { ShardClock } from '#src/shard/shard-clock.js';
import { ShardHost } from '#src/shard/shard-host.js';
import { ThreadContext } from '#src/shard/thread-context.js';
import { createShardInstruments, ShardInstruments } from '#src/shard-instruments.js';
import type { BenchRow } from './row.js';
import { ACTIVE_RULES, conditions, TOO_OFTEN } from './rules.bench.js';
import { tenWindows } from './velocity.bench.js';

const CARDS = 1000;
const BATCH = 1024;
const WARM_BATCHES = 60;
const BATCHES = 200;
/** Times that plain, windows and the full pipeline are measured in turns. */
const TURNS = 40;
/** Batches that are looked at for the allocation of a message. */
const HEAP_BATCHES = 20;
const NOW_MS = Date.UTC(2026, 5, 15, 12);
/** Index of the accounts' program, and the revision of its snapshot where it has one. */
const PROGRAM = 0;
const REVISION = 1;
const STAN_AT_TEXT = '000000';

class ShardBench {
  readonly #shard: LogicalShard;
  readonly #instruments = new ShardInstruments(createShardInstruments());
  readonly #requests: RingProducer;
  readonly #replies: RingConsumer;
  readonly #host: ShardHost;
  readonly #payload: Uint8Array;
  readonly #stanAt: number;
  readonly #rrnAt: number;
  #stan = 0;
  #messages = 0;

  /** @param controls of each card as JSON, '' for none @param program snapshot of the accounts' program, '' for none */
  constructor(controls: string, program: string) {
    const { lane, reader, segments } = scratchJournal();
    const context = new ThreadContext({
      reader,
      segments,
      board: new SegmentBoard(createSegmentBoard()),
      keys: new IndexKeys(1, 2),
      keyCheck: 3,
      duplicateWindowMs: 86_400_000,
      approvalKey: [1, 2, 3, 4],
      directory: new CardDirectory(createDirectory({ expected: CARDS, maximum: CARDS })),
      faults: new Faults(noFaults),
      instruments: this.#instruments,
      monotonicUs,
      log: () => undefined,
    });
    context.nowMs = NOW_MS;
    const shard = new LogicalShard(context, reader.head(0));
    this.#shard = shard;
    const control = new ControlBlock(createControlBlock());
    control.setShardState(0, ShardState.up);
    const requests = createRing(1 << 20);
    const replies = createRing(1 << 20);
    this.#requests = new RingProducer(requests);
    this.#replies = new RingConsumer(replies);
    this.#host = new ShardHost({
      context,
      clients: [
        { requests: new RingConsumer(requests), replies: new RingProducer(replies), waker: new Waker(createWake()) },
      ],
      shards: [shard],
      lane,
      reader,
      control,
      clock: new ShardClock(0, NOW_MS, monotonicUs()),
      wallMs: () => NOW_MS,
      checkpoint: undefined,
      feed: undefined,
      onProfile: () => undefined,
    });
    if (program !== '') {
      shard.record({ kind: 11, sequence: 0, timeMs: NOW_MS, program: PROGRAM, revision: REVISION, text: program });
    }
    openCards(shard, controls);
    this.#host.turn();
    const message = pack('iso87-bcd', purchase());
    this.#payload = new Uint8Array(WIRE_HEADER_BYTES + message.length);
    this.#payload.set(message, WIRE_HEADER_BYTES);
    this.#payload[17] = 1;
    // DE11 stands behind MTI 2, bitmap 8, DE2 1 + 8, DE3 3, DE4 6, DE7 5.
    this.#stanAt = WIRE_HEADER_BYTES + 2 + 8 + 9 + 3 + 6 + 5;
    this.#rrnAt = indexOfText(this.#payload, '326514000000');
  }

  batch(): void {
    const us = monotonicUs();
    for (let i = 0; i < BATCH; i++) {
      this.#stan = (this.#stan + 1) % 1_000_000;
      const slot = (this.#stan * 7919) % CARDS;
      this.#payload[0] = slot & 0xff;
      this.#payload[1] = slot >> 8;
      putBcd(this.#payload, this.#stanAt, this.#stan);
      putAscii(this.#payload, this.#rrnAt + 6, this.#stan);
      this.#requests.push(RequestKind.wire, 0, 0, i, 0, us, us + 1e9, this.#payload);
    }
    this.#host.turn();
    let replies = 0;
    while (this.#replies.next()) {
      this.#replies.consume();
      replies++;
    }
    this.#replies.release();
    if (replies !== BATCH) throw new Error(`${replies} replies for ${BATCH} messages`);
    this.#messages += BATCH;
  }

  /** @throws Error when a message was declined, or the rules were not asked about each */
  check(rules: number): void {
    const { ruleStats } = this.#shard.state;
    this.#instruments.eachOutcome((mti, response, reason, count) => {
      if (response !== Response.approved || count !== this.#messages) {
        throw new Error(`${count} of ${this.#messages} messages ${mti} were answered ${response}, reason ${reason}`);
      }
    });
    const [stats] = ruleStats.of(PROGRAM, 0, 1);
    const asked = rules === 0 ? 0 : this.#messages;
    if ((stats?.asked ?? 0) !== asked || (stats?.matched.length ?? 0) !== rules) {
      throw new Error(
        `${stats?.matched.length ?? 0} rules were asked ${stats?.asked ?? 0} times, not ${rules} ${asked}`,
      );
    }
  }
}

function purchase(): Record<string, string> {
  return {
    0: '0100',
    2: '9999990000000018',
    3: '000000',
    4: '000000000001',
    7: '0615120000',
    11: STAN_AT_TEXT,
    12: '120000',
    13: '0615',
    14: '3512',
    18: '5411',
    22: '051',
    25: '00',
    32: '123456',
    37: '326514000000',
    41: 'TERM0001',
    42: 'ACCEPTOR0000001',
    43: 'CORNER SHOP            SAO PAULO     BRA',
    49: '986',
    63: 'N00000000000001',
  };
}

function openCards(shard: LogicalShard, controls: string): void {
  for (let i = 0; i < CARDS; i++) {
    shard.record({
      kind: 1,
      sequence: 0,
      timeMs: NOW_MS,
      accountSlot: i,
      id: `acct-${i}`,
      program: PROGRAM,
      currency: 986,
      creditLimit: 1e12,
      type: 1,
    });
    shard.record({
      kind: 3,
      sequence: 0,
      timeMs: NOW_MS,
      cardSlot: i,
      accountSlot: i,
      fingerprint: [i + 1, 2, 3],
      bin: 999_999,
      last4: 18,
      panLength: 16,
      expiry: 3512,
      cardSequence: 1,
      serviceCode: 201,
      status: 2,
      replacesSlot: -1,
      aliasOfSlot: -1,
      previousOfAccount: 0,
    });
    if (controls === '') continue;
    shard.record({
      kind: 12,
      sequence: 0,
      timeMs: NOW_MS,
      accountSlot: i,
      cardSlot: i,
      text: controls,
      previousOfAccount: 0,
      previousOfCard: 0,
    });
  }
}

function indexOfText(bytes: Uint8Array, text: string): number {
  return Buffer.from(bytes).indexOf(text, 0, 'latin1');
}

function putBcd(bytes: Uint8Array, at: number, value: number): void {
  let rest = value;
  for (let i = 2; i >= 0; i--) {
    bytes[at + i] = (rest % 10) | ((Math.floor(rest / 10) % 10) << 4);
    rest = Math.floor(rest / 100);
  }
}

function putAscii(bytes: Uint8Array, at: number, value: number): void {
  let rest = value;
  for (let i = 5; i >= 0; i--) {
    bytes[at + i] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

/** Wall and CPU time of some batches, ns per message. */
function spend(bench: ShardBench, batches: number): { wallNs: number; cpuNs: number } {
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (let i = 0; i < batches; i++) bench.batch();
  const messages = batches * BATCH;
  const wallNs = ((performance.now() - start) * 1e6) / messages;
  const used = process.cpuUsage(cpu);
  return { wallNs, cpuNs: ((used.user + used.system) * 1000) / messages };
}

/** Heap bytes per message: the median batch of those in which no collection got in between. */
function allocation(bench: ShardBench): number {
  const grown: number[] = [];
  for (let i = 0; i < HEAP_BATCHES; i++) {
    const before = process.memoryUsage().heapUsed;
    bench.batch();
    const bytes = process.memoryUsage().heapUsed - before;
    if (bytes >= 0) grown.push(bytes / BATCH);
  }
  return median(grown);
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Snapshot of a program with the rules of the rules' benchmark; none of the active ones matches the messages. */
function programWithRules(): string {
  const rules = conditions.map(
    (condition, i): SnapshotRule => ({
      id: `rule_${i}`,
      version: 1,
      state: i < ACTIVE_RULES ? 'active' : 'shadow',
      text: `when ${condition === TOO_OFTEN ? 'count("1h") >= 1000000' : condition} then decline 59 reason "suspected_fraud"`,
    }),
  );
  const head = { id: 'bench', currency: 'BRL', product: 'credit', sandbox: false, tables: {}, controls: {} };
  const made = makeSnapshot({ ...head, rules }, REVISION, { dialects: ['iso87-bcd'], knowsZone: () => true });
  if (!made.ok) throw new Error(JSON.stringify(made.problems));
  return made.text;
}

export async function benchShard(): Promise<BenchRow[]> {
  const windows = JSON.stringify({ velocity: tenWindows });
  const plain = new ShardBench('', '');
  const limited = new ShardBench(windows, '');
  const full = new ShardBench(windows, programWithRules());
  const benches = [plain, limited, full];
  for (let i = 0; i < WARM_BATCHES; i++) for (const bench of benches) bench.batch();
  const turns = Array.from({ length: TURNS }, () => benches.map((bench) => spend(bench, BATCHES / TURNS)));
  plain.check(0);
  limited.check(0);
  full.check(conditions.length);
  const of = (which: number, what: 'wallNs' | 'cpuNs'): number => median(turns.map((turn) => turn[which]![what]));
  const ratio = (which: number): string => median(turns.map((turn) => turn[which]!.cpuNs / turn[0]!.cpuNs)).toFixed(2);
  const row = (name: string, nsPerOp: number): BenchRow => ({ room: 'shard', name, nsPerOp, opsPerSec: 1e9 / nsPerOp });
  const cpu = (name: string, which: number): BenchRow => ({
    ...row(name, of(which, 'cpuNs')),
    bytesPerOp: allocation(benches[which]!),
  });
  return [
    row('whole turn per authorization, no disk, wall', of(0, 'wallNs')),
    cpu('whole turn per authorization, no disk, CPU', 0),
    cpu(`the same with 10 velocity windows, CPU (${ratio(1)} times the plain one)`, 1),
    cpu(`the same with 10 velocity windows and 25 rules, CPU (${ratio(2)} times the plain one)`, 2),
  ];
}
