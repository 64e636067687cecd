/** Credits to the card: refunds (20) and transfers (26, 28), announced by 0100 and posted by 0200. */
import { describe, scenario } from './runner.js';

describe('refund authorizations', () => {
  scenario(
    'hold nothing, need no funds, and end like a hold',
    `
    account A limit=1000
    card a
    0100 a purchase 1000 stan=1                     | 00 | 0 | 1000 | 0
    0100 a refund 300 stan=2 mode=51                | 00 | 0 | 1000 | 0
    kind 4                                          | refundAuthorization
    hold 4                                          | 0 of 300
    ends 4                                          | 5d
    0100 a credit 200 stan=3                        | 00 | 0 | 1000 | 0
    0100 a payment 200 stan=4                       | 00 | 0 | 1000 | 0
  `,
  );

  scenario(
    'reversed in part and in full; the repeat of a reversed one is answered 68',
    `
    account A limit=1000
    card a
    0100 a refund 300 stan=1                        | 00 | 0 | 0 | 1000
    0400 a stan=2 rrn=1 de95=100                    | 00 | 0 | 0 | 1000
    hold 3                                          | 0 of 100
    0400 a stan=3 rrn=1                             | 00 | 0 | 0 | 1000
    hold 3                                          | none
    0101 a refund 300 stan=1                        | 68 | 0 | 0 | 1000
  `,
  );

  scenario(
    'that was not delivered is gone',
    `
    account A limit=1000
    card a
    0100 a refund 300 stan=1                        | 00 | 0 | 0 | 1000
    undelivered 3                                   | ok | 0 | 0 | 1000
    hold 3                                          | none
    0101 a refund 300 stan=1                        | 68 | 0 | 0 | 1000
  `,
  );

  scenario(
    'the refund comes by 0220: posted once, the announcement is over',
    `
    account A limit=1000
    card a
    0200 a purchase 500 stan=1                      | 00 | 500 | 0 |  500
    0100 a refund 300 stan=2                        | 00 | 500 | 0 |  500
    0220 a refund 300 stan=3 rrn=2                  | 00 | 200 | 0 |  800
    legs 5                                          | 1100 -300, 2100 +300
    hold 4                                          | none
    0220 a refund 250 stan=4 rrn=2                  | 00 | 250 | 0 |  750   # corrected: the difference
  `,
  );

  const POSTED_FIRST = `
    account A limit=1000
    card a
    0200 a purchase 900 stan=1                      | 00 | 900 | 0 |  100
    0220 a refund 300 stan=2 rrn=9 net=N2           | 00 | 600 | 0 |  400
    0100 a refund 300 stan=3 rrn=9 net=N3           | 00 | 600 | 0 |  400   # credits nothing
    hold 5                                          | 0 of 300
  `;

  // Decision 0048.
  scenario(
    'announced after one of the same reference was posted: what names the posted one credits nothing more',
    `${POSTED_FIRST}
    0221 a refund 300 stan=2 rrn=9 net=N2 de7=0520120000  | 00= | 600 | 0 |  400
    clear a refund 300 net=N2                       | duplicate networkId | 600 | 0 | 400
  `,
  );

  scenario(
    'what names the announcement is a second refund',
    `${POSTED_FIRST}
    clear a refund 300 net=N3                       | posted networkId | 300 | 0 | 700
    clear a refund 300 net=N2                       | duplicate networkId | 300 | 0 | 700
  `,
  );

  scenario(
    'and so is what has the reference alone: it means the newer of the two, in a file and as an advice',
    `${POSTED_FIRST}
    clear a refund 300 rrn=9 terminal=T1            | posted rrn | 300 | 0 | 700
  `,
  );

  scenario(
    'by an advice as well; the repeat of that advice posts nothing',
    `${POSTED_FIRST}
    0220 a refund 300 stan=4 rrn=9                  | 00 | 300 | 0 | 700
    0221 a refund 300 stan=4 rrn=9                  | 00= | 300 | 0 | 700
  `,
  );

  scenario(
    'declines come before: a paused card gets no credit authorized',
    `
    account A limit=1000
    card a
    status a paused
    0100 a refund 300 stan=1                        | 62 | 0 | 0 | 1000
    0200 a refund 300 stan=2                        | 62 | 0 | 0 | 1000
  `,
  );
});

describe('refunds that post', () => {
  scenario(
    'go against what is owed for purchases; what is more becomes a credit balance',
    `
    account A limit=1000
    card a
    0200 a purchase 300 stan=1                      | 00 |  300 | 0 |  700
    0200 a refund 200 stan=2                        | 00 |  100 | 0 |  900
    legs 4                                          | 1100 -200, 2100 +200
    0200 a refund 500 stan=3                        | 00 | -400 | 0 | 1400
    legs 6                                          | 1100 -100, 2200 -400, 2100 +500
    0200 a refund 50 stan=4                         | 00 | -450 | 0 | 1450
    legs 8                                          | 2200 -50, 2100 +50
    0200 a purchase 1450 stan=5                     | 00 | 1000 | 0 |    0   # a credit balance can be spent
  `,
  );

  scenario(
    'cash that is owed is no debt for purchases',
    `
    account A limit=1000
    card a
    0200 a cash 300 stan=1                          | 00 |  300 | 0 |  700
    0200 a refund 200 stan=2                        | 00 |  100 | 0 |  900
    legs 4                                          | 2200 -200, 2100 +200
  `,
  );

  scenario(
    'their reversal takes the credit balance first, then the debt comes back',
    `
    account A limit=1000
    card a
    0200 a purchase 300 stan=1                      | 00 |  300 | 0 |  700
    0200 a refund 500 stan=2                        | 00 | -200 | 0 | 1200
    0400 a stan=3 rrn=2 de95=250                    | 00 |   50 | 0 |  950
    legs 5                                          | 1100 +50, 2200 +200, 2100 -250
    0400 a stan=4 rrn=2                             | 00 |  300 | 0 |  700
    legs 7                                          | 1100 +250, 2100 -250
    0201 a refund 500 stan=2                        | 68 |  300 | 0 |  700
  `,
  );

  scenario(
    'in the currency of the merchant: DE6 is credited',
    `
    account A limit=1000
    card a
    0200 a refund 100 cur=840 bill=515/986 stan=1   | 00 | -515 | 0 | 1515
  `,
  );
});
