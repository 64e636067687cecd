/** The auditor agrees with a real shard host, and objects to every falsified observation by the right rule. */
import { describe, expect, test } from 'vitest';
import { Auditor } from '../sim/auditor/auditor.js';
import { AuditFailure } from '../sim/observation.js';
import { long } from '../support/long.js';
import { type Members, type Rewrite, replaced, rewritten, withHeader, withoutLeg } from './falsify.js';
import { Traffic } from './traffic.js';
import { type Told, tellAll } from './world.js';

function audit(told: readonly Told[]): Auditor {
  const auditor = new Auditor();
  tellAll(told, auditor);
  return auditor;
}

test('agrees with a real shard host over random traffic', { timeout: 120_000 * long }, () => {
  for (let seed = 1; seed <= 3 * long; seed++) {
    const { told } = new Traffic(seed).run(200);
    try {
      expect(audit(told).answers).toBeGreaterThan(100);
    } catch (error) {
      const evidence = error instanceof AuditFailure ? JSON.stringify(error.evidence) : '';
      throw new Error(`seed ${seed}: ${(error as Error).message}\n${evidence}`, { cause: error });
    }
  }
});

/** Everything that is falsified below happens in these. */
const streams = [3, 8].map((seed) => new Traffic(seed).run(400).told);

const Kind = {
  account: 1,
  accountUpdated: 2,
  message: 5,
  notDelivered: 6,
  payment: 7,
  expired: 13,
  clearing: 16,
} as const;
const APPROVED = 0x3030;
const number = (record: Members, at: number): number => record[at] as number;

/** The record of a kind that fits, with one number that is another. */
const altered =
  (kind: number, at: number, by: (value: number) => number, fits: (record: Members) => boolean = () => true): Rewrite =>
  (record) => {
    if (record[0] !== kind || !fits(record)) return undefined;
    const changed = [...record];
    changed[at] = by(number(record, at));
    return [changed];
  };

/** The record twice, the second time linked behind the first. */
const twice =
  (kind: number, links: readonly number[], fits: (record: Members) => boolean = () => true): Rewrite =>
  (record, sequence) => {
    if (record[0] !== kind || !fits(record)) return undefined;
    const again = [...record];
    for (const at of links) again[at] = sequence;
    return [record, again];
  };

const legless =
  (kind: number, at: number, width: number): Rewrite =>
  (record) => {
    if (record[0] !== kind || (record[at] as unknown[]).length === 0) return undefined;
    const changed = [...record];
    changed[at] = withoutLeg(record[at], width);
    return [changed];
  };

const isPurchase = (record: Members): boolean => record[3] === 1 && record[9] === APPROVED && number(record, 13) > 0;
const isAnswer = (one: Told, fits: (fields: Record<string, string>) => boolean): one is Told & { call: 'answered' } =>
  one.call === 'answered' && one.args[0].fields !== undefined && fits(one.args[0].fields as Record<string, string>);

/** An answer that fits, with other fields. */
const answer =
  (fits: (fields: Record<string, string>) => boolean, over: Record<string, string | undefined>) =>
  (told: readonly Told[]): Told[] =>
    replaced(told, (one) => {
      if (!isAnswer(one, fits)) return undefined;
      const given = Object.entries({ ...one.args[0].fields, ...over }).filter(([, value]) => value !== undefined);
      return [
        { call: 'answered', args: [{ ...one.args[0], fields: Object.fromEntries(given) as Record<string, string> }] },
      ];
    });

type Balance = { posted: number; held: number; available: number; holds: readonly unknown[] };
const state =
  (over: (account: Balance) => Record<string, unknown>, fits: (account: Balance) => boolean = () => true) =>
  (told: readonly Told[]): Told[] =>
    replaced(told, (one) => {
      if (one.call !== 'state' || !one.args[0].some(fits)) return undefined;
      const accounts = one.args[0].map((account) => (fits(account) ? { ...account, ...over(account) } : account));
      return [{ call: 'state', args: [accounts, one.args[1]] }];
    });

const frame =
  (skip: number, change: (frame: Uint8Array) => Uint8Array[]) =>
  (told: readonly Told[]): Told[] => {
    let seen = 0;
    return replaced(told, (one) => {
      if (one.call !== 'durable' || seen++ < skip) return undefined;
      return change(one.args[1]).map((bytes) => ({ call: 'durable', args: [one.args[0], bytes] }));
    });
  };

const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, at) => (at === 120 ? byte ^ 4 : byte));
const records = (rewrite: Rewrite) => (told: readonly Told[]) => rewritten(told, rewrite);
const isPurchaseAnswer = (fields: Record<string, string>): boolean =>
  fields['0'] === '0110' && fields['39'] === '00' && fields['38'] !== undefined;
const isHeld = ({ held }: Balance): boolean => held > 0;

/** Moves the answer to the first approval to where its message was sent. */
function hasty(told: readonly Told[]): Told[] {
  const at = told.findIndex((one) => isAnswer(one, isPurchaseAnswer));
  const early = told[at]!;
  const stan = (early as Told & { call: 'answered' }).args[0].fields!['11'];
  const sent = told.findIndex((one) => one.call === 'sent' && one.args[0].fields?.['11'] === stan);
  return [...told.slice(0, sent + 1), early, ...told.slice(sent + 1, at), ...told.slice(at + 1)];
}

/** Without the first message of a purchase that was approved. */
function unsent(told: readonly Told[]): Told[] {
  const answered = told.find((one) => isAnswer(one, isPurchaseAnswer)) as Told & { call: 'answered' };
  const stan = answered.args[0].fields!['11'];
  return replaced(told, (one) => (one.call === 'sent' && one.args[0].fields?.['11'] === stan ? [] : undefined));
}

/** A repeat beside the first approval, which is told 91 too late and before anything was rolled back. */
function lateRepeat(told: readonly Told[]): Told[] {
  const at = told.findIndex((one) => isAnswer(one, isPurchaseAnswer));
  const { args } = told[at] as Told & { call: 'answered' };
  const stan = args[0].fields!['11'];
  const late = { us: args[0].at.us + 2_000_000, wallMs: args[0].at.wallMs + 2000 };
  const { 38: _code, ...fields } = args[0].fields!;
  const answer91: Told = { call: 'answered', args: [{ ...args[0], fields: { ...fields, 39: '91' }, at: late }] };
  const sent = told.findIndex((one) => one.call === 'sent' && one.args[0].fields?.['11'] === stan);
  const before = [...told.slice(0, sent + 1), told[sent]!, ...told.slice(sent + 1, at)];
  return [...before, answer91, ...told.slice(at)];
}

/** Tells the result of the first payment before its frame. */
function hastyResult(told: readonly Told[]): Told[] {
  const asked = told.findIndex((one) => one.call === 'commanded' && one.args[0].command.op === 'payment');
  const { id } = (told[asked] as Told & { call: 'commanded' }).args[0];
  const done = told.findIndex((one) => one.call === 'resulted' && one.args[0].id === id);
  return [...told.slice(0, asked + 1), told[done]!, ...told.slice(asked + 1, done), ...told.slice(done + 1)];
}

/** The second approval of a card with the code of the first. */
function codeAgain(): Rewrite {
  const codes = new Map<number, number>();
  return (record) => {
    if (record[0] !== Kind.message || !isPurchase(record)) return undefined;
    const card = number(record, 5);
    const first = codes.get(card);
    codes.set(card, number(record, 11));
    if (first === undefined) return undefined;
    const changed = [...record];
    changed[11] = first;
    return [changed];
  };
}

const FALSE: readonly [what: string, rule: RegExp, falsify: (told: readonly Told[]) => Told[]][] = [
  // What lies on the disk.
  ['a bit of a frame is another', /^frame: the checksum/, frame(30, (bytes) => [flipped(bytes)])],
  ['a frame is lost', /^(frame: sequences|reply before durable|command)/, frame(30, () => [])],
  ['a frame comes twice', /^frame: sequences/, frame(30, (bytes) => [bytes, bytes])],
  [
    'a frame follows another one',
    /^frame: a frame names the hash/,
    frame(30, (bytes) => [withHeader(bytes, (b) => b.fill(7, 40, 72))]),
  ],
  [
    'a frame counts one more',
    /^frame: a frame counts/,
    frame(30, (bytes) => [withHeader(bytes, (b) => b.writeUInt32BE(99, 12))]),
  ],
  [
    'a record has a member too few',
    /^record: a record of 67 members/,
    records((r) => (r[0] === Kind.message ? [r.slice(0, 67)] : undefined)),
  ],
  ['time goes back', /^time:/, records(altered(Kind.message, 2, () => 1_000_000, isPurchase))],
  ['time is ahead of the clock', /^time:/, records(altered(Kind.message, 2, (ms) => ms + 86_400_000, isPurchase))],
  [
    'a record forgets the one before',
    /^record: a record names the one before of its account/,
    records(altered(Kind.message, 20, (at) => at - 1, isPurchase)),
  ],
  [
    'a card number is kept',
    /^secret:/,
    records((r, _at, before) =>
      r[0] === Kind.message && before.length > 40 ? [r.with(61, Buffer.from('9999990000000001'))] : undefined,
    ),
  ],

  // What was decided.
  [
    'more is approved than was asked',
    /^decision: approved amount/,
    records(altered(Kind.message, 12, (amount) => amount + 1, isPurchase)),
  ],
  [
    'a decline is an approval',
    /^decision: response/,
    records(
      altered(
        Kind.message,
        9,
        () => APPROVED,
        (r) => r[3] === 1 && r[9] === 0x3531,
      ),
    ),
  ],
  ['more is held', /^decision: change of held/, records(altered(Kind.message, 13, (amount) => amount * 2, isPurchase))],
  [
    'the balance before is another',
    /^decision: balances before/,
    records(altered(Kind.message, 18, (posted) => posted - 5, isPurchase)),
  ],
  [
    'a hold lives a day longer',
    /^decision: end of the hold/,
    records(altered(Kind.message, 14, (ms) => ms + 86_400_000, isPurchase)),
  ],
  [
    'an increment is of another authorization',
    /^decision: original/,
    records(
      altered(
        Kind.message,
        15,
        (at) => at - 1,
        (r) => r[3] === 6 && number(r, 13) > 0,
      ),
    ),
  ],
  [
    'a reversal is of nothing',
    /^decision: (original|tombstone)/,
    records(
      altered(
        Kind.message,
        16,
        () => 1,
        (r) => r[3] === 4 && number(r, 13) < 0,
      ),
    ),
  ],
  [
    'a reversal releases less',
    /^decision: change of held/,
    records(
      altered(
        Kind.message,
        13,
        (amount) => amount + 1,
        (r) => r[3] === 4 && number(r, 13) < 0,
      ),
    ),
  ],
  [
    'an increment counts twice',
    /^decision: change of held/,
    records(
      altered(
        Kind.message,
        13,
        (amount) => amount * 2,
        (r) => r[3] === 6 && number(r, 13) > 0,
      ),
    ),
  ],
  ['an approval has a code that was given', /^approval code: a code is unique/, records(codeAgain())],
  [
    'a repeat has a record',
    /^repeat with an effect/,
    records(twice(Kind.message, [20, 21], (r) => r[3] === 1 && r[9] === 0x3531)),
  ],
  [
    'an amount is not the one that was sent',
    /^(unsent message|decision)/,
    records(
      altered(
        Kind.message,
        29,
        (amount) => amount + 1,
        (r) => r[3] === 1 && r[9] === 0x3531,
      ),
    ),
  ],
  ['a record is of nothing that was sent', /^unsent message/, unsent],
  [
    'a limit is another than was set',
    /^(decision: balances before|state:)/,
    records(altered(Kind.accountUpdated, 4, (limit) => limit + 1)),
  ],

  // Expiry, roll-backs, entries, clearing.
  [
    'a hold ends with more than remains',
    /^expiry: it releases/,
    records(altered(Kind.expired, 7, (amount) => amount - 1)),
  ],
  ['a hold ends twice', /^expiry: an open hold/, records(twice(Kind.expired, [9, 10]))],
  ['an approval is rolled back twice', /^roll-back: only an approval/, records(twice(Kind.notDelivered, [12, 13]))],
  [
    'a roll-back releases less',
    /^roll-back: change of held/,
    records(
      altered(
        Kind.notDelivered,
        8,
        (amount) => amount + 1,
        (r) => number(r, 8) < 0,
      ),
    ),
  ],
  ['an entry lacks a leg', /^books:/, records(legless(Kind.payment, 7, 2))],
  ['a payment is posted twice', /^entry key:/, records(twice(Kind.payment, [8]))],
  ['a record of a file is posted twice', /^entry key:/, records(twice(Kind.clearing, [23, 24]))],
  ['a clearing record lacks a leg', /^(books|clearing):/, records(legless(Kind.clearing, 22, 4))],
  [
    'a clearing record charges more',
    /^clearing: what the cardholder is charged/,
    records(altered(Kind.clearing, 16, (amount) => amount + 1)),
  ],
  [
    'a clearing record keeps the hold',
    /^clearing: change of held/,
    records(
      altered(
        Kind.clearing,
        18,
        () => 0,
        (r) => number(r, 18) < 0,
      ),
    ),
  ],
  [
    'a clearing record is of another authorization',
    /^clearing: what it belongs to/,
    records(
      altered(
        Kind.clearing,
        14,
        (at) => at - 1,
        (r) => number(r, 14) > 1,
      ),
    ),
  ],

  // What was answered.
  ['an approval leaves before its frame', /^reply before durable/, hasty],
  ['a late repeat is answered 91 for what stands', /^reply: a late repeat/, lateRepeat],
  ['a result leaves before its frame', /^command: what a command did/, hastyResult],
  ['a decline is told instead of an approval', /^reply:/, answer(isPurchaseAnswer, { 39: '51', 38: undefined })],
  ['another code is told', /^reply:/, answer(isPurchaseAnswer, { 38: '000000' })],
  ['RRN is not echoed', /^reply: DE37/, answer(isPurchaseAnswer, { 37: undefined })],
  ['STAN is another', /^reply: an answer is to a message/, answer(isPurchaseAnswer, { 11: '999999' })],
  ['a track is echoed', /^secret:/, answer(isPurchaseAnswer, { 35: '9999990000000001=2912' })],
  ['what stands is answered 91', /^reply: what is answered 91/, answer(isPurchaseAnswer, { 39: '91', 38: undefined })],
  [
    'what was decided is answered 96',
    /^reply: what is set aside/,
    answer(isPurchaseAnswer, { 39: '96', 38: undefined }),
  ],
  [
    'a message is answered twice',
    /^reply: an answer is to a message/,
    (told) => replaced(told, (one) => (isAnswer(one, isPurchaseAnswer) ? [one, one] : undefined)),
  ],
  ['a part is told as more', /^reply: DE4/, answer((fields) => fields['39'] === '10', { 4: '000000099999' })],
  [
    'an inquiry is told another balance',
    /^reply: DE54/,
    answer((fields) => fields['3']?.startsWith('31') === true && fields['54'] !== undefined, { 54: undefined }),
  ],

  // What is read.
  ['posted is another', /^state:/, state(({ posted }) => ({ posted: posted + 1 }))],
  ['held is another', /^state:/, state(({ held }) => ({ held: held + 1 }))],
  ['available is not the rest', /^state: available/, state(({ available }) => ({ available: available + 1 }))],
  ['a hold is missing', /^holds: held is/, state(() => ({ holds: [] }), isHeld)],
  ['an account is none', /^state: an account/, state(() => ({ account: 'nobody' }))],
];

describe('objects when', () => {
  for (const [what, rule, falsify] of FALSE) {
    test(what, () => {
      const failures: string[] = [];
      for (const told of streams) {
        let false_: Told[];
        try {
          false_ = falsify(told);
        } catch (error) {
          expect((error as Error).message).toMatch(/^there is no such/);
          continue;
        }
        try {
          audit(false_);
          failures.push('nothing was objected to');
        } catch (error) {
          if (!(error instanceof AuditFailure)) throw error;
          failures.push(error.message);
        }
      }
      expect(failures.length, 'it happens in one of the streams').toBeGreaterThan(0);
      for (const failure of failures) expect(failure).toMatch(rule);
    });
  }
});

test('a record that is written again as it was is no falsification', () => {
  for (const told of streams) expect(() => audit(rewritten(told, (record) => [record]))).not.toThrow();
});
