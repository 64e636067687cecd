/**
 * A host that keeps nothing: the real turn, shards, codec and decision between both ends of one client's rings, and a journal
 * without a disk. A shard thread warms up on one (warm-up.ts), and the benchmarks measure what a turn costs by itself.
 */
import { pack } from 'msgpackr';
import { AccountType, CardStatus } from '../domain/codes.js';
import type { Command } from '../domain/commands.js';
import { IndexKeys } from '../domain/index-keys.js';
import { Faults, noFaults } from '../faults.js';
import type { Fields } from '../iso8583/message.js';
import { scratchJournal } from '../journal/scratch.js';
import { createSegmentBoard, SegmentBoard } from '../journal/segment-board.js';
import { ControlBlock, createControlBlock, ShardState } from '../ring/control-block.js';
import { CardDirectory, createDirectory } from '../ring/directory.js';
import { RequestKind } from '../ring/kinds.js';
import { createRing, RingConsumer, RingProducer } from '../ring/ring.js';
import { createWake, type Signal, Waker } from '../ring/wake.js';
import { createShardInstruments, ShardInstruments } from '../shard-instruments.js';
import { PinReferences } from '../vault/pin-references.js';
import { LogicalShard } from './logical-shard.js';
import { lastTimesOf, ShardClock } from './shard-clock.js';
import { ShardHost } from './shard-host.js';
import { ThreadContext } from './thread-context.js';

/** When everything on a scratch host happens, ms since 1970 UTC, unless its clock says otherwise. */
export const SCRATCH_NOW_MS = Date.UTC(2026, 5, 15, 12);

const CURRENCY = 986;

export interface ScratchOptions {
  /** Microseconds of the monotonic clock. */
  readonly monotonicUs: () => number;
  readonly shards: number;
  /** Cards that are opened on all shards together. */
  readonly cards: number;
  /** Of each of the two rings, a power of two. */
  readonly ringBytes: number;
  /** These two are handed in together; without them time stands still. */
  readonly clock?: ShardClock;
  readonly wallMs?: () => number;
  /** Is signalled when the replies of a turn are out. */
  readonly waker?: Signal;
}

export class ScratchHost {
  readonly instruments = new ShardInstruments(createShardInstruments());
  readonly shards: readonly LogicalShard[];
  /** To push messages and commands of the next turn. */
  readonly requests: RingProducer;
  readonly #replies: RingConsumer;
  readonly #host: ShardHost;
  readonly #monotonicUs: () => number;

  constructor({ monotonicUs, shards, cards, ringBytes, clock, wallMs, waker }: ScratchOptions) {
    this.#monotonicUs = monotonicUs;
    const { lane, reader, segments } = scratchJournal();
    const context = new ThreadContext({
      reader,
      segments,
      board: new SegmentBoard(createSegmentBoard()),
      keys: new IndexKeys(1, 2),
      keyCheck: 0,
      duplicateWindowMs: 86_400_000,
      approvalKey: [1, 2, 3, 4],
      cardKeys: { hsm: undefined, pins: new PinReferences(new Uint8Array(32)) },
      directory: new CardDirectory(createDirectory({ expected: cards, maximum: cards })),
      faults: new Faults(noFaults),
      instruments: this.instruments,
      monotonicUs,
      log: () => undefined,
    });
    context.nowMs = SCRATCH_NOW_MS;
    const control = new ControlBlock(createControlBlock());
    this.shards = Array.from({ length: shards }, (_, shard) => new LogicalShard(context, reader.head(shard)));
    for (const { number } of this.shards) control.setShardState(number, ShardState.up);
    const [requests, replies] = [createRing(ringBytes), createRing(ringBytes)];
    this.requests = new RingProducer(requests);
    this.#replies = new RingConsumer(replies);
    const client = { requests: new RingConsumer(requests), replies: new RingProducer(replies) };
    this.#host = new ShardHost({
      context,
      clients: [{ ...client, waker: waker ?? new Waker(createWake()) }],
      shards: this.shards,
      lane,
      reader,
      control,
      clock: clock ?? new ShardClock(lastTimesOf([]), SCRATCH_NOW_MS, monotonicUs()),
      wallMs: wallMs ?? (() => SCRATCH_NOW_MS),
      checkpoint: undefined,
      feed: undefined,
      onProfile: () => undefined,
    });
  }

  /** Queues a command for the next turn. */
  command(shard: number, command: Command): void {
    this.requests.push(RequestKind.command, 0, shard, 0, 0, this.#monotonicUs(), 0, pack(command));
  }

  /** Opens the accounts and cards 0 to `count` - 1 of a shard, each with this credit limit in minor units. */
  openCards(shard: number, count: number, creditLimit: number): void {
    for (let slot = 0; slot < count; slot++) {
      const account = `scratch-${shard}-${slot}`;
      const type = AccountType.credit;
      this.command(shard, { op: 'create_account', id: account, program: 0, currency: CURRENCY, creditLimit, type });
      this.command(shard, {
        ...{ op: 'create_card', account, fingerprint: scatter(shard, slot), bin: 999_999, last4: 18, panLength: 16 },
        ...{ expiry: 3512, cardSequence: 1, serviceCode: 201, status: CardStatus.active, replacesSlot: -1 },
      });
      this.turn();
    }
  }

  /** One turn and its replies, which are thrown away. @returns how many there were */
  turn(): number {
    this.runTurn();
    return this.takeReplies();
  }

  runTurn(): void {
    this.#host.turn();
  }

  /** Throws replies away. @returns how many there were */
  takeReplies(): number {
    let count = 0;
    for (; this.#replies.next(); count++) this.#replies.consume();
    this.#replies.release();
    return count;
  }
}

/** A fingerprint like those of real numbers, whose words are those of a hash. */
function scatter(shard: number, slot: number): [number, number, number] {
  const word = Math.imul((shard << 24) + slot + 1, 0x9e3779b1) >>> 0;
  return [word, (word ^ 0x5bd1e995) >>> 0, slot];
}

/** Fields of a purchase with a card of `openCards`. @param stan up to six digits @param amount in minor units */
export function scratchPurchase(stan: number, amount: number): Fields {
  const number = String(stan).padStart(6, '0');
  return {
    0: '0100',
    2: '9999990000000018',
    3: '000000',
    4: String(amount).padStart(12, '0'),
    7: '0615120000',
    11: number,
    12: '120000',
    13: '0615',
    14: '3512',
    18: '5411',
    22: '051',
    25: '00',
    32: '999901',
    37: `000000${number}`,
    41: 'TERM0001',
    42: 'MERCHANT0000001',
    43: 'CORNER SHOP            SAO PAULO     BRA',
    49: '986',
    63: `N${number}`,
  };
}
