/**
 * Messages that a peer may send, well-formed and not, through the whole shard: whatever they say, the shard answers each
 * of them and stays in service. Three stops within a minute would keep it down, so one such message is an outage.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AccountType, CardStatus } from '#src/domain/codes.js';
import { type DialectName, dialectNames } from '#src/iso8583/dialects.js';
import { fieldSpecs } from '#src/iso8583/fields.js';
import { type Fields, pack } from '#src/iso8583/message.js';
import { privateData } from '#src/iso8583/private-data.js';
import { ShardState } from '#src/ring/control-block.js';
import { fieldValue } from '../iso8583/arbitraries.js';
import { Harness, purchase } from './harness.js';

/** Characters from `alphabet`, drawn from one number: a thousand draws per text would be most of the test's time. */
const text = (alphabet: string, minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.tuple(fc.integer({ min: minLength, max: maxLength }), fc.integer({ min: 1 })).map(([length, seed]) => {
    let state = seed;
    return Array.from({ length }, () => {
      state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
      return alphabet[(state >>> 8) % alphabet.length];
    }).join('');
  });
const BYTES = Array.from({ length: 224 }, (_, i) => String.fromCharCode(0x20 + i)).join('');
const digits = (length: number): fc.Arbitrary<string> => text('0123456789', length, length);
const characters = (maxLength: number, minLength = 0): fc.Arbitrary<string> => text(BYTES, minLength, maxLength);

/** Amounts at the ends of what 12 digits can say, and small ones that come close to what is available. */
const amount = fc
  .oneof(
    fc.constantFrom(0, 1, 100, 700, 69_999, 70_000, 70_001, 999_999_999_999),
    fc.integer({ min: 0, max: 100_000 }),
    fc.integer({ min: 0, max: 999_999_999_999 }),
  )
  .map((value) => String(value).padStart(12, '0'));

/** One tag of DE48, with a value it should have or any other. */
const tag = fc.oneof(
  fc.tuple(fc.constant(20), fc.constantFrom('N', 'E', 'F', 'I', 'R', '', 'EE')),
  fc.tuple(fc.constant(61), fc.constantFrom('1', '0', '11', '')),
  fc.tuple(fc.constant(63), characters(20)),
  fc.tuple(fc.constantFrom(42, 80, 82, 84, 87, 92), fc.oneof(digits(3), characters(99))),
  fc.tuple(fc.integer({ min: 0, max: 99 }), characters(99)),
);
const tags = fc.array(tag, { maxLength: 12 });
/** The same tag up to as often as DE48 holds it. */
const repeatedTag = fc.tuple(tag, fc.integer({ min: 2, max: 240 })).map(([one, times]) => Array(times).fill(one));

const privateField = fc.oneof(
  { weight: 3, arbitrary: fc.constant(privateData([[61, '1']])) },
  tags.map((list) => privateData([[61, '1'], ...list.slice(0, 6)])),
  fc
    .tuple(
      fc.oneof(
        tags,
        repeatedTag,
        fc.tuple(tags, repeatedTag).map((lists) => lists.flat()),
      ),
      fc.nat(20),
    )
    .map(([list, cut]) => {
      const text = privateData(list).slice(0, 999);
      return cut > 15 ? text.slice(0, -cut) : text;
    }),
  characters(999),
  digits(999),
);

const group = fc.oneof(
  fc
    .tuple(digits(2), fc.constantFrom('01', '02', '40', '57'), fc.constantFrom('986', '840', '999'), amount)
    .map(([account, type, currency, value]) => `${account}${type}${currency}D${value}`),
  characters(20),
);
const amounts = fc.array(group, { maxLength: 6 }).map((groups) => groups.join(''));

interface Step {
  fields: Fields;
  card: number;
  dialect: DialectName;
  /** Bits that flip on the wire behind the message type: a place in the message and a bit. */
  flips: readonly (readonly [number, number])[];
  /** Reverses the message before it: which names of the original it carries. */
  names: number;
  gone: number;
  /** The credit limit of its account from now on. */
  limit: number | undefined;
}

const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, arbitrary);

const anyFields = fc
  .uniqueArray(fc.constantFrom(...fieldSpecs), { maxLength: 3, selector: (spec) => spec.field })
  .chain((specs) =>
    fc.tuple(...specs.map(fieldValue)).map((values) => specs.map((spec, i) => [spec.field, values[i]!])),
  );

const step: fc.Arbitrary<Step> = fc
  .record({
    mti: fc.constantFrom(...'0100 0100 0100 0100 0100 0101 0120 0200 0400 0401 0420 0421'.split(' ')),
    stan: fc.integer({ min: 1, max: 20 }),
    pc: fc.constantFrom(...'000000 000000 000000 000000 003000 010000 170000 300000 310000 380000 999999'.split(' ')),
    amount,
    bill: maybe(fc.tuple(amount, fc.constantFrom('986', '840', '392', '   ', undefined))),
    currency: fc.constantFrom(...'986 986 986 986 986 392 392 840 000'.split(' ')),
    private: maybe(privateField),
    groups: maybe(amounts),
    replacement: maybe(
      fc.oneof({ weight: 4, arbitrary: amount.map((value) => value + '0'.repeat(30)) }, characters(42, 42)),
    ),
    original: maybe(digits(42)),
    network: maybe(fc.oneof(characters(20), characters(999, 900))),
    any: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, anyFields),
    card: fc.integer({ min: -1, max: 2 }),
    dialect: fc.constantFrom(...dialectNames),
    flips: fc.oneof(
      { weight: 8, arbitrary: fc.constant([] as [number, number][]) },
      fc.array(fc.tuple(fc.nat(4000), fc.nat(7)), { maxLength: 4 }),
    ),
    names: fc.nat(15),
    limit: maybe(fc.integer({ min: 1, max: 1_000_000 })),
    gone: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.constantFrom(2, 3, 4, 7, 11, 49)),
  })
  .map((draw) => {
    const fields = purchase(draw.stan, 0, { 0: draw.mti, 3: draw.pc, 4: draw.amount, 49: draw.currency });
    if (draw.bill !== undefined) {
      fields[6] = draw.bill[0];
      if (draw.bill[1] !== undefined) fields[51] = draw.bill[1];
    }
    const long = { 48: draw.private, 54: draw.groups, 63: draw.network, 90: draw.original, 95: draw.replacement };
    for (const [field, value] of Object.entries(long)) if (value !== undefined) fields[field] = value;
    for (const [field, value] of draw.any) fields[field as number] = value as string;
    const { card, dialect, flips, names, gone, limit } = draw;
    return { fields, card, dialect, flips, names, gone, limit };
  });

/** Makes a reversal speak of the message before it, as an acquirer would. */
function nameOriginal(fields: Fields, before: Fields | undefined, names: number): void {
  if (before === undefined || !/^04/.test(fields[0] ?? '')) return;
  if (names & 1) fields[90] = `0100${before[11] ?? '000000'}${before[7] ?? '0000000000'}00000123456${'0'.repeat(11)}`;
  if (names & 2) fields[37] = before[37] ?? fields[37]!;
  if (names & 4) fields[48] = privateData([[63, (before[63] ?? '').slice(0, 15)]]);
  if (names & 8) fields[49] = before[49] ?? fields[49]!;
}

function wire({ fields, dialect, flips, gone }: Step): Uint8Array | undefined {
  if (gone !== 0) delete fields[gone];
  let bytes: Uint8Array;
  try {
    bytes = pack(dialect, fields);
  } catch {
    return undefined; // A value that this field cannot have on the wire.
  }
  const from = dialect === 'iso87-bcd' ? 2 : 4;
  for (const [place, bit] of flips) bytes[from + (place % (bytes.length - from))]! ^= 1 << bit;
  return bytes;
}

/** Two accounts in reais, one in yen, and limits from nearly nothing to the largest there is. */
function openCards(h: Harness): { shard: number; slot: number }[] {
  const limits = [
    { currency: 986, creditLimit: 70_000 },
    { currency: 392, creditLimit: 70_000 },
    { currency: 986, creditLimit: 100_000_000_000_000 },
  ];
  return limits.map(({ currency, creditLimit }, number) => {
    const id = `acct-${number}`;
    h.command(0, { op: 'create_account', id, program: 0, currency, creditLimit, type: AccountType.credit });
    const made = h.command(0, {
      ...{ op: 'create_card', account: id, fingerprint: [number, 2, 3], bin: 999999, last4: 18, panLength: 16 },
      ...{ expiry: 2912, cardSequence: 1, serviceCode: 201, status: CardStatus.active, replacesSlot: -1 },
    });
    if (!made.ok || !('card' in made)) throw new Error(JSON.stringify(made));
    return { shard: 0, slot: made.card!.slot };
  });
}

describe('a shard under messages of every kind', () => {
  it('answers each of them, never 96, and stays in service', () => {
    const codes = new Map<string, number>();
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 300, size: 'max' }), (steps) => {
        const h = new Harness({ shards: 1 });
        const cards = openCards(h);
        const tokens: number[] = [];
        let before: Fields | undefined;
        for (const one of steps) {
          nameOriginal(one.fields, before, one.names);
          const bytes = wire(one);
          before = one.fields;
          if (bytes === undefined || bytes.length > 4096) continue;
          const { limit: creditLimit } = one;
          if (creditLimit !== undefined) h.command(0, { op: 'update_account', id: `acct-${one.card}`, creditLimit });
          tokens.push(h.sendBytes(one.card < 0 ? undefined : cards[one.card], bytes, one.dialect));
          h.turn();
        }
        const answers = tokens.map((token) => h.answers.get(token)?.fields[39] ?? 'none');
        for (const code of answers) codes.set(code, (codes.get(code) ?? 0) + 1);
        expect(answers.filter((code) => code === '96' || code === '91' || code === 'none')).toEqual([]);
        expect(h.logs).toEqual([]);
        expect(h.control.shardState(0)).toBe(ShardState.up);
      }),
      { numRuns: 40 },
    );
    // The messages must get as far as the decisions, or nothing was tried.
    for (const code of ['00', '10', '12', '14', '30', '51', '68', '85', '94'])
      expect(codes.get(code) ?? 0, `answers ${code}`).toBeGreaterThan(0);
  }, 120_000);
});
