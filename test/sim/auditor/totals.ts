/**
 * Totals of acquirers, added up by the reference model from all that is durable, and held against what a 0500 or 0520 was told. A question
 * is read in each shard some time between its arrival and its record, so every shard may have told any of the rows that it had meanwhile:
 * a figure lies between their smallest and their largest sum, which mostly is one value.
 */
import { figuresOf, nothing, type totals } from '../../domain/reference/totals.js';
import { fail, same } from './failure.js';
import type { TotalsCompared } from './records.js';
import type { WireFields } from './wire.js';
import { digitsOf } from './wire-fields.js';

const NET = 97;
/** Figures of a reply, and those of them that the rules know nothing of: transfers and fees are always zero. */
const FIELDS = [74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, NET];

/** Values of the fields in FIELDS. */
type Row = readonly number[];

/** A shard as it is known from what is durable. */
export interface AuditedTotals {
  readonly shard: number;
  /** Time of its last record, ms since 1970 UTC. */
  readonly timeMs: number;
  readonly model: { totals(atMs: number): ReturnType<typeof totals> };
}

/** Smallest and largest value of each figure in a shard since the question came. */
interface Span {
  readonly least: Row;
  readonly most: Row;
}

interface Question {
  readonly link: number;
  readonly fields: WireFields;
  readonly acquirer: number;
  readonly currency: number;
  /** By shard, and by business day that it had rows of. */
  readonly spans: Map<number, Map<number, Span>>;
}

/** A question and its repeats. */
const keyOf = (link: number, mti: number, stan: number, de7: number): string =>
  `${link} ${mti - (mti % 2)} ${stan} ${de7}`;

const currencyOf = (fields: WireFields): number => digitsOf((fields['50'] ?? fields['49'] ?? '').slice(0, 3));

function signed(field: string | undefined): number | undefined {
  return field === undefined ? undefined : Number(field.slice(1)) * (field.startsWith('D') ? -1 : 1);
}

/** The figure of a message; undefined when it is absent. */
function figure(fields: WireFields, field: number): number | undefined {
  const text = fields[String(field)];
  if (field === NET) return signed(text);
  return text === undefined ? undefined : digitsOf(text);
}

export class TotalsAudit {
  readonly #shards: () => Iterable<AuditedTotals>;
  readonly #open = new Map<string, Question>();
  readonly #compared = new Map<string, TotalsCompared>();

  constructor(shards: () => Iterable<AuditedTotals>) {
    this.#shards = shards;
  }

  /** A 0500 or 0520 has come, or a repeat of it. */
  asked(link: number, fields: WireFields): void {
    const key = keyOf(link, Number(fields['0']), digitsOf(fields['11']), digitsOf(fields['7']));
    if (this.#open.has(key)) return;
    const question: Question = {
      ...{ link, fields, acquirer: digitsOf(fields['32']), currency: currencyOf(fields), spans: new Map() },
    };
    for (const audit of this.#shards()) this.#look(question, audit, undefined);
    this.#open.set(key, question);
  }

  /** A record of the shard was folded. */
  moved(audit: AuditedTotals): void {
    for (const question of this.#open.values()) this.#look(question, audit, NO_ROW);
  }

  /** Whoever asked went with the process. What it recorded was told before. */
  restarted(): void {
    this.#open.clear();
  }

  /** The record of a comparison. */
  compared(record: TotalsCompared): void {
    const evidence = (): Record<string, unknown> => ({ record });
    const key = keyOf(record.link, record.mti, record.stan, record.transmission);
    if (this.#compared.has(key)) fail('totals', 'a question and its repeats are compared once', evidence());
    this.#compared.set(key, record);
    const question = this.#open.get(key);
    if (question === undefined) fail('totals', 'a comparison is of a question that was sent', evidence());
    this.#open.delete(key);
    const { fields, acquirer, currency } = question;
    same('totals', 'acquirer and currency', [record.acquirer, record.currency], [acquirer, currency], evidence);
    const date = new Date(record.day * 86_400_000);
    const named = digitsOf(fields['15']);
    if (named >= 0) same('totals', 'the date', date.getUTCMonth() * 100 + 100 + date.getUTCDate(), named, evidence);
    const theirs = pairsOf(record.theirs);
    const asked = FIELDS.filter((field) => fields[String(field)] !== undefined);
    const told = asked.map((field) => [field, figure(fields, field)]);
    same('totals', 'figures of the acquirer', [...theirs].sort(byField), told, evidence);
    const ours = pairsOf(record.ours);
    same('totals', 'figures that we tell', [...ours.keys()], FIELDS, evidence);
    const equal = [...theirs].every(([field, value]) => ours.get(field) === value);
    same('totals', 'equal is what every figure says', record.equal === 1, equal, evidence);
    this.#within(question, record, ours);
  }

  /** The answer to a question rests on a durable comparison, and says what it says. */
  answered(question: { link: number; mti: number; stan: number; de7: number }, fields: WireFields, evidence: Evidence) {
    const { link, mti, stan, de7 } = question;
    const key = keyOf(link, mti, stan, de7);
    const response = fields['39']!;
    if (response !== '00' && response !== '95') return;
    const compared = this.#compared.get(key);
    if (compared === undefined)
      fail('reply before durable', 'totals are answered from a durable comparison', evidence());
    same('totals', 'DE39 says whether the totals are equal', response, compared.equal === 1 ? '00' : '95', evidence);
    same('totals', 'DE66 says so too', fields['66'], compared.equal === 1 ? '1' : '2', evidence);
    const told = FIELDS.map((field) => figure(fields, field));
    same('totals', 'figures of the answer', told, [...pairsOf(compared.ours).values()], evidence);
  }

  /**
   * Takes the shard's rows of the acquirer into the spans of the question.
   * @param before what a day was that is not among them yet; undefined: what it is now
   */
  #look({ link, acquirer, currency, spans }: Question, audit: AuditedTotals, before: Row | undefined): void {
    const days = spans.get(audit.shard) ?? new Map<number, Span>();
    spans.set(audit.shard, days);
    const rows = new Map<number, Row>([...days.keys()].map((day) => [day, NO_ROW]));
    for (const [name, sums] of audit.model.totals(audit.timeMs)) {
      const [ofLink, ofAcquirer, day, ofCurrency] = name.split(' ').map(Number);
      if (ofLink === link && ofAcquirer === acquirer && ofCurrency === currency) rows.set(day!, rowOf(sums));
    }
    for (const [day, row] of rows) {
      const { least, most } = days.get(day) ?? { least: before ?? row, most: before ?? row };
      days.set(day, {
        least: row.map((value, i) => Math.min(least[i]!, value)),
        most: row.map((value, i) => Math.max(most[i]!, value)),
      });
    }
  }

  #within({ spans }: Question, record: TotalsCompared, ours: Map<number, number>): void {
    const found = [...spans.values()].flatMap((days) => days.get(record.day) ?? []);
    const sums = (side: 'least' | 'most'): Map<number, number> =>
      new Map(FIELDS.map((field, i) => [field, found.reduce((sum, span) => sum + span[side][i]!, 0)]));
    const [leastOf, mostOf] = [sums('least'), sums('most')];
    // Amounts below zero are told as amounts of reversals.
    for (const [amounts, reversals] of [
      [86, 87],
      [88, 89],
    ] as const) {
      const [lowest, highest] = [leastOf.get(amounts)!, mostOf.get(amounts)!];
      leastOf.set(reversals, leastOf.get(reversals)! + Math.max(0, 0 - highest));
      mostOf.set(reversals, mostOf.get(reversals)! + Math.max(0, 0 - lowest));
      leastOf.set(amounts, Math.max(0, lowest));
      mostOf.set(amounts, Math.max(0, highest));
    }
    for (const field of FIELDS) {
      const [least, most] = [leastOf.get(field)!, mostOf.get(field)!];
      const value = ours.get(field)!;
      if (value < least || value > most)
        fail('totals', `DE${field} is the sum of what is durable`, { engine: value, least, most, record });
    }
    const at = (field: number): number => ours.get(field)!;
    const net = at(86) + at(89) - at(88) - at(87);
    same('totals', 'DE97 is the net of the amounts', at(NET), net, () => ({ record }));
  }
}

type Evidence = () => Record<string, unknown>;

const byField = (a: readonly [number, unknown], b: readonly [number, unknown]): number => a[0] - b[0];

/** Field, value, field, value ... */
function pairsOf(list: readonly number[]): Map<number, number> {
  const pairs = new Map<number, number>();
  for (let i = 0; i < list.length; i += 2) pairs.set(list[i]!, list[i + 1]!);
  return pairs;
}

function rowOf(sums: Parameters<typeof figuresOf>[0]): Row {
  const values = new Map(figuresOf(sums));
  return FIELDS.map((field) => values.get(field) ?? 0);
}

const NO_ROW = rowOf(nothing());
