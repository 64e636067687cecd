/** Single messages (0200): decided like an authorization, and posted at once. Cash costs the program's fee. */
import { describe, expect, scenario } from './runner.js';

describe('purchases that post', () => {
  scenario(
    'debit the receivable, credit the network; nothing is held',
    `
    account A limit=1000
    card a
    0200 a purchase 300 stan=1                      | 00 | 300 | 0 | 700
    legs 3                                          | 1100 +300, 2100 -300
    hold 3                                          | none
    0201 a purchase 300 stan=1                      | 00= | 300 | 0 | 700
    0200 a purchase 701 stan=2                      | 51 | 300 | 0 | 700
    0200 a purchase 800 stan=3 partial              | 10 | 1000 | 0 |  0
    legs 8                                          | 1100 +700, 2100 -700
    0200 a verify stan=4                            | 85 | 1000 | 0 |  0
    0200 a inquiry stan=5                           | 00 | 1000 | 0 |  0
  `,
  );

  scenario(
    'a reversal posts the mirror; a repeat of the reversed one is answered 68',
    `
    account A limit=1000
    card a
    0200 a purchase 300 stan=1                      | 00 | 300 | 0 | 700
    0400 a stan=2 rrn=1                             | 00 |   0 | 0 | 1000
    legs 4                                          | 1100 -300, 2100 +300
    0401 a stan=2 rrn=1                             | 00= |  0 | 0 | 1000
    0420 a stan=3 rrn=1                             | 00 |   0 | 0 | 1000   # another of the same: no second mirror
    0201 a purchase 300 stan=1                      | 68 |   0 | 0 | 1000
  `,
  );

  scenario(
    'in part down to DE95, never up again, and then the rest',
    `
    account A limit=1000
    card a
    0200 a purchase 300 stan=1                      | 00 | 300 | 0 | 700
    0400 a stan=2 rrn=1 de95=400                    | 00 | 300 | 0 | 700   # more than was posted
    legs 4                                          | none
    0400 a stan=3 rrn=1 de95=200                    | 00 | 200 | 0 | 800
    0201 a purchase 300 stan=1                      | 00= | 200 | 0 | 800
    0400 a stan=4 rrn=1 de95=250                    | 00 | 200 | 0 | 800
    0400 a stan=5 rrn=1                             | 00 |   0 | 0 | 1000
  `,
  );

  scenario(
    'of one that was not delivered: posted back, its late reversal finds nothing',
    `
    account A limit=1000
    card a
    0200 a purchase 300 stan=1                      | 00 | 300 | 0 | 700
    undelivered 3                                   | ok |   0 | 0 | 1000
    0400 a stan=2 rrn=1                             | 00 |   0 | 0 | 1000
    0201 a purchase 300 stan=1                      | 68 |   0 | 0 | 1000
  `,
  );

  scenario(
    'in another currency: DE6 posts; partial approval and partial reversal at the rate of the message',
    `
    account A limit=3000
    card a
    0200 a purchase 1000 cur=840 bill=5005/986 partial stan=1   | 10 | 3000 | 0 |    0
    0400 a stan=2 rrn=1 de95=599 cur=840                        | 00 | 3000 | 0 |    0   # just what was approved
    0400 a stan=3 rrn=1 de95=200 cur=840                        | 00 | 1001 | 0 | 1999   # 200 x 5005 / 1000
    0400 a stan=4 rrn=1 de95=100 cur=840                        | 00 |  501 | 0 | 2499   # 500.5, half up
  `,
    (run) => {
      // floor(1000 x 3000 / 5005) = 599
      expect(run.outcomes.get(3)!.facts).toMatchObject({ partialAmount: 599, partialBillingAmount: 3000 });
    },
  );
});

describe('cash at a machine', () => {
  scenario(
    'posts cash and the fee; both must fit; there is no partial approval',
    `
    program fee=250+200                                        # 2.50 and 2 %
    account A limit=10000
    card a
    0200 a cash 9000 stan=1 partial                 | 00 | 9430 | 0 |  570   # 9000 + 250 + 180
    legs 4                                          | 1110 +9000, 1120 +430, 2100 -9000, 4300 -430
    0200 a cash 570 stan=2 partial                  | 51 | 9430 | 0 |  570   # the fee of 261 does not fit
    0200 a cash 314 stan=3                          | 00 | 10000 | 0 |   0   # 314 + 250 + 6
    0100 a cash 1 stan=4                            | 51 | 10000 | 0 |   0
  `,
  );

  scenario(
    'an authorization of cash (0100) holds the amount, the fee comes with the posting',
    `
    program fee=250+0
    account A limit=1000
    card a
    0100 a cash 800 stan=1                          | 00 |    0 | 800 |  200
    0220 a cash 800 stan=2 rrn=1                    | 00 | 1050 |   0 |  -50
    legs 5                                          | 1110 +800, 1120 +250, 2100 -800, 4300 -250
  `,
  );

  scenario(
    'a full reversal gives a fixed fee back, a partial one keeps it',
    `
    program fee=250+0
    account A limit=1000
    card a
    0200 a cash 500 stan=1                          | 00 | 750 | 0 |  250
    0400 a stan=2 rrn=1 de95=200                    | 00 | 450 | 0 |  550
    legs 5                                          | 1110 -300, 2100 +300
    0400 a stan=3 rrn=1                             | 00 |   0 | 0 | 1000
    legs 7                                          | 1110 -200, 1120 -250, 2100 +200, 4300 +250
    0201 a cash 500 stan=1                          | 68 |   0 | 0 | 1000
  `,
  );

  scenario(
    'a partial reversal leaves the fee of the cash that stays: its fixed part, and the percentage of what stays',
    `
    program fee=250+33                                         # 2.50 and 0.33 %
    account A limit=100000
    card a
    0200 a cash 50000 stan=1                        | 00 | 50415 | 0 | 49585   # 250 + 165
    0400 a stan=2 rrn=1 de95=20500                  | 00 | 20818 | 0 | 79182   # 250 + 67.65, half a cent up
    legs 5                                          | 1110 -29500, 1120 -97, 2100 +29500, 4300 +97
    0401 a stan=2 rrn=1 de95=20500                  | 00= | 20818 | 0 | 79182
    0420 a stan=3 rrn=1 de95=20500                  | 00 | 20818 | 0 | 79182
    0420 a stan=4 rrn=1 de95=100                    | 00 |   350 | 0 | 99650   # 0.33 of a cent rounds to none
    0420 a stan=5 rrn=1                             | 00 |     0 | 0 | 100000
    legs 10                                         | 1110 -100, 1120 -250, 2100 +100, 4300 +250
  `,
  );

  scenario(
    'by a table that has changed since, no fee rises by a reversal, and none falls below zero',
    `
    program fee=0+100
    account A limit=100000
    card a
    0200 a cash 10000 stan=1                        | 00 | 10100 | 0 | 89900
    program fee=50+0
    0400 a stan=2 rrn=1 de95=5000                   | 00 |  5100 | 0 | 94900   # nothing of a fixed fee goes back
    program fee=0+5000
    0400 a stan=3 rrn=1 de95=2000                   | 00 |  2000 | 0 | 98000   # no more than there was
  `,
  );

  scenario(
    'a financial advice corrects the cash and its fee',
    `
    program fee=0+1000                                         # 10 %
    account A limit=1000
    card a
    0200 a cash 500 stan=1                          | 00 | 550 | 0 |  450
    0220 a cash 300 stan=2 rrn=1                    | 00 | 330 | 0 |  670   # the machine gave 300
    legs 5                                          | 1110 -200, 1120 -20, 2100 +200, 4300 +20
  `,
  );
});

describe('cash back, quasi-cash and account funding', () => {
  scenario(
    'cash back posts its own part; a partial reversal takes from the purchase first, a fixed fee stays',
    `
    program fee=100+0
    account A limit=20000
    card a
    0200 a cashback 15000 back=5000 stan=1          | 00 | 15100 | 0 |  4900
    legs 4                                          | 1100 +10000, 1110 +5000, 1120 +100, 2100 -15000, 4300 -100
    0400 a stan=2 rrn=1 de95=12000                  | 00 | 12100 | 0 |  7900
    legs 6                                          | 1100 -3000, 2100 +3000
    0400 a stan=3 rrn=1 de95=4000                   | 00 |  4100 | 0 | 15900
    legs 8                                          | 1100 -7000, 1110 -1000, 2100 +8000
    0400 a stan=4 rrn=1                             | 00 |     0 | 0 | 20000
  `,
  );

  scenario(
    'the fee of cash back stays as long as only the purchase goes back, and falls with the cash',
    `
    program fee=0+200
    account A limit=20000
    card a
    0200 a cashback 15000 back=5000 stan=1          | 00 | 15100 | 0 |  4900
    0400 a stan=2 rrn=1 de95=5000                   | 00 |  5100 | 0 | 14900
    legs 5                                          | 1100 -10000, 2100 +10000
    0400 a stan=3 rrn=1 de95=2000                   | 00 |  2040 | 0 | 17960
    legs 7                                          | 1110 -3000, 1120 -60, 2100 +3000, 4300 +60
  `,
  );

  scenario(
    'a partial approval is of the purchase and never pays cash back',
    `
    program fee=100+0
    account A limit=12000
    card a
    0100 a cashback 15000 back=5000 stan=1          | 51 |    0 |     0 | 12000
    0100 a cashback 15000 back=5000 stan=2 partial  | 10 |    0 | 10000 |  2000   # all of the purchase, no cash
    0200 a cashback 3000 back=2500 stan=3 partial   | 10 |  500 | 10000 |  1500
    legs 6                                          | 1100 +500, 2100 -500
    0200 a cashback 3000 back=3000 stan=4 partial   | 51 |  500 | 10000 |  1500   # nothing but cash
    0200 a cashback 3000 stan=5 partial             | 30 |  500 | 10000 |  1500   # who knows how much of it is cash
    0200 a cashback 3000 back=3001 stan=6           | 30 |  500 | 10000 |  1500
    0200 a cashback 1500 back=100 stan=7 partial    | 10 | 1900 | 10000 |   100   # 1500 fits, its fee does not
  `,
    (run) => {
      expect(run.outcomes.get(5)!.facts).toMatchObject({ partialAmount: 10_000, originalAmount: 15_000 });
      expect(run.outcomes.get(10)!.event.input.badField).toBe(54);
    },
  );

  scenario(
    'cash back in another currency is converted at the rate of the message, half a cent up',
    `
    account A limit=20000
    card a
    0200 a cashback 1000 back=333 cur=840 bill=5005/986 stan=1   | 00 | 5005 | 0 | 14995
    legs 3                                          | 1100 +3338, 1110 +1667, 2100 -5005   # 1666.67
  `,
  );

  scenario(
    'quasi-cash is cash: never in part, with the fee; account funding is a purchase that is never in part',
    `
    program fee=100+0
    account A limit=1000
    card a
    0200 a quasicash 300 stan=1                     | 00 | 400 | 0 | 600
    legs 4                                          | 1110 +300, 1120 +100, 2100 -300, 4300 -100
    0200 a quasicash 600 stan=2 partial             | 51 | 400 | 0 | 600
    0200 a funding 700 stan=3 partial               | 51 | 400 | 0 | 600
    0200 a funding 600 stan=4                       | 00 | 1000 | 0 |  0
    legs 8                                          | 1100 +600, 2100 -600
    pay A 500 ref=r                                 | ok | 500 | 0 | 500
    0100 a quasicash 500 stan=5                     | 00 | 500 | 500 | 0
    0400 a stan=6 rrn=5                             | 00 | 500 |   0 | 500
  `,
  );
});

describe('what the program forbids', () => {
  scenario(
    'is answered 57: a type that is served, and one that is not; anything else 12',
    `
    program forbid=11,17,40
    account A limit=1000
    card a
    0100 a quasicash 100 stan=1                     | 57 | 0 | 0 | 1000
    0200 a disbursement 100 stan=2                  | 57 | 0 | 0 | 1000
    0100 a 100 pc=400000 stan=3                     | 57 | 0 | 0 | 1000
    0100 a 100 pc=210000 stan=4                     | 12 | 0 | 0 | 1000
    0100 a cash 100 stan=5                          | 00 | 0 | 100 | 900
    why 6                                           | transactionTypeForbidden
    0120 a quasicash 100 stan=6 why=S               | 00 | 0 | 200 | 800   # the network has decided
  `,
  );

  scenario(
    'a program without partial approvals',
    `
    program partial=no
    account A limit=1000
    card a
    0100 a purchase 1500 stan=1 partial             | 51 | 0 | 0 | 1000
  `,
  );
});

describe('reversals that come first', () => {
  scenario(
    'a late single message is declined with 68 and posts nothing',
    `
    account A limit=1000
    card a
    0420 a stan=901 rrn=1                           | 00 | 0 | 0 | 1000
    0200 a purchase 300 stan=1                      | 68 | 0 | 0 | 1000
    legs 4                                          | none
    0420 a stan=902 rrn=- de90=200/2/520120000/00000012345/-   | 00 | 0 | 0 | 1000
    0100 a purchase 300 stan=2                      | 00 | 0 | 300 | 700   # another class than DE90 names
    0200 a purchase 300 stan=2                      | 68 | 0 | 300 | 700
  `,
  );
});
