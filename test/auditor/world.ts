/**
 * A small world for the auditor's own tests: a real shard host, turned by hand, over a store in memory. It writes down what an
 * observer would be told, so that a test can tell it to the auditor as it was, or falsified.
 */
import { AccountType, CardStatus } from '#src/domain/codes.js';
import type { Command, CommandResult } from '#src/domain/commands.js';
import { makeSnapshot } from '#src/domain/program/snapshot.js';
import { IntlZoneCalendar } from '#src/intl-zone-calendar.js';
import { dialectNames } from '#src/iso8583/dialects.js';
import { type Fields, pack } from '#src/iso8583/message.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { Harness } from '../shard/harness.js';
import type { AccountObservation, Observer, SimConnection, SimTime } from '../sim/observation.js';

/** Key of a frame: commit, shard. */
const KEY_BYTES = 10;
const INDEX_ROWS = 0xfffe;
const DIALECT = 'iso87-bcd';

/** One call of an observer. */
export type Told = { [K in keyof Observer]: { call: K; args: Parameters<Observer[K]> } }[keyof Observer];

export interface WorldCard {
  readonly shard: number;
  readonly slot: number;
  readonly account: string;
  readonly pan: string;
}

export class World {
  readonly told: Told[] = [];
  readonly accounts: { shard: number; id: string }[] = [];
  harness: Harness;
  readonly store = new MemoryStore();
  #connection: SimConnection = { id: 1, link: 1, dialect: DIALECT };
  readonly #sent = new Map<number, SimConnection>();
  readonly #commands = new Map<number, { shard: number; id: number }>();
  #commitsSeen = 0;
  #command = 0;
  #cards = 0;

  constructor() {
    this.harness = new Harness({ journal: this.store, shards: 2 });
  }

  get at(): SimTime {
    return { us: this.harness.us, wallMs: this.harness.wallMs };
  }

  tell<K extends keyof Observer>(call: K, ...args: Parameters<Observer[K]>): void {
    this.told.push({ call, args } as unknown as Told);
  }

  /** Sends a message without a turn; gives its token. */
  send(card: WorldCard | undefined, fields: Fields): number {
    const token = this.harness.send(card, fields, DIALECT);
    const copy = { ...fields };
    this.tell('sent', { connection: this.#connection, bytes: pack(DIALECT, fields), fields: copy, at: this.at });
    this.#sent.set(token, this.#connection);
    return token;
  }

  /** Sends a message and gives its answer. */
  ask(card: WorldCard | undefined, fields: Fields): Fields {
    const token = this.send(card, fields);
    this.turn();
    return this.harness.answers.get(token)!.fields;
  }

  command(shard: number, command: Command): CommandResult {
    const id = ++this.#command;
    this.tell('commanded', { shard, id, command, at: this.at });
    const token = this.harness.sendCommand(shard, command);
    this.#commands.set(token, { shard, id });
    this.turn();
    return this.harness.results.get(token) as CommandResult;
  }

  notDelivered(shard: number, sequence: number): void {
    this.harness.notDelivered(shard, sequence);
    this.turn();
  }

  /** One turn; what became durable is told, then what was answered. */
  turn(): void {
    const { harness } = this;
    harness.turn();
    this.#tellFrames();
    for (const [token, connection] of this.#sent) {
      const answer = harness.answers.get(token);
      if (answer === undefined) continue;
      this.#sent.delete(token);
      this.tell('answered', { connection, bytes: pack(DIALECT, answer.fields), fields: answer.fields, at: this.at });
    }
    for (const [token, { shard, id }] of this.#commands) {
      const result = harness.results.get(token);
      if (result === undefined) continue;
      this.#commands.delete(token);
      this.tell('resulted', { shard, id, result: result as CommandResult, at: this.at });
    }
  }

  #tellFrames(): void {
    const found: [shard: number, frame: Uint8Array][] = [];
    const start = new Uint8Array(KEY_BYTES);
    new DataView(start.buffer).setBigUint64(0, BigInt(this.#commitsSeen + 1));
    this.store.scan({ start }, (key, value) => {
      const view = new DataView(key.buffer, key.byteOffset);
      if (view.getUint16(8) === INDEX_ROWS) return true;
      this.#commitsSeen = Number(view.getBigUint64(0));
      found.push([view.getUint16(8), Uint8Array.from(value)]);
      return true;
    });
    for (const [shard, frame] of found) this.tell('durable', shard, frame);
  }

  restart(): void {
    this.tell('crashed');
    const { wallMs } = this.harness;
    this.harness = new Harness({ journal: this.store, shards: 2, wallMs });
    this.#sent.clear();
    this.#commands.clear();
    this.#connection = { ...this.#connection, id: this.#connection.id + 1 };
    this.tell('restarted');
  }

  /** A program without a fee or a rule, unless it is told. */
  program(number: number, revision: number, tables: unknown = {}, controls: unknown = {}): void {
    const calendar = new IntlZoneCalendar();
    const source = { id: 'program', currency: 'BRL', product: 'credit', sandbox: true, tables, controls, rules: [] };
    const made = makeSnapshot(source, revision, { dialects: dialectNames, knowsZone: (zone) => calendar.knows(zone) });
    if (!made.ok) throw new Error(JSON.stringify(made.problems));
    for (const shard of [0, 1])
      this.command(shard, { op: 'apply_program', program: number, revision, text: made.text });
  }

  account(shard: number, creditLimit: number, currency = 986): string {
    const id = `account-${this.accounts.length}`;
    this.command(shard, { op: 'create_account', id, program: 1, currency, creditLimit, type: AccountType.credit });
    this.accounts.push({ shard, id });
    return id;
  }

  card(shard: number, account: string, replaces?: WorldCard): WorldCard {
    const number = ++this.#cards;
    const made = this.command(shard, {
      ...{ op: 'create_card', account, fingerprint: [number, 2, 3], ...panOf(number), expiry: 2912, cardSequence: 1 },
      ...{ serviceCode: 201, status: CardStatus.active, replacesSlot: replaces?.slot ?? -1 },
    });
    return { shard, slot: slotOf(made), account, pan: panText(number) };
  }

  token(of: WorldCard): WorldCard {
    const number = ++this.#cards;
    const made = this.command(of.shard, {
      ...{ op: 'create_alias', cardSlot: of.slot, fingerprint: [number, 2, 3], ...panOf(number), expiry: 2912 },
      status: CardStatus.active,
    });
    return { ...of, slot: slotOf(made), pan: panText(number) };
  }

  /** Reads every account. */
  state(): void {
    // What the sweep has ended is durable with the next commit.
    for (let i = 0; i < 3; i++) this.turn();
    const read: AccountObservation[] = [];
    for (const { shard, id } of this.accounts) {
      const result = this.harness.read(shard, { op: 'account', id });
      if (!result.ok || !('account' in result)) throw new Error(JSON.stringify(result));
      const { currency, creditLimit, posted, held } = result.account;
      const { state } = this.harness.shard(shard);
      const holds: { id: string; remaining: number }[] = [];
      const slot = state.accounts.find(id);
      for (let i = 0; i < state.holds.slots; i++) {
        if (state.holds.sequence(i) === 0 || state.holds.account(i) !== slot) continue;
        holds.push({ id: String(state.holds.sequence(i)), remaining: state.holds.remaining(i) });
      }
      read.push({
        shard,
        account: id,
        currency,
        creditLimit,
        posted,
        held,
        available: creditLimit - posted - held,
        holds,
      });
    }
    this.tell('state', read, this.at);
  }
}

/** Tells an observer what was written down. */
export function tellAll(told: readonly Told[], observer: Observer): void {
  for (const { call, args } of told) (observer[call] as (...given: unknown[]) => void)(...args);
}

const panText = (number: number): string => `999999${String(number).padStart(10, '0')}`;

function panOf(number: number): { bin: number; last4: number; panLength: number } {
  return { bin: 999_999, last4: number, panLength: 16 };
}

function slotOf(result: CommandResult): number {
  if (!result.ok || !('card' in result) || result.card === undefined) throw new Error(JSON.stringify(result));
  return result.card.slot;
}
