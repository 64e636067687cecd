/**
 * Messages and their answers on the wire. A message that left a record is bound to it; an answer must say what its record says, and
 * the record must be durable by then. An answer without a record of its own is that of a repeat.
 */
import { bare } from '../../domain/reference/message.js';
import type { SimConnection, WireObservation } from '../observation.js';
import { fail, same } from './failure.js';
import type { MessageRecord } from './records.js';
import type { TotalsAudit } from './totals.js';
import { digitsOf, fieldsEqual, groupsOf, replyMtiOf } from './wire-fields.js';

export type WireFields = Readonly<Record<string, string>>;

/** A message on its way. */
export interface Pending {
  readonly connection: SimConnection;
  readonly fields: WireFields;
  readonly mti: number;
  readonly stan: number;
  readonly de7: number;
  readonly pan: string;
  /** Frames that were durable when it was sent. */
  readonly framesBefore: number;
  readonly sentUs: number;
  record: Kept | undefined;
}

/** What is remembered of a message's record. */
export interface Kept {
  readonly shard: number;
  readonly record: MessageRecord;
  /** Card that the message's number stands for, unique over shards; of an unknown number its fingerprint. */
  readonly card: string;
  /** Balances that an inquiry was told. */
  readonly balances: { ledger: number; available: number } | undefined;
  /** Account currency; 0 without an account. */
  readonly currency: number;
  /** True for an approval of a request that gave a code. */
  readonly gaveCode: boolean;
}

/** An answer that was taken for that of a message without a record, although one alike waits that has one. */
interface Guess {
  readonly pending: Pending;
  readonly fields: WireFields;
  readonly key: string;
}

/** What the wire asks of the shards. */
export interface Standing {
  /** Number of frames after which the approval did not stand any more; undefined while it stands. */
  undoneAt(kept: Kept): number | undefined;
}

const APPROVALS: readonly string[] = ['00', '10', '85'];
const UNAVAILABLE = '91';
/** Message types that leave a decision; their repeats have one more. */
const DECIDED: ReadonlySet<number> = new Set([100, 120, 200, 220, 302, 400, 420]);
/** Later than this after its arrival an answer of 91 is one that came too late; a refusal comes at once. */
const LATE_US = 1_000_000;
const ECHOED = ['3', '7', '11', '12', '13', '32', '37', '41', '42', '49', '51', '63'];
const SECRET = ['35', '45', '52'];
const INQUIRY = 3;
const UNKNOWN_CARD = '14';

const keyOf = (messageClass: number, stan: number, acquirer: string, rrn: string, terminal: string): string =>
  `${messageClass} ${stan} ${bare(acquirer)} ${rrn} ${terminal}`;

const classOf = (mti: number): number => Math.trunc(mti / 100) % 10;

export class WireAudit {
  readonly #standing: Standing;
  readonly #pending = new Map<string, Pending[]>();
  /** Without a record as yet, by what a record keeps of a message. */
  readonly #unrecorded = new Map<string, Pending[]>();
  readonly #records = new Map<string, Kept[]>();
  readonly #totals: TotalsAudit;
  /** Cards by number, as records told. */
  readonly #cardOf = new Map<string, string>();
  /** Messages that nobody could read whole, by connection: each may be refused once. */
  readonly #unreadable = new Map<number, number>();
  /** Answers 91 that may have been to a message that left a record or to one alike that had left none. */
  readonly #guesses = new Map<string, Guess[]>();
  /** Unknown cards that were only counted and whose answer is still to come. */
  #counted = 0;

  constructor(standing: Standing, totals: TotalsAudit) {
    this.#standing = standing;
    this.#totals = totals;
  }

  sent({ connection, fields, at }: WireObservation, framesBefore: number): void {
    if (fields === undefined) {
      this.#unreadable.set(connection.id, (this.#unreadable.get(connection.id) ?? 0) + 1);
      return;
    }
    const told = fields as WireFields;
    const mti = Number(told['0']);
    const pending: Pending = {
      ...{ connection, fields: told, mti, stan: digitsOf(told['11']), de7: digitsOf(told['7']) },
      ...{ pan: panOf(told), framesBefore, sentUs: at.us, record: undefined },
    };
    listed(this.#pending, answerKey(connection, replyMtiOf(mti), pending.stan, pending.de7)).push(pending);
    listed(this.#unrecorded, recordKey(mti, pending.stan, pending.de7)).push(pending);
    if (classOf(mti) === 5) this.#totals.asked(connection.link, told);
  }

  /** A record became durable: which message made it? @returns its number; '' for one that could not be read */
  recorded(kept: Kept): string {
    const { record } = kept;
    const { acquirer, rrn, terminal, mti, stan } = record;
    listed(this.#records, keyOf(classOf(mti), stan, acquirer, rrn, terminal)).push(kept);
    const waiting = this.#unrecorded.get(recordKey(mti, stan, record.transmission)) ?? [];
    const place = waiting.findIndex((one) => fieldsEqual(one.fields, record));
    const pending = waiting[place] ?? this.#otherwise(record);
    if (pending === undefined) {
      // What was malformed cannot be compared, and has no effect.
      if (record.badField !== 0 && record.response === '30') return '';
      const shown = waiting.map(({ fields }) => masked(fields));
      fail('unsent message', 'a record is of a message that was sent', {
        shard: kept.shard,
        record,
        sent: shown,
      });
    }
    if (place >= 0) waiting.splice(place, 1);
    pending.record = kept;
    const known = this.#cardOf.get(pending.pan);
    if (known !== undefined && known !== kept.card && !known.startsWith('unknown')) {
      fail('unsent message', 'a number is that of one card', { shard: kept.shard, record, card: kept.card, known });
    }
    if (pending.pan !== '') this.#cardOf.set(pending.pan, kept.card);
    return pending.pan;
  }

  counted(cards: number): void {
    this.#counted += cards;
  }

  /** What was on its way is gone with the process. */
  restarted(): void {
    this.#pending.clear();
    this.#unrecorded.clear();
    this.#guesses.clear();
  }

  answered({ connection, fields: read, at }: WireObservation): void {
    if (read === undefined) fail('reply', 'an answer can be read', { connection: connection.id });
    const fields = read as WireFields;
    const key = answerKey(connection, Number(fields['0']), digitsOf(fields['11']), digitsOf(fields['7']));
    const waiting = this.#pending.get(key) ?? [];
    // Of several alike, one that left a record is answered by it; 91 is first for the newest that left none: it is refused as it comes.
    const isRefused = fields['39'] === UNAVAILABLE;
    let place = isRefused
      ? waiting.findLastIndex(({ record }) => record === undefined)
      : waiting.findIndex(({ record }) => record !== undefined && says(record, fields));
    if (place < 0 && !isRefused) place = this.#otherThanRefused(key, waiting);
    const [pending] = waiting.splice(Math.max(0, place), 1);
    if (waiting.length === 0) this.#pending.delete(key);
    const unreadable = this.#unreadable.get(connection.id) ?? 0;
    if (pending === undefined && !APPROVALS.includes(fields['39'] ?? '') && unreadable > 0) {
      this.#unreadable.set(connection.id, unreadable - 1);
      return;
    }
    if (pending === undefined)
      fail('reply', 'an answer is to a message that was sent, once', {
        connection: connection.id,
        fields: masked(fields),
      });
    if (isRefused && pending.record === undefined && at.us - pending.sentUs > LATE_US) this.#allGone(waiting, fields);
    if (isRefused && pending.record === undefined && waiting.some(({ record }) => record !== undefined))
      listed(this.#guesses, recordKey(pending.mti, pending.stan, pending.de7)).push({ pending, fields, key });
    this.#forget(pending);
    this.#echoes(pending, fields);
    this.#rests(pending, fields);
  }

  /** The message of a record that was thought to be refused: then the 91 was to one alike, whose record is there. */
  #otherwise(record: MessageRecord): Pending | undefined {
    const guesses = this.#guesses.get(recordKey(record.mti, record.stan, record.transmission)) ?? [];
    const guess = guesses.find(({ pending }) => fieldsEqual(pending.fields, record));
    if (guess === undefined) return undefined;
    const waiting = this.#pending.get(guess.key) ?? [];
    return this.#correct(guess, waiting) < 0 ? undefined : guess.pending;
  }

  /** Place of the message that an answer is to when no record says so but one that left none was thought to be refused. */
  #otherThanRefused(key: string, waiting: Pending[]): number {
    if (waiting.length === 0 || waiting.some(({ record }) => record === undefined)) return -1;
    for (const guesses of this.#guesses.values())
      for (const guess of guesses) if (guess.key === key) return this.#correct(guess, waiting);
    return -1;
  }

  /** The 91 was to the one alike that had left a record; the one that was thought refused waits in its place, which is returned. */
  #correct(guess: Guess, waiting: Pending[]): number {
    const { pending, fields } = guess;
    const place = waiting.findIndex(({ record }) => record !== undefined);
    if (place < 0) return -1;
    this.#rests(waiting[place]!, fields);
    waiting.splice(place, 1, pending);
    const guesses = this.#guesses.get(recordKey(pending.mti, pending.stan, pending.de7))!;
    guesses.splice(guesses.indexOf(guess), 1);
    return place;
  }

  #forget(pending: Pending): void {
    const key = recordKey(pending.mti, pending.stan, pending.de7);
    const waiting = this.#unrecorded.get(key);
    const place = waiting?.indexOf(pending) ?? -1;
    if (place >= 0) waiting!.splice(place, 1);
    if (waiting?.length === 0) this.#unrecorded.delete(key);
  }

  #echoes(pending: Pending, fields: WireFields): void {
    const evidence = (): Record<string, unknown> => ({ sent: masked(pending.fields), answer: masked(fields) });
    if (fields['39'] === undefined) fail('reply', 'an answer has DE39', evidence());
    for (const field of SECRET)
      if (fields[field] !== undefined) fail('secret', `an answer has no DE${field}`, evidence());
    if (fields['55'] !== undefined && fields['55'] === pending.fields['55'])
      fail('secret', 'DE55 is never echoed', evidence());
    if (classOf(pending.mti) === 8 || classOf(pending.mti) === 5) return;
    for (const field of ECHOED) {
      const sent = pending.fields[field];
      if (sent !== undefined && fields[field] !== sent)
        same('reply', `DE${field} is echoed`, fields[field], sent, evidence);
    }
    const hasOwnAmount = fields['39'] === '10';
    if (!hasOwnAmount && pending.fields['4'] !== undefined)
      same('reply', 'DE4 is echoed', fields['4'], pending.fields['4'], evidence);
  }

  /**
   * A repeat that is told 91 because it is late tells that there is no hold: that of the first, which waits as well, must be gone.
   * One that is refused at its arrival says nothing of the kind.
   */
  #allGone(alike: readonly Pending[], fields: WireFields): void {
    for (const { record } of alike) {
      if (!record?.gaveCode || !movedMoney(record.record) || this.#standing.undoneAt(record) !== undefined) continue;
      fail('reply', 'a late repeat is answered 91 when what it repeats does not stand', {
        ...{ answer: masked(fields), shard: record.shard, sequence: record.record.sequence },
      });
    }
  }

  /** What the answer rests on is durable, and says the same. */
  #rests(pending: Pending, fields: WireFields): void {
    const { mti, record } = pending;
    const response = fields['39']!;
    const evidence = (): Record<string, unknown> => ({
      ...{
        sent: masked(pending.fields),
        answer: masked(fields),
        shard: record?.shard,
        sequence: record?.record.sequence,
      },
      decided: record && {
        response: record.record.response,
        approved: record.record.approved,
        code: record.record.code,
      },
    });
    if (classOf(mti) === 8) return;
    if (classOf(mti) === 5) {
      const { stan, de7 } = pending;
      this.#totals.answered({ link: pending.connection.link, mti, stan, de7 }, fields, evidence);
      return;
    }
    if (response === UNAVAILABLE) {
      // A replacement that holds less, or the same, has nothing to roll back.
      const moved = record !== undefined && movedMoney(record.record);
      if (moved && record.gaveCode && this.#standing.undoneAt(record) === undefined) {
        fail('reply', 'what is answered 91 does not stand', evidence());
      }
      return;
    }
    if (response === '96') {
      if (record !== undefined) fail('reply', 'what is set aside leaves no decision', evidence());
      return;
    }
    if (record !== undefined) {
      this.#saysAll(record, pending, fields, evidence);
      return;
    }
    const stored = this.#stored(pending);
    const said = stored.find((one) => says(one, fields));
    if (said === undefined) {
      if (response === UNKNOWN_CARD && this.#counted > 0) return;
      // A type that nobody decides about is refused where it comes in.
      if (response === '12' && !DECIDED.has(mti - (mti % 2))) return;
      if (stored.length > 0) {
        const decided = stored.map(({ record: one }) => ({
          sequence: one.sequence,
          response: one.response,
          code: one.code,
        }));
        fail('reply', 'a repeat is answered as its first', { ...evidence(), decided });
      }
      fail('reply before durable', 'an answer rests on a durable record', evidence());
    }
    const undoneAt = said.gaveCode ? this.#standing.undoneAt(said) : undefined;
    if (undoneAt !== undefined && undoneAt <= pending.framesBefore) {
      fail('reply', 'a repeat of what was undone is answered 68', { ...evidence(), first: said.record.sequence });
    }
    this.#saysAll(said, pending, fields, evidence);
  }

  #stored(pending: Pending): Kept[] {
    const { fields, mti, stan, de7, pan } = pending;
    const text = (field: string): string => (fields[field] ?? '').trimEnd();
    const card = this.#cardOf.get(pan);
    const all = this.#records.get(keyOf(classOf(mti), stan, text('32'), text('37'), text('41'))) ?? [];
    return all.filter(
      (one) => (card === undefined || one.card === card) && (one.record.transmission === de7 || mti % 2 === 1),
    );
  }

  #saysAll(
    { record, balances, currency, gaveCode }: Kept,
    pending: Pending,
    fields: WireFields,
    evidence: () => Record<string, unknown>,
  ): void {
    same('reply', 'DE39 is what was decided', fields['39'], record.response, evidence);
    const code = fields['38'];
    if (gaveCode) same('reply', 'DE38 is the approval code', code, String(record.code).padStart(6, '0'), evidence);
    else if (!APPROVALS.includes(record.response) && classOf(pending.mti) !== 4)
      same('reply', 'a decline has no DE38', code, undefined, evidence);
    if (record.response === '10') this.#partial(record, pending, fields, currency, evidence);
    if (record.element === INQUIRY && balances) {
      const groups = groupsOf(fields['54'] ?? '');
      same(
        'reply',
        'DE54 tells ledger and available',
        [groups.get('01'), groups.get('02')],
        [balances.ledger, balances.available].map(inTwelveDigits),
        evidence,
      );
    }
  }

  #partial(
    record: MessageRecord,
    pending: Pending,
    fields: WireFields,
    currency: number,
    evidence: () => Record<string, unknown>,
  ): void {
    const asked = Number(pending.fields['4']);
    const billed = Number(pending.fields['6']);
    const isForeign = Number(pending.fields['49']) !== currency;
    const part = isForeign ? Number((BigInt(asked) * BigInt(record.approved)) / BigInt(billed)) : record.approved;
    same('reply', 'DE4 is the approved amount', Number(fields['4']), part, evidence);
    if (isForeign) same('reply', 'DE6 is the approved amount', Number(fields['6']), record.approved, evidence);
    same('reply', 'DE54 is what was asked for', groupsOf(fields['54'] ?? '').get('57'), asked, evidence);
  }
}

/** Whether the decision left something that would stand: a hold, a posting, an announced refund. */
const movedMoney = ({ holdDelta, legs, holdExpiresMs, original }: MessageRecord): boolean =>
  holdDelta > 0 || legs.length > 0 || (holdExpiresMs > 0 && original === 0);

/** Whether the answer has the response and the code of the record. */
const says = ({ record, gaveCode }: Kept, fields: WireFields): boolean =>
  record.response === fields['39'] && (!gaveCode || Number(fields['38']) === record.code);

const answerKey = ({ id }: SimConnection, mti: number, stan: number, de7: number): string =>
  `${id} ${mti} ${stan} ${de7}`;
const recordKey = (mti: number, stan: number, de7: number): string => `${mti} ${stan} ${de7}`;

/** DE54 has no room for more: such a balance is left out. */
const inTwelveDigits = (amount: number): number | undefined => (Math.abs(amount) < 1e12 ? amount : undefined);

function listed<T>(lists: Map<string, T[]>, key: string): T[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}

const panOf = (fields: WireFields): string => fields['2'] ?? /^\d+/.exec(fields['35'] ?? '')?.[0] ?? '';

/** Without what nobody may print. */
export function masked(fields: WireFields): WireFields {
  const shown: Record<string, string> = { ...fields };
  for (const field of [...SECRET, '55', '48']) if (field !== '48' && shown[field] !== undefined) shown[field] = '...';
  if (shown['2'] !== undefined) shown['2'] = `${shown['2'].slice(0, 6)}...${shown['2'].slice(-4)}`;
  if (shown['48'] !== undefined) shown['48'] = shown['48'].replace(/9203\d{3}/, '9203...');
  return shown;
}
