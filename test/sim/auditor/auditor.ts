/**
 * The independent auditor of a simulated world (observation.ts): a second engine, as naive as possible, that sees what an outsider
 * sees and shares no code with the first one. It is written from the rules of the domain and from the page of the journal's format.
 *
 *   durable frame -> frame.ts (chain) -> records.ts -> shard-audit.ts (is it what the reference model decides?) -> books.ts
 *   sent, answered -> wire.ts (does the answer rest on a durable record, and say the same?)
 */
import type {
  AccountObservation,
  CommandObservation,
  Observer,
  ResultObservation,
  SimTime,
  WireObservation,
} from '../observation.js';
import { Books, DETAIL } from './books.js';
import { CommandAudit } from './commands.js';
import { fail, same } from './failure.js';
import { Chain } from './frame.js';
import type { AnyRecord, MessageRecord } from './records.js';
import { Secrets } from './secrets.js';
import { ShardAudit } from './shard-audit.js';
import { TotalsAudit } from './totals.js';
import { type Kept, WireAudit } from './wire.js';

/** The system journal. */
const SYSTEM = 0xffff;

export class Auditor implements Observer {
  readonly books = new Books();
  readonly shards = new Map<number, ShardAudit>();
  /** Records that were held against the model, and answers that were held against them. */
  records = 0;
  answers = 0;
  readonly #totals = new TotalsAudit(() => this.shards.values());
  readonly #wire = new WireAudit({ undoneAt: (kept) => this.#undoneAt(kept) }, this.#totals);
  readonly #commands = new CommandAudit((shard) => this.shard(shard));
  readonly #secrets = new Secrets();
  readonly #system = new Chain(SYSTEM);
  #frames = 0;

  shard(shard: number): ShardAudit {
    let audit = this.shards.get(shard);
    if (audit === undefined) {
      audit = new ShardAudit(shard, this.books);
      this.shards.set(shard, audit);
    }
    return audit;
  }

  sent(message: WireObservation): void {
    if (message.fields !== undefined) this.#secrets.learn(message.fields as Record<string, string>);
    this.#wire.sent(message, this.#frames);
  }

  answered(message: WireObservation): void {
    this.answers++;
    this.#wire.answered(message);
  }

  commanded(command: CommandObservation): void {
    this.#commands.commanded(command);
  }

  resulted(result: ResultObservation): void {
    this.#commands.resulted(result);
  }

  durable(shard: number, frame: Uint8Array): void {
    this.#frames++;
    this.#secrets.look('a frame', frame, { shard });
    if (shard === SYSTEM) {
      this.#system.take(frame);
      return;
    }
    const audit = this.shard(shard);
    for (const record of audit.take(frame, () => this.#totals.moved(audit))) this.#told(audit, record);
  }

  crashed(): void {
    // What was not durable is gone; what was is held against what comes next.
  }

  restarted(): void {
    this.#wire.restarted();
    this.#totals.restarted();
  }

  /** A line of the engine's log. */
  logged(line: string): void {
    this.#secrets.look('a log line', Buffer.from(line), {});
  }

  state(accounts: readonly AccountObservation[], _at: SimTime): void {
    for (const told of accounts) {
      const audit = this.shard(told.shard);
      const account = audit.byId.get(told.account);
      if (account === undefined) fail('state', 'an account that is read has a durable record', { ...told });
      const { balances } = audit.model;
      const { model } = account;
      const holds = [...balances.holdsOf(model)].map(({ remaining }) => remaining);
      const evidence = (): Record<string, unknown> => ({ shard: told.shard, account: told.account, owes: model.owes });
      const shown = { currency: told.currency, limit: told.creditLimit, posted: told.posted, held: told.held };
      const expected = {
        currency: model.currency,
        limit: model.limit,
        posted: balances.posted(model),
        held: balances.held(model),
      };
      same('state', 'balances are the fold of what is durable', shown, expected, evidence);
      same(
        'state',
        'available is limit less posted less held',
        told.available,
        told.creditLimit - told.posted - told.held,
        evidence,
      );
      const remaining = told.holds.map((hold) => hold.remaining).filter((amount) => amount > 0);
      const sum = remaining.reduce((all, amount) => all + amount, 0);
      same('holds', 'held is what remains on open holds', told.held, sum, evidence);
      const open = holds.filter((amount) => amount > 0);
      same('holds', 'open holds', remaining.sort(byNumber), open.sort(byNumber), evidence);
    }
  }

  /** Every book balances. */
  ended(): void {
    const detail = new Map<string, number>();
    const add = (currency: number, gl: number, amount: number): void => {
      const key = `${currency} ${gl}`;
      detail.set(key, (detail.get(key) ?? 0) + amount);
    };
    for (const audit of this.shards.values()) {
      for (const account of audit.accounts) {
        const { currency } = account.model;
        for (const gl of DETAIL) add(currency, gl, audit.detail(account, gl));
        add(currency, 9100, audit.model.balances.held(account.model));
      }
    }
    this.books.close(detail);
  }

  #told(audit: ShardAudit, record: AnyRecord): void {
    this.records++;
    if (record.kind === 'message') {
      const pan = this.#wire.recorded(this.#kept(audit, record));
      if (pan !== '') this.#secrets.isNumberOf(pan, audit, record);
    } else if (record.kind === 'totals compared') this.#totals.compared(record);
    else if (record.kind === 'aside') this.#wire.counted(record.count);
    if (record.kind === 'not delivered') this.#undone(audit, record.approval);
    if (record.kind === 'message' && record.element === 4) {
      if (record.original > 0) this.#undone(audit, record.original);
      if (record.undone > 0) this.#undone(audit, record.undone);
    }
  }

  #kept(audit: ShardAudit, record: MessageRecord): Kept {
    const entry = audit.model.past.log[record.sequence - 1]!;
    const card = record.card >= 0 ? `${audit.shard} ${record.card}` : `unknown ${record.fingerprint.join()}`;
    const account = record.account >= 0 ? audit.account(record.account, record.sequence) : undefined;
    return {
      ...{ shard: audit.shard, record, card, balances: entry.balances, currency: account?.model.currency ?? 0 },
      gaveCode: record.code >= 0 && record.element !== 8 && record.element !== 9 && record.element !== 4,
    };
  }

  /** Frames after which something was undone, by shard and sequence. */
  readonly #undoings = new Map<string, number>();

  #undone(audit: ShardAudit, sequence: number): void {
    const key = `${audit.shard} ${sequence}`;
    const { past } = audit.model;
    if (!this.#undoings.has(key) && past.isGone(past.log[sequence - 1]!)) this.#undoings.set(key, this.#frames);
  }

  #undoneAt({ shard, record }: Kept): number | undefined {
    const own = this.#undoings.get(`${shard} ${record.sequence}`);
    const { past } = this.shard(shard).model;
    if (own !== undefined || record.original === 0) return own;
    // An increment goes with its authorization.
    return past.isGone(past.log[record.sequence - 1]!) ? this.#undoings.get(`${shard} ${record.original}`) : undefined;
  }
}

const byNumber = (a: number, b: number): number => a - b;
