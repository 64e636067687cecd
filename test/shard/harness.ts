/**
 * A shard thread without a thread: the real host, shards, journal and index over stores in memory, driven turn by turn.
 * A client sends ISO messages and commands through real rings and collects the replies.
 */
import { pack as packMsg, unpack as unpackMsg } from 'msgpackr';
import type { ApprovalKey } from '#src/domain/approval-code.js';
import { AccountType, CardStatus } from '#src/domain/codes.js';
import type { Command, CommandResult } from '#src/domain/commands.js';
import { IndexKeys } from '#src/domain/index-keys.js';
import type { Read, ReadResult } from '#src/domain/reads.js';
import { type FaultOptions, Faults, noFaults } from '#src/faults.js';
import { type DialectName, dialectNames } from '#src/iso8583/dialects.js';
import { type Fields, pack, unpack } from '#src/iso8583/message.js';
import { EmbeddedLane } from '#src/journal/lanes.js';
import { JournalReader } from '#src/journal/reader.js';
import { createSegmentBoard, SegmentBoard } from '#src/journal/segment-board.js';
import type { JournalLane } from '#src/journal/types.js';
import { ControlBlock, createControlBlock, ShardState } from '#src/ring/control-block.js';
import { CardDirectory, createDirectory } from '#src/ring/directory.js';
import { ReplyKind, RequestKind } from '#src/ring/kinds.js';
import { createRing, RingConsumer, RingProducer } from '#src/ring/ring.js';
import { createWake, Waker } from '#src/ring/wake.js';
import { WIRE_HEADER_BYTES, WIRE_NO_CARD } from '#src/ring/wire-entry.js';
import { CheckpointFeed } from '#src/shard/checkpoint-feed.js';
import { DeviceLink } from '#src/shard/device-link.js';
import { logStartGap } from '#src/shard/expiry-sweep.js';
import type { LogicalShard } from '#src/shard/logical-shard.js';
import { type CheckpointSource, ShardRecovery } from '#src/shard/recovery.js';
import { lastTimesOf, ShardClock } from '#src/shard/shard-clock.js';
import { type HostClient, ShardHost } from '#src/shard/shard-host.js';
import { ThreadContext } from '#src/shard/thread-context.js';
import { createShardInstruments, ShardInstruments } from '#src/shard-instruments.js';
import { MemoryStore } from '#src/store/memory-store.js';
import type { HsmOp, HsmRequest, HsmVerdict, InlineHsm } from '#src/vault/hsm/port.js';
import { pinReferences } from '../support/card-keys.js';

const START_MS = Date.UTC(2026, 5, 15, 12, 0, 0);

export interface WireAnswer {
  token: number;
  kind: number;
  flag: number;
  sequence: number;
  /** Word of turn-times.ts. */
  turn: number;
  fields: Fields;
}

export interface HarnessOptions {
  shards?: number;
  journal?: MemoryStore;
  approvalKey?: ApprovalKey;
  faults?: Partial<FaultOptions>;
  /** Adapter of card cryptography. */
  hsm?: InlineHsm;
  /** Devices with these operations in its place, whose questions the test answers (`questions`, `answer`). */
  deviceOps?: readonly HsmOp[];
  /** Bytes of the rings to and from the devices. */
  deviceRingBytes?: number;
  lane?: (inner: JournalLane) => JournalLane;
  /** Rows to recover from. */
  checkpoint?: CheckpointSource;
  /** Wall clock at the start, ms since 1970 UTC; default: noon of a day in June, or the last record's time. */
  wallMs?: number;
  /** Changed rows are written behind into this ring (checkpoint-feed.ts). */
  checkpointRing?: SharedArrayBuffer;
}

export class Harness {
  readonly shards: number;
  readonly journal: MemoryStore;
  readonly control = new ControlBlock(createControlBlock());
  readonly directory = new CardDirectory(createDirectory({ expected: 16, maximum: 1 << 16 }));
  readonly logs: string[] = [];
  /** Shards whose checkpoint was found wrong. */
  readonly discarded: number[] = [];
  readonly profiles: string[] = [];
  readonly host: ShardHost;
  readonly context: ThreadContext;
  readonly lane: JournalLane;
  readonly recovered: number;
  wallMs: number;
  /** Business day in the header of wire entries, days since 1970; 0 for none. */
  linkDay = 0;
  /** Number of the link in the header of wire entries. */
  link = 0;
  us = 1_000_000;
  /** Requests of a second client, which nobody collects the replies of. */
  readonly others: RingProducer;
  /** How much later each look at the monotonic clock finds it, us. */
  stepUs = 0;
  readonly #shards: LogicalShard[];
  readonly #requests: RingProducer;
  readonly #replies: RingConsumer;
  readonly #questions: RingConsumer;
  readonly #verdicts: RingProducer;
  #token = 0;
  readonly #dialects = new Map<number, DialectName>();
  readonly answers = new Map<number, WireAnswer>();
  readonly results = new Map<number, CommandResult | ReadResult>();

  constructor(options: HarnessOptions = {}) {
    this.shards = options.shards ?? 2;
    this.journal = options.journal ?? new MemoryStore();
    const reader = JournalReader.ofStore(this.journal, 'memory');
    const questions = createRing(options.deviceRingBytes ?? 1 << 18);
    const verdicts = createRing(options.deviceRingBytes ?? 1 << 18);
    this.#questions = new RingConsumer(questions);
    this.#verdicts = new RingProducer(verdicts);
    const { deviceOps } = options;
    const devices =
      deviceOps && new DeviceLink(new RingProducer(questions), new Waker(createWake()), new Set(deviceOps));
    this.context = new ThreadContext({
      reader,
      segments: new MemoryStore(),
      board: new SegmentBoard(createSegmentBoard()),
      keys: new IndexKeys(0x1234567, 0x89abcde),
      keyCheck: 7,
      duplicateWindowMs: 86_400_000,
      approvalKey: options.approvalKey ?? [1, 2, 3, 4],
      cardKeys: { hsm: options.hsm, pins: pinReferences, ...(devices && { devices }) },
      directory: this.directory,
      faults: new Faults({ ...noFaults, ...options.faults }),
      instruments: new ShardInstruments(createShardInstruments()),
      monotonicUs: () => {
        this.us += this.stepUs;
        return this.us;
      },
      log: (level, message, data) => this.logs.push(`${level} ${message} ${JSON.stringify(data ?? {})}`),
    });
    const heads = Array.from({ length: this.shards }, (_, shard) => reader.head(shard));
    const last = lastTimesOf(heads);
    this.wallMs = options.wallMs ?? Math.max(START_MS, last.shardMs);
    let recovered = 0;
    const shards = heads.map((head) => {
      const recovery = new ShardRecovery(this.context, head, options.checkpoint);
      while (!recovery.step(1000));
      if (recovery.discardCheckpoint) this.discarded.push(head.shard);
      recovered += recovery.records;
      return recovery.shard;
    });
    this.#shards = shards;
    this.recovered = recovered;
    logStartGap(shards, last.shardMs, this.wallMs, this.context.ports.log);
    const embedded = new EmbeddedLane(this.journal, { heads });
    this.lane = options.lane?.(embedded) ?? embedded;
    const requests = createRing(1 << 20);
    const replies = createRing(1 << 20);
    this.#requests = new RingProducer(requests);
    this.#replies = new RingConsumer(replies);
    const others = createRing(1 << 16);
    this.others = new RingProducer(others);
    const client = (ring: SharedArrayBuffer, replyRing: SharedArrayBuffer): HostClient => ({
      ...{ requests: new RingConsumer(ring), replies: new RingProducer(replyRing), waker: new Waker(createWake()) },
    });
    for (let shard = 0; shard < this.shards; shard++) this.control.setShardState(shard, ShardState.up);
    this.host = new ShardHost({
      context: this.context,
      clients: [client(requests, replies), client(others, createRing(1 << 16)), client(verdicts, createRing(1 << 16))],
      shards,
      lane: this.lane,
      reader,
      control: this.control,
      clock: new ShardClock(last, this.wallMs, this.us),
      wallMs: () => this.wallMs,
      checkpoint: options.checkpoint,
      feed:
        options.checkpointRing === undefined
          ? undefined
          : new CheckpointFeed(new RingProducer(options.checkpointRing), new Waker(createWake()), () => this.us),
      onProfile: (profile) => this.profiles.push(profile),
    });
  }

  /** The shard as it was at the start. */
  shard(number: number): LogicalShard {
    return this.#shards[number]!;
  }

  /** Moves both clocks. */
  advance(ms: number): void {
    this.wallMs += ms;
    this.us += ms * 1000;
  }

  /** Queues a wire message for the shard of a card, and returns its token. */
  send(
    card: { shard: number; slot: number } | undefined,
    fields: Fields,
    dialect: DialectName = 'iso87-bcd',
    deadlineMs = 1500,
  ): number {
    return this.sendBytes(card, pack(dialect, fields), dialect, deadlineMs);
  }

  sendBytes(
    card: { shard: number; slot: number } | undefined,
    message: Uint8Array,
    dialect: DialectName = 'iso87-bcd',
    deadlineMs = 1500,
  ): number {
    const payload = new Uint8Array(WIRE_HEADER_BYTES + message.length);
    const view = new DataView(payload.buffer);
    view.setUint32(0, card === undefined ? WIRE_NO_CARD : ((card.shard << 24) | card.slot) >>> 0, true);
    if (card === undefined) view.setUint32(4, 0xfeed, true);
    payload[16] = dialectNames.indexOf(dialect);
    payload[17] = 1;
    view.setUint16(18, this.link, true);
    view.setUint32(20, this.linkDay, true);
    payload.set(message, WIRE_HEADER_BYTES);
    const token = ++this.#token;
    this.#dialects.set(token, dialect);
    const pushed = this.#requests.push(
      RequestKind.wire,
      0,
      card?.shard ?? 0,
      token,
      0,
      this.us,
      this.us + deadlineMs * 1000,
      payload,
    );
    if (!pushed) throw new Error('ring full');
    return token;
  }

  /** Asks for a CPU profile of the thread. */
  profile(seconds: number): void {
    this.#requests.push(RequestKind.profile, 0, 0, 0, 0, this.us, seconds, new Uint8Array(0));
  }

  /** Asks the thread to finish and leave. */
  stop(checkpointUntilUs = 0): void {
    this.#requests.push(RequestKind.stop, 0, 0, 0, 0, this.us, checkpointUntilUs, new Uint8Array(0));
  }

  notDelivered(shard: number, sequence: number): number {
    const token = ++this.#token;
    this.#requests.push(RequestKind.notDelivered, 0, shard, token, 0, this.us, sequence, new Uint8Array(0));
    return token;
  }

  /** One turn, then everything that was released is collected. */
  turn(): void {
    this.us += 100;
    this.host.turn();
    while (this.#replies.next()) {
      const entry = this.#replies;
      const bytes = entry.bytes.slice(entry.payloadAt, entry.payloadAt + entry.payloadLength);
      if (entry.kind === ReplyKind.result) this.results.set(entry.token, unpackMsg(bytes) as CommandResult);
      else {
        const fields = bytes.length === 0 ? {} : unpack(this.#dialects.get(entry.token) ?? 'iso87-bcd', bytes);
        this.answers.set(entry.token, {
          token: entry.token,
          kind: entry.kind,
          flag: entry.flag,
          sequence: entry.b,
          turn: entry.a,
          fields,
        });
      }
      entry.consume();
    }
    this.#replies.release();
  }

  /** What was asked of the devices since the last look. */
  questions(): { token: number; shard: number; request: HsmRequest }[] {
    const asked: { token: number; shard: number; request: HsmRequest }[] = [];
    while (this.#questions.next()) {
      const { bytes, payloadAt, payloadLength, token, shard } = this.#questions;
      const request = unpackMsg(bytes.slice(payloadAt, payloadAt + payloadLength)) as HsmRequest;
      asked.push({ token, shard, request });
      this.#questions.consume();
    }
    this.#questions.release();
    return asked;
  }

  /** A device answers; the shard hears of it in the next turn. */
  answer({ token, shard }: { token: number; shard: number }, verdict: HsmVerdict): void {
    if (!this.#verdicts.push(RequestKind.verdict, 0, shard, token, 0, 0, 0, packMsg(verdict)))
      throw new Error('ring full');
  }

  /** Sends one message and answers its reply. */
  ask(card: { shard: number; slot: number } | undefined, fields: Fields): Fields {
    const token = this.send(card, fields);
    this.turn();
    const answer = this.answers.get(token);
    if (answer === undefined) throw new Error('no reply was released');
    return answer.fields;
  }

  #call(kind: number, shard: number, value: Command | Read): CommandResult | ReadResult {
    const token = this.#push(kind, shard, value);
    this.turn();
    const result = this.results.get(token);
    if (result === undefined) throw new Error('no result was released');
    return result;
  }

  #push(kind: number, shard: number, value: Command | Read): number {
    const token = ++this.#token;
    this.#requests.push(kind, 0, shard, token, 0, this.us, 0, packMsg(value));
    return token;
  }

  /** Queues a command without a turn. */
  sendCommand(shard: number, command: Command): number {
    return this.#push(RequestKind.command, shard, command);
  }

  /** Queues a read without a turn. */
  sendRead(shard: number, read: Read): number {
    return this.#push(RequestKind.read, shard, read);
  }

  command(shard: number, command: Command): CommandResult {
    return this.#call(RequestKind.command, shard, command) as CommandResult;
  }

  read(shard: number, read: Read): ReadResult {
    return this.#call(RequestKind.read, shard, read) as ReadResult;
  }

  /** An account with a card in the shard. */
  open(shard: number, number: number, creditLimit = 500_000): { shard: number; slot: number; account: string } {
    const account = `acct-${shard}-${number}`;
    const made = this.command(shard, {
      op: 'create_account',
      id: account,
      program: 0,
      currency: 986,
      creditLimit,
      type: AccountType.credit,
    });
    if (!made.ok) throw new Error(made.code);
    const card = this.command(shard, {
      op: 'create_card',
      account,
      fingerprint: [shard * 1000 + number, 2, 3],
      bin: 999999,
      last4: 18,
      panLength: 16,
      expiry: 2912,
      cardSequence: 1,
      serviceCode: 201,
      status: CardStatus.active,
      replacesSlot: -1,
    });
    if (!card.ok || !('card' in card) || card.card === undefined) throw new Error(JSON.stringify(card));
    return { shard, slot: card.card.slot, account };
  }

  balances(shard: number, account: string): { posted: number; held: number } {
    const result = this.read(shard, { op: 'account', id: account });
    if (!result.ok || !('account' in result)) throw new Error(JSON.stringify(result));
    return { posted: result.account.posted, held: result.account.held };
  }
}

/** A purchase of `amount` minor units; `over` replaces fields. */
export function purchase(stan: number, amount: number, over: Fields = {}): Fields {
  const six = String(stan).padStart(6, '0');
  return {
    0: '0100',
    2: '9999990000000018',
    3: '000000',
    4: String(amount).padStart(12, '0'),
    7: '0615120000',
    11: six,
    12: '120000',
    13: '0615',
    14: '2912',
    18: '5411',
    22: '051',
    25: '00',
    32: '123456',
    37: `0000${six}00`,
    41: 'TERM0001',
    42: 'MERCHANT0000001',
    43: 'CORNER SHOP            SAO PAULO     BR ',
    49: '986',
    63: `N${six}`,
    ...over,
  };
}
