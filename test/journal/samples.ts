/** Sample events for the journal's tests: fixed ones for golden bytes, random ones for properties. */
import fc from 'fast-check';
import { ClearingFlag, ClearingSort, MatchRung } from '#src/domain/clearing/codes.js';
import {
  AccountStatus,
  AccountType,
  CardStatus,
  CHECK_COUNT,
  ElementKind,
  EventKind,
  Reason,
  Response,
} from '#src/domain/codes.js';
import {
  FINDING_NUMBERS,
  ISSUER_DATA_BYTES_MAX,
  MessageEvent,
  type PlainEvent,
  READINGS_MAX,
  RULE_BITS_BYTES,
} from '#src/domain/events.js';
import { EntryKind } from '#src/domain/ledger/entry-kinds.js';
import { POSTINGS_MAX } from '#src/domain/ledger/postings.js';
import { TEXT_COUNT, Text } from '#src/domain/message.js';
import type { HoldfastError } from '#src/errors.js';
import type { ShardHead } from '#src/journal/types.js';

export const noDigest = { high: 0, low: 0 };
export const empty = (shard: number): ShardHead => ({
  shard,
  epoch: 1,
  sequence: 0,
  hash: new Uint8Array(32),
  digest: noDigest,
});

/** An approved purchase, all numbers fixed except those derived from `n`. */
export function sampleMessage(n = 1): MessageEvent {
  const event = new MessageEvent();
  event.timeMs = 1_790_000_000_000 + n;
  event.element = ElementKind.authorization;
  event.accountSlot = n % 1000;
  event.cardSlot = n % 1000;
  event.response = Response.approved;
  event.reason = Reason.none;
  event.approvalCode = n % 1_000_000;
  event.approvedAmount = 12_345;
  event.holdDelta = 12_345;
  event.holdExpiresMs = 1_790_604_800_000;
  event.creditLimitBefore = 500_000;
  event.postedBefore = -70_000;
  event.heldBefore = 33_000;
  event.previousOfAccount = Math.max(0, n - 1000);
  event.previousOfCard = Math.max(0, n - 1000);
  for (let step = 1; step <= 13; step++) event.verdict(step, 1);
  const { input } = event;
  input.dialect = 0;
  input.link = 1;
  input.mti = 100;
  input.processingCode = 0;
  input.amount = 12_345;
  input.currency = 986;
  input.transmission = 1_123_021_500;
  input.stan = n % 1_000_000;
  input.localTime = 231_500;
  input.localDate = 1122;
  input.expiry = 2912;
  input.mcc = 5411;
  input.country = 76;
  input.entryMode = 51;
  input.cardSequence = 1;
  input.condition = 0;
  input.carried = 9;
  input.setText(Text.acquirer, '012345');
  input.setText(Text.rrn, String(n).padStart(12, '0'));
  input.setText(Text.terminal, 'TERM0001');
  input.setText(Text.acceptor, 'MERCHANT0000001');
  input.setText(Text.acceptorName, 'PADARIA CENTRAL          SAO PAULO    BR');
  input.setText(Text.networkId, 'MCC0123456789  ');
  return event;
}

const bytes32 = (seed: number): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => (i * 7 + seed) & 0xff);

/** One event of each plain kind. */
export function samplePlain(): PlainEvent[] {
  const timeMs = 1_790_000_000_123;
  return [
    {
      kind: EventKind.accountCreated,
      sequence: 0,
      timeMs,
      accountSlot: 3,
      id: 'acc_1.A-z',
      program: 1,
      currency: 986,
      creditLimit: 500_000,
      type: AccountType.credit,
    },
    {
      kind: EventKind.accountUpdated,
      sequence: 0,
      timeMs,
      accountSlot: 3,
      creditLimit: 2 ** 40,
      status: AccountStatus.frozen,
      previousOfAccount: 1,
    },
    {
      kind: EventKind.cardCreated,
      sequence: 0,
      timeMs,
      cardSlot: 9,
      accountSlot: 3,
      fingerprint: [0xdeadbeef, 1, 0xffffffff],
      bin: 999999,
      last4: 8,
      panLength: 16,
      expiry: 2912,
      cardSequence: 1,
      serviceCode: 201,
      status: CardStatus.active,
      replacesSlot: -1,
      aliasOfSlot: -1,
      previousOfAccount: 2,
    },
    {
      kind: EventKind.cardUpdated,
      sequence: 0,
      timeMs,
      cardSlot: 9,
      accountSlot: 3,
      status: CardStatus.lost,
      pinTries: 2,
      previousOfCard: 3,
      previousOfAccount: 3,
    },
    {
      kind: EventKind.notDelivered,
      sequence: 0,
      timeMs,
      accountSlot: 3,
      cardSlot: 9,
      originalSequence: 5,
      authorizationSequence: 4,
      authorizedAfter: 20_000,
      holdDelta: -12_345,
      counted: { link: 7, acquirer: 123_456, day: 20_783, currency: 986, total: 2, amount: 12_345, number: 0 },
      postings: [
        { glAccount: 1100, amount: -12_345 },
        { glAccount: 2100, amount: 12_345 },
      ],
      changes: Uint8Array.of(1, 2, 3),
      previousOfAccount: 4,
      previousOfCard: 4,
    },
    {
      kind: EventKind.holdExpired,
      sequence: 0,
      timeMs,
      accountSlot: 3,
      cardSlot: 9,
      originalSequence: 5,
      authorizedAfter: 0,
      holdDelta: -12_345,
      changes: new Uint8Array(0),
      previousOfAccount: 4,
      previousOfCard: 4,
    },
    { kind: EventKind.programApplied, sequence: 0, timeMs, program: 2, revision: 300, text: '{"revision":300}' },
    {
      kind: EventKind.controlsSet,
      sequence: 0,
      timeMs,
      accountSlot: 3,
      cardSlot: -1,
      text: '{"per_transaction":5000,"merchants":{"deny":["CAFÉ"]}}',
      previousOfAccount: 4,
      previousOfCard: 0,
    },
    {
      kind: EventKind.payment,
      sequence: 0,
      timeMs,
      accountSlot: 3,
      amount: 10_000,
      currency: 986,
      reference: 'pix-é-1',
      postings: [
        { glAccount: 1000, amount: 10_000 },
        { glAccount: 2000, amount: -10_000 },
      ],
      previousOfAccount: 5,
    },
    {
      kind: EventKind.entryPosted,
      sequence: 0,
      timeMs,
      entry: EntryKind.settlement,
      accountSlot: -1,
      cardSlot: -1,
      day: 20_783,
      reference: 'wire-é-2026-11-26',
      relatedSequence: 0,
      note: 'paid late, as é agreed',
      carry: 3_649_999,
      legs: [
        { glAccount: 2100, currency: 840, sub: (1 * 65_536 + 20_783) * 16 + 3, amount: 22_289_156 },
        { glAccount: 1300, currency: 840, sub: 0, amount: -22_289_156 },
      ],
      previousOfAccount: 0,
      previousOfCard: 0,
    },
    {
      kind: EventKind.entryPosted,
      sequence: 0,
      timeMs,
      entry: EntryKind.chargeback,
      accountSlot: 3,
      cardSlot: 9,
      day: 20_783,
      reference: '7',
      relatedSequence: 7,
      note: '',
      carry: 0,
      legs: [
        { glAccount: 2100, currency: 986, sub: (1 * 65_536 + 20_783) * 16 + 3, amount: 400 },
        { glAccount: 1200, currency: 986, sub: 0, amount: -400 },
      ],
      disputed: { posted: 6, arn: '12345676330000000000012', reasonCode: '4853' },
      previousOfAccount: 4,
      previousOfCard: 4,
    },
    {
      kind: EventKind.entryPosted,
      sequence: 0,
      timeMs,
      entry: EntryKind.provisionalCredit,
      accountSlot: 3,
      cardSlot: 9,
      day: 20_783,
      reference: 'claim 1',
      relatedSequence: 5,
      note: 'never received',
      carry: 0,
      legs: [
        { glAccount: 1200, currency: 986, sub: 0, amount: 400 },
        { glAccount: 1110, currency: 986, sub: 0, amount: -400 },
      ],
      disputed: {
        ...{ posted: 6, arn: '12345676330000000000012', reasonCode: '' },
        charge: { amount: 70_000, cash: 70_000, markup: 1400, fee: 500, back: 300, markupBack: 6, feeBack: 2 },
      },
      previousOfAccount: 4,
      previousOfCard: 4,
    },
    {
      kind: EventKind.entryPosted,
      sequence: 0,
      timeMs,
      entry: EntryKind.disputeWon,
      accountSlot: 3,
      cardSlot: 9,
      day: 20_783,
      reference: '7',
      relatedSequence: 7,
      note: '',
      carry: 0,
      legs: [],
      ended: { posted: 6, kept: 400 },
      previousOfAccount: 4,
      previousOfCard: 4,
    },
    {
      kind: EventKind.clearingPosted,
      sequence: 0,
      timeMs,
      accountSlot: 3,
      cardSlot: 9,
      tokenSlot: -1,
      fingerprint: [0, 0, 0],
      file: '0012611260000000000100001',
      input: {
        record: 2,
        mti: 1240,
        functionCode: 200,
        processingCode: 0,
        amount: 10_000,
        currency: 978,
        settlementAmount: 11_650,
        settlementCurrency: 840,
        billingAmount: 62_345,
        billingCurrency: 986,
        network: 1,
        sub: (1 * 65_536 + 20_783) * 16 + 3,
        businessDay: 20_783,
        mcc: 5812,
        country: 276,
        localDay: 20_782,
        localSeconds: 73_805,
        partial: 0,
        sequence: 1,
        count: 1,
        reversal: 0,
        originalDay: -1,
        cashBack: 2_000,
        arn: '12345676330000000000012',
        networkId: 'MCC0123456789',
        rrn: '000000000001',
        approvalCode: '000001',
        acquirer: '12345',
        terminal: 'TERM0001',
        acceptor: 'MERCHANT0000001',
        acceptorName: 'CAF\u00c9 CENTRAL',
        fees: [{ amount: 140, currency: 840, sign: 0 }],
      },
      sort: ClearingSort.purchase,
      rung: MatchRung.networkId,
      flags: ClearingFlag.overCleared | ClearingFlag.afterExpiry,
      originalSequence: 5,
      relatedSequence: 0,
      disputeSequence: 8,
      windowLagMs: 1500,
      posted: 62_345,
      authorizedAfter: 62_345,
      holdDelta: -50_000,
      holdFlags: 4,
      programRevision: 3,
      changes: Uint8Array.of(1, 2, 3),
      legs: [
        { glAccount: 1100, currency: 986, sub: 0, amount: 62_345 },
        { glAccount: 2100, currency: 840, sub: (1 * 65_536 + 20_783) * 16 + 3, amount: -11_650 },
        { glAccount: 1500, currency: 986, sub: 0, amount: -62_345 },
        { glAccount: 1500, currency: 840, sub: 0, amount: 11_650 },
      ],
      previousOfAccount: 4,
      previousOfCard: 4,
    },
    { kind: EventKind.accrualMarked, sequence: 0, timeMs, day: 20_783, nextSlot: 70_000 },
    {
      kind: EventKind.statementClosed,
      sequence: 0,
      timeMs,
      accountSlot: 3,
      day: 20_783,
      balance: -123_456,
      minimumDue: 0,
      dueDay: 20_803,
      previousOfAccount: 5,
    },
    { kind: EventKind.poison, sequence: 0, timeMs, hashHigh: 0xffffffff, hashLow: 0, error: 'x'.repeat(300) },
    { kind: EventKind.unknownCardCount, sequence: 0, timeMs, count: 70_000 },
    {
      kind: EventKind.idempotency,
      sequence: 0,
      timeMs,
      keyHash: bytes32(1),
      bodyHash: bytes32(2),
      outcome: Uint8Array.of(0x81, 0xa2, 0x6f, 0x6b, 0xc3),
    },
    {
      kind: EventKind.totalsCompared,
      sequence: 0,
      timeMs,
      mti: 501,
      link: 7,
      acquirer: 99_999_999_999,
      day: 20_783,
      currency: 986,
      transmission: 1_126_235_959,
      stan: 17,
      equal: 0,
      theirs: [
        { field: 76, value: 3 },
        { field: 97, value: -12_345 },
      ],
      ours: [{ field: 88, value: 12_345 }],
    },
    {
      kind: EventKind.fingerprintChanged,
      sequence: 0,
      timeMs,
      cardSlot: 5,
      fingerprint: [0xffffffff, 1, 0x80000000],
      sealed: Uint8Array.from({ length: 44 }, (_, i) => i + 3),
      previousOfCard: 4,
    },
    {
      kind: EventKind.pinReferenceSet,
      sequence: 0,
      timeMs,
      accountSlot: 3,
      cardSlot: 5,
      sealed: Uint8Array.from({ length: 44 }, (_, i) => i + 1),
      previousOfAccount: 4,
      previousOfCard: 4,
    },
  ];
}

const integer = fc.oneof(
  fc.integer({ min: -200, max: 300 }),
  fc.integer({ min: -40_000, max: 70_000 }),
  fc.integer(),
  fc.integer({ min: 0, max: 2 ** 32 + 5 }),
  fc.maxSafeInteger(),
);

const amount = fc
  .oneof(fc.integer({ min: -40_000, max: 70_000 }), fc.maxSafeInteger())
  .map((value) => Math.trunc(value / 4))
  .filter((value) => value !== 0);

/** A message event whose every number and text is random: any field the record forgets shows. */
export const anyMessage: fc.Arbitrary<MessageEvent> = fc
  .record({
    numbers: fc.array(integer, { minLength: 90, maxLength: 90 }),
    texts: fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: TEXT_COUNT, maxLength: TEXT_COUNT }),
    verdicts: fc.array(fc.tuple(fc.nat(255), fc.nat(255)), { maxLength: 24 }),
    finding: fc.array(integer, { minLength: FINDING_NUMBERS, maxLength: FINDING_NUMBERS }),
    hasFinding: fc.boolean(),
    rules: fc.uint8Array({ maxLength: RULE_BITS_BYTES }),
    readings: fc.array(fc.tuple(integer, integer), { maxLength: READINGS_MAX }),
    postings: fc.array(fc.record({ glAccount: fc.integer({ min: 1000, max: 9999 }), amount: amount }), {
      maxLength: POSTINGS_MAX,
    }),
    checks: fc.option(
      fc.record({
        outcomes: fc.uint8Array({ minLength: CHECK_COUNT, maxLength: CHECK_COUNT }),
        numbers: fc.tuple(integer, integer, integer),
        issuer: fc.uint8Array({ maxLength: ISSUER_DATA_BYTES_MAX }),
      }),
      { nil: undefined },
    ),
    changes: fc.array(
      fc.record({
        owner: fc.nat(2 ** 25),
        key: fc.nat(2 ** 40),
        bucket: fc.nat(2 ** 33),
        amount,
        uses: fc.integer({ min: -1, max: 1 }),
      }),
      { maxLength: 40 },
    ),
  })
  .map(({ numbers, texts, verdicts, finding, hasFinding, rules, readings, postings, changes, checks }) => {
    const event = new MessageEvent();
    let next = 0;
    const fill = (target: Record<string, unknown>, skip: string[]) => {
      for (const key of Object.keys(target))
        if (typeof target[key] === 'number' && !skip.includes(key)) target[key] = numbers[next++]!;
    };
    fill(event as unknown as Record<string, unknown>, [
      'kind',
      'sequence',
      'verdictCount',
      'findingCount',
      'rulesAsked',
      'decidingRule',
      'cardReadings',
      'accountReadings',
      'checked',
      'pinTriesAfter',
      'counter',
      'counterBefore',
      'issuerDataLength',
    ]);
    if (event.deviceWaitUs === -1) event.deviceFailure = 0;
    if (event.countedNumber === -1) event.countedAmount = 0;
    if (checks !== undefined) {
      event.checked = 1;
      event.checks.set(checks.outcomes);
      [event.pinTriesAfter, event.counter, event.counterBefore] = checks.numbers;
      event.issuerDataLength = checks.issuer.length;
      event.issuerData.set(checks.issuer);
    }
    if (hasFinding) {
      event.findingCount = FINDING_NUMBERS;
      event.finding.set(finding);
    }
    if (rules.length > 0) {
      event.rulesAsked = rules.length * 8;
      event.decidingRule = numbers[next++]!;
      event.ruleBits.set(rules);
    }
    event.cardReadings = readings.length >> 1;
    event.accountReadings = readings.length - event.cardReadings;
    event.readings.set(readings.flat());
    event.postings.setAll(postings);
    for (const { owner, key, bucket, amount: moved, uses } of changes) {
      event.changes.add(owner, key, bucket, moved, uses);
    }
    event.changes.sort();
    fill(event.input as unknown as Record<string, unknown>, []);
    for (let i = 0; i < 3; i++) event.fingerprint[i] = numbers[next++]!;
    for (const [step, verdict] of verdicts) event.verdict(step, verdict);
    texts.forEach((text, which) => {
      const at = event.input.textAt.reduce((most, start, i) => Math.max(most, start + event.input.textLength[i]!), 0);
      event.input.textAt[which] = at;
      event.input.textLength[which] = text.length;
      event.input.text.set(text, at);
    });
    return event;
  });

/** Everything an event says, as plain data, independent of where its texts lie. */
export function contentOf(event: MessageEvent): Record<string, unknown> {
  const numbers = (target: object) =>
    Object.fromEntries(Object.entries(target).filter(([, value]) => typeof value === 'number'));
  const { input } = event;
  return {
    ...numbers(event),
    fingerprint: [...event.fingerprint],
    verdicts: [...event.verdicts.subarray(0, event.verdictCount * 2)],
    finding: [...event.finding.subarray(0, event.findingCount)],
    rules: [...event.ruleBits.subarray(0, (event.rulesAsked + 7) >> 3)],
    readings: [...event.readings.subarray(0, 2 * (event.cardReadings + event.accountReadings))],
    checks: event.checked === 0 ? [] : [...event.checks],
    issuerData: [...event.issuerData.subarray(0, event.issuerDataLength)],
    postings: event.postings.toList(),
    changes: Array.from({ length: event.changes.count }, (_, i) => [
      event.changes.owner[i],
      event.changes.key[i],
      event.changes.bucket[i],
      event.changes.amount[i],
      event.changes.uses[i],
    ]),
    input: numbers(input),
    texts: Array.from({ length: TEXT_COUNT }, (_, i) =>
      Buffer.from(input.text.subarray(input.textAt[i]!, input.textAt[i]! + input.textLength[i]!)).toString('hex'),
    ),
  };
}

/** A digest that the sequence decides. */
export const digestAt = (sequence: number) => ({ high: sequence * 3, low: 0xffffffff - sequence });

/** Code and message of the HoldfastError that `run` throws, `no error` when it does not. */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return `${(error as HoldfastError).code}: ${(error as Error).message}`;
  }
  return 'no error';
}
