/**
 * The scenarios that the project promises, each under its name and with code, posted, held and available after every step. The
 * edges of each are in the other files of this folder.
 */
import { describe, expect, Scenario, scenario, test } from './runner.js';

const PROMISED = [
  ['purchase', 'decline and retry', 'repeat', 'increments', 'declined increment', 'partial approval'],
  ['partial reversal, then a clearing-sized completion', 'reversal before its original', 'reversal after expiry'],
  ['hotel, thirty days', 'fuel', 'tips', 'refund authorization', 'stand-in advice above the limit'],
  ['single-message withdrawal', 'cash limits', "velocity at a window's edge", 'days with a change of the clocks'],
  ['29 February', 'change of the year in DE7', 'yen and dinars', 'replaced card', 'frozen account', 'hot-listed card'],
  ['totals in and out of balance', 'reversal across the cutover', 'repeat of a reversed approval'],
  ['reversed withdrawal', 'partial approval in a foreign currency', 'DE95 after a partial clearing'],
  ['cancelled tomorrow, against the daily limit', 'network token paused while its card is active'],
].flat();

/** Lines that move money, or could: each must say what it leaves. */
const STEP = /^(\d{4}|undelivered|sweep|pay|limit)\b/;
const told: string[] = [];

/** A scenario of the list. */
function promise(name: string, table: string, check?: (run: Scenario) => void): void {
  told.push(name);
  for (const raw of table.split('\n')) {
    const line = raw.replace(/#.*/, '').trim();
    if (STEP.test(line) && line.split('|').length !== 5) throw new Error(`${name}: what does this leave? ${line}`);
  }
  scenario(name, table, check);
}

describe('authorizations', () => {
  promise(
    'purchase',
    `
    account A limit=100000
    card a
    0100 a purchase 30000 stan=1 mcc=5411           | 00 |     0 | 30000 |  70000
    hold 3                                          | 30000 of 30000
    0220 a purchase 30000 stan=2 rrn=1              | 00 | 30000 |     0 |  70000
    pay A 30000                                     | ok |     0 |     0 | 100000
  `,
  );

  promise(
    'decline and retry',
    `
    account A limit=1000
    card a
    0100 a purchase 1500 stan=1 rrn=77              | 51 | 0 |    0 | 1000
    0101 a purchase 1500 stan=1 rrn=77              | 51= | 0 |   0 | 1000
    pay A 500                                       | ok | -500 | 0 | 1500
    0100 a purchase 1500 stan=1 rrn=77              | 51= | -500 | 0 | 1500
    0101 a purchase 1500 stan=1 rrn=77              | 51= | -500 | 0 | 1500   # the repeat keeps its decline
    0100 a purchase 1500 stan=2 rrn=77              | 00 | -500 | 1500 | 0    # the retry is a message of its own
    0400 a stan=3 rrn=77                            | 00 | -500 |    0 | 1500
  `,
  );

  promise(
    'repeat',
    `
    account A limit=1000
    card a
    0100 a purchase 600 stan=1                      | 00  | 0 | 600 | 400
    0101 a purchase 600 stan=1                      | 00= | 0 | 600 | 400
    0100 a purchase 600 stan=1                      | 00= | 0 | 600 | 400
    0101 a purchase 601 stan=1                      | 94  | 0 | 600 | 400
    wait 23h
    0101 a purchase 600 stan=1 de7=520120000        | 00= | 0 | 600 | 400
    wait 2h
    0101 a purchase 400 stan=1 de7=520120000        | 00  | 0 | 1000 |  0   # the window is over: a new one
  `,
    (run) => {
      const codes = [3, 4, 5, 8].map((line) => run.outcomes.get(line)!.approvalCode);
      expect(new Set(codes).size).toBe(1);
      expect(codes[0]).toMatch(/^\d{6}$/);
      // Account, card, the approval, the refused amount and the new one: repeats leave nothing.
      expect(run.book.history.events).toHaveLength(5);
    },
  );

  promise(
    'increments',
    `
    account A limit=1000
    card a
    0100 a purchase 300 stan=1 fn=E                 | 00  | 0 | 300 | 700
    0100 a purchase 200 stan=2 fn=I rrn=1           | 00  | 0 | 500 | 500
    0101 a purchase 200 stan=2 fn=I rrn=1           | 00= | 0 | 500 | 500
    0100 a purchase 500 stan=3 fn=I rrn=1           | 00  | 0 | 1000 |  0
    hold 3                                          | 1000 of 1000
    0220 a purchase 950 stan=4 rrn=1                | 00  | 950 |  0 | 50
  `,
  );

  promise(
    'declined increment',
    `
    account A limit=1000
    card a
    0100 a purchase 600 stan=1                      | 00 | 0 |  600 | 400
    wait 1d
    0100 a purchase 401 stan=2 fn=I rrn=1           | 51 | 0 |  600 | 400
    hold 3                                          | 600 of 600
    ends 3                                          | 6d
    0420 a stan=3 rrn=- de90=100/2/521120000/12345/-  | 00 | 0 | 600 | 400
    0100 a purchase 400 stan=4 fn=I rrn=1           | 00 | 0 | 1000 |  0
  `,
  );

  promise(
    'partial approval',
    `
    account A limit=1000
    card a
    0100 a purchase 1500 stan=1                     | 51 | 0 |    0 | 1000   # the terminal cannot
    0100 a purchase 1500 stan=2 partial             | 10 | 0 | 1000 |    0
    0101 a purchase 1500 stan=2 partial             | 10= | 0 | 1000 |   0
    0100 a purchase 1 stan=3 partial                | 51 | 0 | 1000 |    0   # nothing is available
    0400 a stan=4 rrn=2                             | 00 | 0 |    0 | 1000
    0100 a cash 1500 stan=5 partial                 | 51 | 0 |    0 | 1000   # never of cash
  `,
  );

  promise(
    'partial approval in a foreign currency',
    `
    account A limit=3000
    card a
    0100 a purchase 1000 cur=840 bill=5005/986 stan=1 partial   | 10 |    0 | 3000 |    0   # 599 of 1000 dollars
    0400 a stan=2 rrn=1 de95=599 cur=840                        | 00 |    0 | 3000 |    0   # all that was approved
    0400 a stan=3 rrn=1 de95=200 cur=840                        | 00 |    0 | 1001 | 1999
    0220 a purchase 200 cur=840 bill=1001/986 stan=4 rrn=1      | 00 | 1001 |    0 | 1999
  `,
  );

  promise(
    'refund authorization',
    `
    account A limit=1000
    card a
    0200 a purchase 800 stan=1                      | 00 | 800 | 0 |  200
    0100 a refund 300 stan=2 mode=51                | 00 | 800 | 0 |  200   # nothing moves until it is posted
    hold 4                                          | 0 of 300
    0220 a refund 300 stan=3 rrn=2                  | 00 | 500 | 0 |  500
    0100 a refund 100 stan=4 mode=51                | 00 | 500 | 0 |  500
    wait 5d
    sweep                                           | 1  | 500 | 0 |  500   # one that never comes ends
  `,
  );

  promise(
    'stand-in advice above the limit',
    `
    account A limit=1000
    card a
    0120 a purchase 1500 stan=1 why=S de38=123456   | 00 | 0 | 1500 | -500
    0100 a purchase 1 stan=2                        | 51 | 0 | 1500 | -500
    0121 a purchase 1500 stan=1 why=S de38=123456   | 00= | 0 | 1500 | -500
    0120 a purchase 700 stan=3 why=D                | 00 | 0 | 1500 | -500   # declined for us
    0420 a stan=4 rrn=1                             | 00 | 0 |    0 | 1000
  `,
  );
});

describe('reversals', () => {
  promise(
    'partial reversal, then a clearing-sized completion',
    `
    account A limit=1000
    card a
    0100 a purchase 500 stan=1                      | 00 |   0 | 500 | 500
    0400 a stan=2 rrn=1 de95=300                    | 00 |   0 | 300 | 700
    0401 a stan=2 rrn=1 de95=300                    | 00= |  0 | 300 | 700
    0120 a purchase 320 stan=3 rrn=1 why=C          | 00 |   0 | 320 | 680
    0220 a purchase 320 stan=4 rrn=1                | 00 | 320 |   0 | 680
    hold 3                                          | 0 of 320
  `,
  );

  promise(
    'reversal before its original',
    `
    account A limit=1000
    card a
    0420 a 100 stan=9 rrn=- de90=100/1/520120000/00000012345/-   | 00 | 0 |   0 | 1000
    0421 a 100 stan=9 rrn=- de90=100/1/520120000/00000012345/-   | 00= | 0 |  0 | 1000
    wait 1m
    0100 a purchase 100 stan=1 de7=520120000                     | 68 | 0 |   0 | 1000
    0101 a purchase 100 stan=1 de7=520120000                     | 68= | 0 |  0 | 1000
    0100 a purchase 100 stan=2                                   | 00 | 0 | 100 |  900
    0420 a 50 stan=8 rrn=- de90=120/7/520120100/00000012345/-    | 00 | 0 | 100 |  900
    0120 a purchase 50 stan=7 why=S                              | 00 | 0 | 100 |  900   # an advice is accepted, and holds none
  `,
  );

  promise(
    'reversal after expiry',
    `
    account A limit=1000
    card a
    0100 a purchase 400 stan=1 mode=51              | 00 | 0 | 400 |  600
    0100 a purchase 100 stan=2 mode=81              | 00 | 0 | 500 |  500
    wait 5d
    sweep                                           | 1  | 0 | 100 |  900
    0400 a stan=3 rrn=1                             | 00 | 0 | 100 |  900   # nothing to release, and no other hold
    0220 a purchase 400 stan=4 rrn=1                | 00 | 400 | 100 | 500   # a late posting still posts
  `,
  );

  promise(
    'repeat of a reversed approval',
    `
    account A limit=1000
    card a
    0100 a purchase 500 stan=1                      | 00 | 0 | 500 |  500
    0400 a stan=2 rrn=1 de95=200                    | 00 | 0 | 200 |  800
    0101 a purchase 500 stan=1                      | 00= | 0 | 200 | 800   # a part stands
    0400 a stan=3 rrn=1                             | 00 | 0 |   0 | 1000
    0101 a purchase 500 stan=1                      | 68 | 0 |   0 | 1000
    0100 a purchase 500 stan=4                      | 00 | 0 | 500 |  500
    undelivered 8                                   | ok | 0 |   0 | 1000
    0101 a purchase 500 stan=4                      | 68 | 0 |   0 | 1000
  `,
  );

  promise(
    'reversal across the cutover',
    `
    account A limit=1000
    card a
    0200 a purchase 300 stan=1 date=2026-05-20      | 00 | 300 | 0 |  700
    0200 a purchase 200 stan=2 date=2026-05-21      | 00 | 500 | 0 |  500
    0420 a 300 stan=3 rrn=1 date=2026-05-21         | 00 | 200 | 0 |  800
    totals 2026-05-20                               | debits 1 300
    totals 2026-05-21                               | debits 1 200, debit reversals 1 300
    0500 date=2026-05-20 76=1 88=300 97=-300        | 00 | 200 | 0 |  800
    0500 date=2026-05-21 76=1 77=1 88=200 89=300 97=100 | 00 | 200 | 0 | 800
  `,
  );

  promise(
    'DE95 after a partial clearing',
    `
    account A limit=1000
    card a
    0100 a purchase 500 stan=1                                       | 00 |   0 | 500 | 500
    0220 a purchase 200 stan=2 rrn=1 fn=I                            | 00 | 200 | 300 | 500   # a part is posted
    hold 3                                                           | 300 of 500
    0400 a stan=3 rrn=- de90=100/1/520120000/12345/- de95=400        | 00 | 200 | 200 | 600   # 400 - 200 stay held
    hold 3                                                           | 200 of 400
    0400 a stan=4 rrn=- de90=100/1/520120000/12345/- de95=450        | 00 | 200 | 200 | 600   # never upward
    0400 a stan=5 rrn=- de90=100/1/520120000/12345/- de95=150        | 00 | 200 |   0 | 800   # below what is posted: that stays
    hold 3                                                           | 0 of 200
    0400 a stan=6 rrn=- de90=100/1/520120000/12345/-                 | 00 | 200 |   0 | 800
  `,
  );
});

describe('amounts that become final later', () => {
  promise(
    'hotel, thirty days',
    `
    account A limit=5000
    card a
    0100 a purchase 1000 stan=1 fn=E mcc=7011       | 00 |    0 | 1000 | 4000
    wait 29d
    sweep                                           | 0  |    0 | 1000 | 4000
    0100 a purchase 500 stan=2 fn=I mcc=7011 rrn=1  | 00 |    0 | 1500 | 3500
    ends 3                                          | 30d
    wait 29d
    0220 a purchase 1400 stan=3 mcc=7011 rrn=1      | 00 | 1400 |    0 | 3600
    0100 a purchase 800 stan=4 mcc=7011             | 00 | 1400 |  800 | 2800
    wait 30d
    sweep                                           | 2  | 1400 |    0 | 3600
  `,
  );

  promise(
    'fuel',
    `
    program fuel=17500
    account A limit=50000
    card a
    0100 a purchase 100 stan=1 mcc=5542             | 00 |    0 | 17500 | 32500   # the status check of one unit
    ends 4                                          | 2d
    0120 a purchase 6340 stan=2 rrn=1 mcc=5542 why=C | 00 |   0 |  6340 | 43660
    0120 a purchase 9900 stan=3 rrn=1 mcc=5542 why=C | 00 |   0 |  6340 | 43660   # once: this one is recorded
    kind 7                                          | advice
    0220 a purchase 6340 stan=4 rrn=1 mcc=5542      | 00 | 6340 |     0 | 43660
    0120 a purchase 9900 stan=6 rrn=1 mcc=5542 why=C | 00 | 6340 |    0 | 43660
    0100 a purchase 100 stan=5 mcc=5542             | 00 | 6340 | 17500 | 26160
    wait 2d
    sweep                                           | 2  | 6340 |     0 | 43660
  `,
  );

  promise(
    'tips',
    `
    account A limit=10000
    card a
    0100 a purchase 10000 stan=1 mcc=5812           | 00 |     0 | 10000 |     0
    0120 a purchase 12000 stan=2 rrn=1 mcc=5812 why=C | 00 |   0 | 12000 | -2000   # above what is available
    hold 3                                          | 12000 of 12000
    0220 a purchase 12000 stan=3 rrn=1 mcc=5812     | 00 | 12000 |     0 | -2000
  `,
  );
});

describe('cash', () => {
  promise(
    'single-message withdrawal',
    `
    program fee=250+200
    account A limit=10000
    card a
    0200 a cash 5000 stan=1 mode=51                 | 00 | 5350 | 0 | 4650
    legs 4                                          | 1110 +5000, 1120 +350, 2100 -5000, 4300 -350
    0201 a cash 5000 stan=1 mode=51                 | 00= | 5350 | 0 | 4650
    0200 a cash 4500 stan=2 mode=51                 | 51 | 5350 | 0 | 4650   # its fee does not fit
  `,
  );

  promise(
    'reversed withdrawal',
    `
    program fee=250+0
    account A limit=10000
    card a
    0200 a cash 5000 stan=1                         | 00 | 5250 | 0 |  4750
    0420 a 5000 stan=2 rrn=1 de95=2000              | 00 | 2250 | 0 |  7750   # the machine gave 2000: the fee stays
    0420 a 5000 stan=3 rrn=1                        | 00 |    0 | 0 | 10000
    0421 a 5000 stan=3 rrn=1                        | 00= |   0 | 0 | 10000
    0201 a cash 5000 stan=1                         | 68 |    0 | 0 | 10000
    totals 2026-05-20                               | debits 1 5000, debit reversals 2 5000
  `,
  );

  promise(
    'cash limits',
    `
    account A limit=100000
    card a
    controls a {"cash":{"per_transaction":500,"velocity":[{"window":"day","amount":800,"count":3}]}}
    0100 a cash 501 stan=1                          | 61 | 0 |    0 | 100000
    0100 a cash 500 stan=2                          | 00 | 0 |  500 |  99500
    0100 a cashback 1000 back=301 stan=3            | 61 | 0 |  500 |  99500
    0100 a cashback 1000 back=200 stan=4            | 00 | 0 | 1500 |  98500
    0100 a purchase 1000 stan=5                     | 00 | 0 | 2500 |  97500   # no cash in it
    0100 a cash 50 stan=6                           | 00 | 0 | 2550 |  97450
    0100 a cash 10 stan=7                           | 65 | 0 | 2550 |  97450   # the fourth of the day
  `,
  );
});

describe('limits and their windows', () => {
  promise(
    "velocity at a window's edge",
    `
    account A limit=100000
    card a
    controls a {"velocity":[{"window":"day","amount":1000},{"window":"trailing","seconds":150,"count":2}]}
    at 2026-05-20T23:59:59.998
    0100 a purchase 1000 stan=1                     | 00 | 0 | 1000 | 99000
    at 2026-05-20T23:59:59.999
    0100 a purchase 1 stan=2                        | 61 | 0 | 1000 | 99000   # the last millisecond of the day
    at 2026-05-21T00:00:00.000
    0100 a purchase 1 stan=3                        | 00 | 0 | 1001 | 98999   # the first of the next
    0100 a purchase 1 stan=4                        | 65 | 0 | 1001 | 98999
    at 2026-05-21T00:02:29.999
    0100 a purchase 1 stan=5                        | 65 | 0 | 1001 | 98999   # 150 s: the bucket of the first is in it yet
    at 2026-05-21T00:02:30.000
    0100 a purchase 1 stan=6                        | 00 | 0 | 1002 | 98998
  `,
  );

  promise(
    'cancelled tomorrow, against the daily limit',
    `
    account A limit=100000
    card a
    controls a {"velocity":[{"window":"day","amount":1000}]}
    0100 a purchase 1000 stan=1                     | 00 | 0 | 1000 |  99000
    at 2026-05-21T09:00:00
    0100 a purchase 700 stan=2                      | 00 | 0 | 1700 |  98300
    0400 a stan=3 rrn=1                             | 00 | 0 |  700 |  99300   # gives yesterday back, and today nothing
    0100 a purchase 301 stan=4                      | 61 | 0 |  700 |  99300
    0400 a stan=5 rrn=2                             | 00 | 0 |    0 | 100000
    0100 a purchase 1000 stan=6                     | 00 | 0 | 1000 |  99000
  `,
  );

  promise(
    'days with a change of the clocks',
    `
    account A limit=100000
    card a
    controls a {"velocity":[{"window":"day","amount":1000,"zone":"America/New_York"}]}
    at 2026-03-08T04:59:59                                    # 23:59:59 of the 7th
    0100 a purchase 1000 stan=1                     | 00 | 0 | 1000 | 99000
    at 2026-03-08T05:00:00                                    # the 8th begins: it has 23 hours
    0100 a purchase 1000 stan=2                     | 00 | 0 | 2000 | 98000
    at 2026-03-09T03:59:59
    0100 a purchase 1 stan=3                        | 61 | 0 | 2000 | 98000
    at 2026-03-09T04:00:00                                    # 23 hours later
    0100 a purchase 1000 stan=4                     | 00 | 0 | 3000 | 97000
    at 2026-11-01T04:00:00                                    # the 1st begins: it has 25 hours
    0100 a purchase 1000 stan=5                     | 00 | 0 | 4000 | 96000
    at 2026-11-02T04:59:59
    0100 a purchase 1 stan=6                        | 61 | 0 | 4000 | 96000
    at 2026-11-02T05:00:00
    0100 a purchase 1000 stan=7                     | 00 | 0 | 5000 | 95000
  `,
  );
});

describe('dates and currencies', () => {
  promise(
    '29 February',
    `
    account A limit=1000
    card a expiry=3112
    at 2028-02-28T23:59:59
    0100 a purchase 100 stan=1 mode=51              | 00 | 0 | 100 | 900
    at 2028-02-29T00:00:01
    0101 a purchase 100 stan=1 mode=51 de7=228235959 | 00= | 0 | 100 | 900
    0100 a purchase 200 stan=2 mode=51              | 00 | 0 | 300 | 700
    ends 7                                          | 5d
    at 2028-03-01T00:00:00
    0101 a purchase 200 stan=2 mode=51 de7=229000001 | 00= | 0 | 300 | 700
    0420 a 200 stan=3 rrn=- de90=100/2/229000001/12345/- | 00 | 0 | 100 | 900
    at 2028-03-05T00:00:00
    sweep                                           | 1  | 0 |   0 | 1000
    at 2029-02-28T12:00:00
    0100 a purchase 300 stan=4 de7=230120000        | 30 | 0 |   0 | 1000   # no such day in any year
  `,
  );

  promise(
    'change of the year in DE7',
    `
    account A limit=1000
    card a
    at 2026-12-31T23:59:58
    0100 a purchase 100 stan=1                      | 00  | 0 | 100 | 900
    at 2027-01-01T00:00:03
    0101 a purchase 100 stan=1 de7=1231235958       | 00= | 0 | 100 | 900
    0101 a purchase 100 stan=1                      | 00= | 0 | 100 | 900   # with the DE7 of now, within ten minutes
    0100 a purchase 200 stan=2 de7=1231235959       | 00  | 0 | 300 | 700   # sent last year
    0420 a stan=9 rrn=- de90=100/1/1231235958/12345/-   | 00 | 0 | 200 | 800
    0420 a stan=10 rrn=- de90=100/2/1231235959/12345/-  | 00 | 0 |   0 | 1000
  `,
  );

  promise(
    'yen and dinars',
    `
    account J limit=50000 cur=392
    card j
    0100 j purchase 49999 stan=1 cur=392            | 00 | 0 | 49999 |     1
    0100 j purchase 2 stan=2 cur=392                | 51 | 0 | 49999 |     1
    0220 j purchase 49999 stan=3 cur=392 rrn=1      | 00 | 49999 | 0 |     1
    account K limit=1000 cur=414
    card k
    0100 k purchase 999 stan=4 cur=414              | 00 | 0 |   999 |     1   # 0.999 dinars
    0400 k stan=5 cur=414 rrn=4 de95=1              | 00 | 0 |     1 |   999
    0100 k purchase 100 stan=6 cur=392 bill=207/414 | 00 | 0 |   208 |   792   # 100 yen
    0400 k stan=7 cur=392 rrn=6 de95=50             | 00 | 0 |   105 |   895   # 103.5 fils, half up
  `,
  );
});

describe('cards, tokens and accounts', () => {
  promise(
    'replaced card',
    `
    account A limit=100000
    card a
    controls a {"velocity":[{"window":"day","amount":1000}]}
    0100 a purchase 700 stan=1                      | 00 | 0 |  700 | 99300
    status a lost
    card b of=A replaces=a
    controls b {"velocity":[{"window":"day","amount":1000}]}
    0100 a purchase 100 stan=2                      | 41 | 0 |  700 | 99300
    0100 b purchase 301 stan=3                      | 61 | 0 |  700 | 99300   # the limit follows the chain
    0100 b purchase 300 stan=4                      | 00 | 0 | 1000 | 99000
    0400 a stan=5 rrn=1                             | 00 | 0 |  300 | 99700   # the old card's holds are its own
  `,
  );

  promise(
    'frozen account',
    `
    account A limit=1000
    card a
    0100 a purchase 400 stan=1                      | 00 |   0 | 400 |  600
    status A frozen
    0100 a purchase 100 stan=2                      | 62 |   0 | 400 |  600
    0101 a purchase 400 stan=1                      | 00= |  0 | 400 |  600
    0220 a purchase 400 stan=3 rrn=1                | 00 | 400 |   0 |  600   # what was approved is posted
    0420 a stan=4 rrn=1                             | 00 |   0 |   0 | 1000
    status A open
    0100 a purchase 100 stan=5                      | 00 |   0 | 100 |  900
  `,
  );

  promise(
    'hot-listed card',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1                      | 00 | 0 | 100 | 900
    0302 a stan=2 file=1 listing=62                 | 00 | 0 | 100 | 900
    0100 a purchase 100 stan=3                      | 62 | 0 | 100 | 900
    0302 a stan=4 file=3                            | 00 | 0 | 100 | 900
    0100 a purchase 100 stan=5                      | 00 | 0 | 200 | 800
    status a paused
    0302 a stan=6 file=3                            | 00 | 0 | 200 | 800
    0100 a purchase 100 stan=7                      | 62 | 0 | 200 | 800   # our own pause is not the network's to lift
    0302 a stan=8 file=1 listing=41                 | 00 | 0 | 200 | 800
    0100 a purchase 100 stan=9                      | 41 | 0 | 200 | 800
    0302 a stan=10 file=3                           | 21 | 0 | 200 | 800
    0400 a stan=11 rrn=1                            | 00 | 0 | 100 | 900
  `,
  );

  promise(
    'network token paused while its card is active',
    `
    account A limit=1000
    card a
    token t for=a
    0100 t purchase 100 stan=1                      | 00 | 0 | 100 | 900
    status t paused
    0100 t purchase 100 stan=2                      | 62 | 0 | 100 | 900
    0100 a purchase 100 stan=3                      | 00 | 0 | 200 | 800
    0400 t stan=4 rrn=1                             | 00 | 0 | 100 | 900
    status t active
    0100 t purchase 100 stan=5                      | 00 | 0 | 200 | 800
  `,
  );
});

describe('acquirers', () => {
  promise(
    'totals in and out of balance',
    `
    account A limit=1000
    card a
    0200 a purchase 300 stan=1                      | 00 | 300 | 0 | 700
    0200 a purchase 900 stan=2                      | 51 | 300 | 0 | 700
    0200 a refund 50 stan=3                         | 00 | 250 | 0 | 750
    0400 a 300 stan=4 rrn=1 de95=200                | 00 | 150 | 0 | 850
    0500 date=2026-05-20 74=1 76=1 77=1 86=50 88=300 89=100 97=-150 | 00 | 150 | 0 | 850
    0500 date=2026-05-20 76=2 88=1200               | 95 | 150 | 0 | 850   # the declined one counts nowhere
    0500 date=2026-05-20 97=-150                    | 00 | 150 | 0 | 850   # what is not sent is not compared
    0500 date=2026-05-20 97=-150 acquirer=99        | 95 | 150 | 0 | 850
    0500 date=2026-05-21 76=0 88=0                  | 00 | 150 | 0 | 850
  `,
  );
});

test('every scenario of the list is told, once', () => {
  expect([...told].sort()).toEqual([...PROMISED].sort());
});

test('a step that does not say what it leaves is refused, and a wrong balance fails', () => {
  expect(() => promise('none', '0100 a purchase 1 | 00')).toThrow(/what does this leave/);
  told.pop();
  const run = new Scenario();
  for (const line of ['account A limit=10', 'card a']) run.run(line.split(' '), 1);
  expect([run.run('0100 a purchase 4'.split(' '), 3), ...run.balances()]).toEqual(['00', 0, 4, 6]);
});
