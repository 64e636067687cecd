/** Authorizations that come to their end, and what is told of them afterwards: which breaks that makes. */
import { describe, expect } from 'vitest';
import { scenario } from '../table/runner.js';
import { DAY_MS, reconcile } from './box-book.js';
import { finds } from './finds.js';

const AGED = `
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 stan=1 net=N1      | 00 | 0 | 30000 | 70000
    wait 31d
    sweep                                    | 1  | 0 |     0 | 100000`;

describe('a hold that ended', () => {
  scenario('has aged out', AGED, finds('authorized_not_cleared aged_out 30000'));
  scenario(
    'and was reversed then has not',
    `${AGED}
    0400 a stan=2 orig=N1                    | 00 | 0 | 0 | 100000
    `,
    finds(),
  );
  scenario(
    'and was reversed in part has aged out for what stays',
    `${AGED}
    0400 a stan=2 orig=N1 de95=12000         | 00 | 0 | 0 | 100000
    `,
    finds('authorized_not_cleared aged_out 12000'),
  );
  scenario(
    'is late when it is cleared, and nothing else',
    `${AGED}
    clear a purchase 30000 net=N1            | posted networkId afterExpiry | 30000 | 0 | 70000
    `,
    finds('late_presentment after_expiry 30000'),
  );
  scenario(
    'still waits for the rest after one of several, by the mark or by the sequence',
    `${AGED}
    clear a purchase 10000 net=N1 arn=A part      | posted networkId afterExpiry | 10000 | 0 | 90000
    clear a purchase 5000 net=N1 arn=B seq=2/3    | posted networkId afterExpiry | 15000 | 0 | 85000
    `,
    finds(
      'authorized_not_cleared partly_cleared 15000',
      ...['late_presentment after_expiry 10000', 'late_presentment after_expiry 5000'].sort(),
    ),
  );
  scenario(
    'waits for nothing after the last one',
    `${AGED}
    clear a purchase 10000 net=N1 arn=A seq=1/2   | posted networkId afterExpiry | 10000 | 0 | 90000
    clear a purchase 5000 net=N1 arn=B seq=2/2    | posted networkId afterExpiry | 15000 | 0 | 85000
    `,
    (run) => {
      const { breaks } = reconcile(run.book, [], Math.floor(run.nowMs / DAY_MS));
      expect(breaks.map(({ type }) => type).filter((type) => type === 'authorized_not_cleared')).toEqual([]);
    },
  );
  scenario(
    'and is posted by a message has not aged out',
    `${AGED}
    0220 a purchase 30000 stan=2 orig=N1 why=C    | 00 | 30000 | 0 | 70000
    `,
    finds(),
  );
});

describe('a hold that is reversed before its end', () => {
  scenario(
    'makes no break, and one in what comes for it after all',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 stan=1 net=N1      | 00 | 0 | 30000 | 70000
    0400 a stan=2 orig=N1                    | 00 | 0 |     0 | 100000
    clear a purchase 30000 net=N1            | posted networkId afterReversal | 30000 | 0 | 70000
    `,
    finds('cleared_without_authorization after_reversal 30000'),
  );
});

describe('a purchase that a dispute was won for', () => {
  const won = (about: string): string => `
    account A limit=100000
    card    a of=A
    0100 a purchase 40000 stan=1 net=N1                         | 00 | 0 | 40000 | 60000
    clear a purchase 40000 net=N1 arn=P                         | posted networkId | 40000 | 0 | 60000
    dispute A 40000 of=${about} ref=D                                  | ok | 0 | 0 | 100000
    step 5 chargeback amount=40000 interchange=400 sub=1/20000/1 | ok | 0 | 0 | 100000
    step 5 win                                                  | ok | 0 | 0 | 100000`;
  // Of the authorization, or of the record that cleared it.
  for (const [what, line] of [
    ['its authorization', '3'],
    ['its presentment', '4'],
  ] as const) {
    scenario(
      `as ${what} is given back twice by a refund of it, and by no other`,
      `${won(line)}
    clear a refund 10000 arn=P                                  | posted arn  | -10000 | 0 | 110000
    clear a refund 500 arn=Q                                    | posted none | -10500 | 0 | 110500
    `,
      finds('amount_mismatch given_back_twice 10000'),
    );
  }
  for (const [refund, posted, available, beyond] of [
    [30_000, 0, 100_000, 0],
    [30_700, -700, 100_700, 700],
  ] as const) {
    scenario(
      `in part is given back twice only beyond what was charged, by a refund of ${refund}`,
      `
    account A limit=100000
    card    a of=A
    clear a purchase 40000 arn=P                                | posted none | 40000 | 0 | 60000
    dispute A 10000 of=3 ref=D                                  | ok | 30000 | 0 | 70000
    step 4 chargeback amount=10000 interchange=100 sub=1/20000/1 | ok | 30000 | 0 | 70000
    step 4 win                                                  | ok | 30000 | 0 | 70000
    clear a refund ${refund} arn=P                                  | posted arn | ${posted} | 0 | ${available}
    `,
      finds(
        'cleared_without_authorization force_post 40000',
        ...(beyond > 0 ? [`amount_mismatch given_back_twice ${beyond}`] : []),
      ),
    );
  }
  scenario(
    'or that was written off, is given back twice by a refund that was announced',
    `
    account A limit=100000
    card    a of=A
    clear a purchase 40000 arn=P                                | posted none | 40000 | 0 | 60000
    dispute A 40000 of=3 ref=D                                  | ok | 0 | 0 | 100000
    step 4 write_off                                            | ok | 0 | 0 | 100000
    0100 a refund 40000 stan=2 net=N2                           | 00 | 0 | 0 | 100000
    clear a refund 40000 net=N2 arn=P                           | posted networkId | -40000 | 0 | 140000
    `,
    finds('amount_mismatch given_back_twice 40000', 'cleared_without_authorization force_post 40000'),
  );
  for (const [what, fee, lines, beyond] of [
    ['in full', 0, '0400 a stan=2 orig=N1                  | 00 |    0 | 0 | 1000', 400],
    ['in part', 0, '0400 a stan=2 orig=N1 de95=300         | 00 |    0 | 0 | 1000', 100],
    // Which the dispute had given back, and the network does not.
    ['in full with its fee', 50, '0400 a stan=2 orig=N1                  | 00 |    0 | 0 | 1000', 400],
  ] as const)
    scenario(
      `as a single message is given back twice when it is reversed ${what}`,
      `
    program fee=${fee}+0
    account A limit=1000
    card    a of=A
    0200 a ${fee > 0 ? 'cash' : 'purchase'} 400 stan=1 net=N1               | 00 | ${400 + fee} | 0 | ${600 - fee}
    dispute A 400 of=4 ref=D                                  | ok | ${fee} | 0 | ${1000 - fee}
    step 5 chargeback amount=400 interchange=4 sub=1/20000/1  | ok | ${fee} | 0 | ${1000 - fee}
    step 5 win                                                | ok | 0 | 0 | 1000
    ${lines}
    `,
      finds(`amount_mismatch given_back_twice ${beyond}`),
    );
  for (const [what, part, refund, beyond] of [
    ['names its sequence', 'seq=2/2', 'refund 30000 seq=2/2', 30_000],
    ['is of its amount', 'seq=2/2', 'refund 30000', 30_000],
    ['names the other one', 'seq=2/2', 'refund 10000 seq=1/2', 0],
  ] as const)
    scenario(
      `as one of several presentments with one reference is given back twice by a refund that ${what}`,
      `
    account A limit=100000
    card    a of=A
    0100 a purchase 40000 stan=1 net=N1                         | 00 | 0 | 40000 | 60000
    clear a purchase 10000 net=N1 arn=P seq=1/2                 | posted networkId | 10000 | 30000 | 60000
    clear a purchase 30000 net=N1 arn=P ${part}                 | posted networkId | 40000 | 0 | 60000
    dispute A 30000 of=5 ref=D                                  | ok | 10000 | 0 | 90000
    step 6 write_off                                            | ok | 10000 | 0 | 90000
    clear a ${refund} arn=P                                     | posted arn | ${beyond > 0 ? -20_000 : 0} | 0 | ${beyond > 0 ? 120_000 : 100_000}
    `,
      finds(...(beyond > 0 ? [`amount_mismatch given_back_twice ${beyond}`] : [])),
    );
  scenario(
    'as one of several shipments is given back twice by its reversal, and not by that of another one',
    `
    account A limit=1000
    card    a of=A
    0100 a purchase 500 stan=1 net=N1                         | 00 |   0 | 500 |  500
    0220 a purchase 200 stan=2 net=N2 orig=N1 fn=I            | 00 | 200 | 300 |  500
    0220 a purchase 300 stan=3 net=N3 orig=N1 fn=I            | 00 | 500 |   0 |  500
    dispute A 200 of=4 ref=D                                  | ok | 300 |   0 |  700
    step 6 write_off                                          | ok | 300 |   0 |  700
    0400 a stan=4 orig=N3                                     | 00 |   0 |   0 | 1000
    0400 a stan=5 orig=N2                                     | 00 |   0 |   0 | 1000
    `,
    finds('amount_mismatch given_back_twice 200'),
  );
  scenario(
    'that began before the records that are read is given back twice all the same',
    `${won('4')}
    clear a refund 10000 arn=P                                  | posted arn  | -10000 | 0 | 110000
    `,
    (run) => {
      const dispute = run.book.history.events.findIndex((event) => 'entry' in event && event.entry === 6);
      const { breaks } = reconcile(run.book, [], Math.floor(run.nowMs / DAY_MS), undefined, [], dispute + 1);
      const found = breaks.filter(({ reason }) => reason === 'given_back_twice');
      expect(found.map(({ amount }) => amount)).toEqual([10_000n]);
    },
  );
  for (const [what, lines] of [
    ['presentment', `${won('4')}\n    clear a purchase 40000 arn=P back       | posted arn  |      0 | 0 | 100000`],
    [
      'single message',
      `
    account A limit=100000
    card    a of=A
    0200 a purchase 40000 stan=1 net=N1              | 00 | 40000 | 0 | 60000
    dispute A 40000 of=3 ref=D                       | ok |     0 | 0 | 100000
    step 4 write_off                                 | ok |     0 | 0 | 100000
    0400 a stan=2 orig=N1                            | 00 |     0 | 0 | 100000`,
    ],
  ] as const)
    scenario(
      `and that ended before the records that are read is given back twice by the reversal of its ${what}`,
      `${lines}
    `,
      (run) => {
        const end = run.book.history.events.findIndex((event) => 'ended' in event && event.ended !== undefined);
        const { breaks } = reconcile(run.book, [], Math.floor(run.nowMs / DAY_MS), undefined, [], end + 1);
        const found = breaks.filter(({ reason }) => reason === 'given_back_twice');
        expect(found.map(({ amount }) => amount)).toEqual([40_000n]);
      },
    );
  scenario(
    'is given back twice by its reversal',
    `${won('4')}
    clear a purchase 40000 arn=P back                           | posted arn  |      0 | 0 | 100000
    `,
    finds('amount_mismatch given_back_twice 40000'),
  );
});
