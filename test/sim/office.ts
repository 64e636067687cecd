/**
 * The issuer's own side of a simulated world: commands and reads by the rings of the control plane, and what an operator, a
 * cardholder at a counter, and the clearing of the day ask for. A command that was not answered when the process ended is given
 * again, as whoever gave it would.
 */
import { AccountStatus, AccountType, CardStatus } from '#src/domain/codes.js';
import type { Command, CommandResult } from '#src/domain/commands.js';
import type { Read, ReadResult } from '#src/domain/reads.js';
import { shardOfAccount } from '#src/journal/placement.js';
import { PanFingerprinter } from '#src/vault/fingerprint.js';
import { FINGERPRINT_KEY, type SimEngine } from './engine.js';
import type { Random } from './random.js';
import type { SimAccount, SimCard } from './workload.js';

export interface OfficeWorld {
  readonly engine: SimEngine | undefined;
  after(us: number, call: () => void): void;
  /** As `after`, but not while the world is to be quiet. */
  later(us: number, call: () => void): void;
  commanded(shard: number, id: number, command: Command): void;
  resulted(shard: number, id: number, result: CommandResult): void;
}

interface Pending {
  readonly id: number;
  readonly shard: number;
  readonly command: Command;
  readonly onResult: (result: CommandResult) => void;
  /** With the process that is running now. */
  isAsked: boolean;
}

/** A refusal that says: not now. */
const AGAIN_US = 2_000_000;

export class Office {
  readonly accounts: SimAccount[] = [];
  readonly cards: SimCard[] = [];
  /** Revision of the program, the same for all accounts. */
  revision = 0;
  readonly #world: OfficeWorld;
  readonly #shards: number;
  readonly #pending = new Map<number, Pending>();
  readonly #print = new PanFingerprinter(FINGERPRINT_KEY);
  #id = 0;
  #pans = 0;

  constructor(world: OfficeWorld, shards: number) {
    this.#world = world;
    this.#shards = shards;
  }

  /** Commands without an answer. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Gives a command, again after every crash, until it is answered. */
  give(shard: number, command: Command, onResult: (result: CommandResult) => void = () => undefined): void {
    const id = ++this.#id;
    const tagged = takesKey(command) ? { ...command, idempotency: keyOf(id) } : command;
    const pending: Pending = { id, shard, command: tagged as Command, onResult, isAsked: false };
    this.#pending.set(id, pending);
    this.#world.commanded(shard, id, pending.command);
    this.#ask(pending);
  }

  /** A process ended. */
  lost(): void {
    for (const pending of this.#pending.values()) pending.isAsked = false;
  }

  /** A process is up: what was not answered is asked again. */
  resume(): void {
    for (const pending of this.#pending.values()) if (!pending.isAsked) this.#ask(pending);
  }

  #ask(pending: Pending): void {
    const { engine } = this.#world;
    if (engine === undefined || !engine.isUp || pending.isAsked) return;
    pending.isAsked = true;
    engine.call(pending.shard, 'command', pending.command, (answer) => {
      const result = answer as CommandResult;
      if (!result.ok && result.code === 'shard_unavailable') {
        this.#world.after(AGAIN_US, () => {
          if (this.#world.engine !== engine) return;
          pending.isAsked = false;
          this.#ask(pending);
        });
        return;
      }
      this.#pending.delete(pending.id);
      this.#world.resulted(pending.shard, pending.id, result);
      pending.onResult(result);
    });
  }

  /** Reads once; nothing is answered when the process ends before. */
  read(shard: number, read: Read, onResult: (result: ReadResult) => void): void {
    this.#world.engine?.call(shard, 'read', read, (answer) => onResult(answer as ReadResult));
  }

  // ---- accounts and cards ----

  /** An account with this many cards; each is there once its command was answered. */
  open(random: Random, cards: number): void {
    const number = this.accounts.length;
    const id = `acct-${number}`;
    const currency = random.pick([986, 986, 986, 392, 414, 840]);
    const creditLimit = random.pick([20_000, 100_000, 500_000, 5_000_000]);
    const shard = shardOfAccount(id, this.#shards);
    const account: SimAccount = { id, shard, currency, creditLimit, slot: -1 };
    this.accounts.push(account);
    const type = random.pick([AccountType.credit, AccountType.credit, AccountType.prepaid]);
    this.give(shard, { op: 'create_account', id, program: 1, currency, creditLimit, type }, (result) => {
      if (result.ok && 'account' in result && result.account !== undefined) account.slot = result.account.slot;
      for (let i = 0; i < cards; i++) this.issue(account, -1);
    });
  }

  issue(account: SimAccount, replacesSlot: number): void {
    const pan = this.#nextPan();
    this.give(
      account.shard,
      {
        ...{ op: 'create_card', account: account.id, ...this.#numberOf(pan), cardSequence: 1, serviceCode: 201 },
        ...{ status: CardStatus.active, replacesSlot },
      },
      (result) => this.#made(result, pan, account, false),
    );
  }

  /** A network token of a card. */
  tokenize(card: SimCard): void {
    const pan = this.#nextPan();
    this.give(
      card.account.shard,
      { op: 'create_alias', cardSlot: card.slot, ...this.#numberOf(pan), status: CardStatus.active },
      (result) => this.#made(result, pan, card.account, true),
    );
  }

  #made(result: CommandResult, pan: string, account: SimAccount, isToken: boolean): void {
    if (!result.ok || !('card' in result) || result.card === undefined) return;
    this.cards.push({ pan, expiry: '3112', account, slot: result.card.slot, isToken });
  }

  fingerprintOf(pan: string): [number, number, number] {
    this.#print.compute(Buffer.from(pan, 'latin1'), 0, pan.length);
    return [this.#print.f0, this.#print.f1, this.#print.f2];
  }

  #numberOf(pan: string) {
    const fingerprint = this.fingerprintOf(pan);
    return { fingerprint, bin: 999_999, last4: Number(pan.slice(-4)), panLength: 16, expiry: 3112 };
  }

  #nextPan(): string {
    const body = `999999${String(++this.#pans).padStart(9, '0')}`;
    return body + checkDigit(body);
  }

  // ---- what operators do ----

  changeAccount(random: Random, account: SimAccount): void {
    const way = random.real();
    const change =
      way < 0.5
        ? { creditLimit: Math.floor(account.creditLimit * random.pick([0, 0.5, 1, 2])) }
        : way < 0.8
          ? { controls: random.pick(controls) }
          : { status: AccountStatus.frozen };
    this.give(account.shard, { op: 'update_account', id: account.id, ...change }, () => {
      const back = { status: AccountStatus.open, creditLimit: account.creditLimit };
      this.#world.later(random.int(10, 200) * 1_000_000, () =>
        this.give(account.shard, { op: 'update_account', id: account.id, ...back }),
      );
    });
  }

  changeCard(random: Random, card: SimCard): void {
    const { shard } = card.account;
    const way = random.real();
    if (way < 0.1 && !card.isToken) {
      this.issue(card.account, card.slot);
      return;
    }
    if (way < 0.3 && !card.isToken) {
      this.tokenize(card);
      return;
    }
    if (way < 0.6 && !card.isToken) {
      this.give(shard, { op: 'update_card', cardSlot: card.slot, controls: random.pick(controls) });
      return;
    }
    const status = random.pick([CardStatus.paused, CardStatus.inactive, CardStatus.expired]);
    this.give(shard, { op: 'update_card', cardSlot: card.slot, status }, () => {
      this.#world.later(random.int(5, 60) * 1_000_000, () =>
        this.give(shard, { op: 'update_card', cardSlot: card.slot, status: CardStatus.active }),
      );
    });
  }

  /** A revision of the program, to every shard. */
  applyProgram(text: string, revision: number): void {
    this.revision = revision;
    for (let shard = 0; shard < this.#shards; shard++)
      this.give(shard, { op: 'apply_program', program: 1, revision, text });
  }
}

const takesKey = ({ op }: Command): boolean =>
  !['import', 'clear', 'accrue', 'apply_program', 'expire_hold', 'compare_totals'].includes(op);

function keyOf(id: number): { keyHash: Uint8Array; bodyHash: Uint8Array } {
  const keyHash = new Uint8Array(32);
  new DataView(keyHash.buffer).setUint32(4, Math.imul(id, 0x9e3779b1) >>> 0);
  new DataView(keyHash.buffer).setUint32(16, id);
  return { keyHash, bodyHash: new Uint8Array(32).fill(7) };
}

function checkDigit(body: string): string {
  let sum = 0;
  for (let i = 0; i < body.length; i++) {
    const digit = Number(body[body.length - 1 - i]);
    sum += i % 2 === 0 ? (digit * 2 > 9 ? digit * 2 - 9 : digit * 2) : digit;
  }
  return String((10 - (sum % 10)) % 10);
}

const controls = [
  '',
  '{"velocity":[{"window":"day","amount":60000,"count":40}]}',
  '{"velocity":[{"window":"trailing","seconds":600,"count":5},{"window":"month","amount":900000}]}',
  '{"velocity":[{"window":"trailing","seconds":10,"amount":20000}],"per_transaction":30000}',
  '{"velocity":[{"window":"day","zone":"America/Sao_Paulo","count":12},{"window":"trailing","seconds":3600,"count":3,"counts":"declines"}]}',
  '{"mcc":{"deny":["gambling"]},"channels":{"deny":["ecommerce"]}}',
  '{"cash":{"per_transaction":10000,"velocity":[{"window":"day","amount":15000}]}}',
] as const;
