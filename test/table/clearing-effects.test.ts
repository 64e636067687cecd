/** What clearing records post: cash, credits, reversals, suspense, currencies, interchange, velocity. Balances after each step, and legs. */
import { describe, scenario } from './runner.js';

describe('without an authorization', () => {
  scenario(
    'a force post: card closed, account closed, above the limit',
    `
    account A limit=1000
    card    a of=A
    status a closed
    status A closed
    clear a purchase 5000                        | posted none         |   5000 |     0 |  -4000
    posts 5                                      | 1100 +5000, 2100 -5000
    `,
  );
  scenario(
    'of an unknown card: to suspense',
    `
    account A limit=1000
    clear ? purchase 5000 settle=4000/840 fee=56 arn=A    | posted none unknownCard        |      0 |     0 |   1000
    posts 2                                      | 1390 +4000/840, 2100 -4000/840, 2100 +56/840, 4100 -56/840
    clear ? purchase 5000 settle=4000/840 fee=56 arn=A back    | posted arn unknownCard        |      0 |     0 |   1000
    posts 4                                      | 1390 -4000/840, 2100 +4000/840, 2100 -56/840, 4100 +56/840
    clear ? refund 700 arn=B                     | posted none unknownCard    |      0 |     0 |   1000
    posts 6                                      | 1390 -700, 2100 +700
    `,
  );
  scenario(
    'without an amount in the currency of the account: to suspense',
    `
    account A limit=1000
    card    a of=A
    clear a purchase 5000 cur=978 settle=5400/840 bill=5500/840 arn=A   | posted none otherCurrency    |      0 |     0 |   1000
    posts 3                                      | 1390 +5400/840, 2100 -5400/840
    clear a purchase 5000 cur=978 settle=5400/840 bill=5500/840 arn=A back   | posted arn otherCurrency    |      0 |     0 |   1000
    posts 5                                      | 1390 -5400/840, 2100 +5400/840
    `,
  );
});

describe('cash', () => {
  scenario(
    'an advance with its fee, and its reversal',
    `
    program fee=500+300
    account A limit=100000
    card    a of=A
    0100 a cash 20000 net=N1                     | 00                  |      0 | 20000 |  80000
    clear a cash 20000 net=N1 arn=A fee=150      | posted networkId    |  21100 |     0 |  78900
    posts 5                                      | 1110 +20000, 1120 +1100, 4300 -1100, 2100 -20000, 2100 -150, 5400 +150
    clear a cash 20000 net=N1 arn=A back fee=150 | posted arn          |      0 |     0 | 100000
    posts 7                                      | 1110 -20000, 1120 -1100, 4300 +1100, 2100 +20000, 2100 +150, 5400 -150
    hold 4                                       | none
    `,
  );
});

describe('cash back with a purchase', () => {
  scenario(
    'is owed as cash: as the record has it, else as its authorization; its reversal mirrors it',
    `
    account A limit=100000
    card    a of=A
    0100 a cashback 5000 back=2000 net=N1        | 00                  |      0 |  5000 |  95000
    clear a cashback 5000 cash=2000 net=N1 arn=A | posted networkId    |   5000 |     0 |  95000
    posts 4                                      | 1100 +3000, 1110 +2000, 2100 -5000
    clear a cashback 5000 cash=2000 net=N1 arn=A back | posted arn     |      0 |     0 | 100000
    posts 6                                      | 1100 -3000, 1110 -2000, 2100 +5000
    0100 a cashback 5000 back=2000 net=N2        | 00                  |      0 |  5000 |  95000
    clear a cashback 5000 net=N2 arn=B           | posted networkId    |   5000 |     0 |  95000
    posts 9                                      | 1100 +3000, 1110 +2000, 2100 -5000
    clear a purchase 700 cash=700 arn=C          | posted none         |   5700 |     0 |  94300
    posts 11                                     | 1110 +700, 2100 -700
    clear a purchase 700 cash=900 arn=D          | posted none         |   6400 |     0 |  93600
    posts 13                                     | 1110 +700, 2100 -700
    clear a cashback 600 arn=E                   | posted none         |   7000 |     0 |  93000
    posts 15                                     | 1100 +600, 2100 -600
    `,
  );
  scenario(
    'of another currency is converted at the rate of the record, and the mark-up is on the purchase',
    `
    program markup=100
    account A limit=100000
    card    a of=A
    clear a purchase 1000 cur=840 bill=5205/986 settle=1000/840 cash=300 arn=A | posted none | 5257 | 0 | 94743
    posts 4                                      | 1100 +3643, 1110 +1562, 1100 +52, 4400 -52, 2100 -1000/840, 1500 -5205, 1500 +1000/840
    `,
  );
});

describe('interchange', () => {
  scenario(
    'earned on a purchase, given back with a refund; where the file says the direction, that counts',
    `
    account A limit=100000
    card    a of=A
    clear a purchase 10000 arn=A fee=140,20      | posted none         |  10000 |     0 |  90000
    posts 3                                      | 1100 +10000, 2100 -10000, 2100 +140, 4100 -140, 2100 +20, 4100 -20
    clear a refund 4000 arn=B fee=56             | posted none         |   6000 |     0 |  94000
    posts 5                                      | 1100 -4000, 2100 +4000, 2100 -56, 4100 +56
    clear a purchase 1000 arn=C fee=14/986/-1    | posted none         |   7000 |     0 |  93000
    posts 7                                      | 1100 +1000, 2100 -1000, 2100 -14, 4100 +14
    `,
  );
});

describe('currencies', () => {
  scenario(
    'billed in the currency of the account, settled in that of the network: the FX position takes both',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 10000 cur=978 bill=62000/986 net=N1      | 00                  |      0 | 62000 |  38000
    clear a purchase 10000 cur=978 bill=62345/986 settle=11650/840 net=N1 sub=1/20783/3 fee=140   | posted networkId overCleared    |  62345 |     0 |  37655
    posts 4                                      | 1100 +62345, 2100 -11650/840@1381107, 1500 -62345, 1500 +11650/840, 2100 +140/840@1381107, 4100 -140/840
    `,
  );
  scenario(
    'with the mark-up of the program, which a reversal gives back and which is no part of the hold',
    `
    program markup=400
    account A limit=100000
    card    a of=A
    0100 a purchase 1000 cur=840 bill=5200/986 net=N1   | 00                  |      0 |  5200 |  94800
    clear a purchase 1000 cur=840 bill=5200/986 settle=1000/840 net=N1 arn=A   | posted networkId    |   5408 |     0 |  94592
    posts 5                                      | 1100 +5200, 1100 +208, 4400 -208, 2100 -1000/840, 1500 -5200, 1500 +1000/840
    hold 4                                       | 0 of 5200
    clear a purchase 1000 cur=840 bill=5200/986 settle=1000/840 arn=A back     | posted arn          |      0 |     0 | 100000
    clear a purchase 700 arn=B                   | posted none         |    700 |     0 |  99300
    `,
  );
  scenario(
    'settled in the same currency with another amount: the difference stays in the FX position',
    `
    account A limit=100000
    card    a of=A
    clear a purchase 1000 cur=840 bill=5210/986 settle=5200/986   | posted none         |   5210 |     0 |  94790
    posts 3                                      | 1100 +5210, 2100 -5200, 1500 -10
    `,
  );
  scenario(
    'yen and dinar as they are written',
    `
    account A limit=100000 cur=392
    card    a of=A
    0100 a purchase 1500 cur=392 net=N1          | 00                  |      0 |  1500 |  98500
    clear a purchase 1500 cur=392 net=N1         | posted networkId    |   1500 |     0 |  98500
    account K limit=100000 cur=414
    card    k of=K
    clear k purchase 1250 cur=414                | posted none         |   1250 |     0 |  98750
    `,
  );
});

describe('credits', () => {
  scenario(
    'an announced refund comes: against what is owed, the excess in credit',
    `
    account A limit=10000
    card    a of=A
    clear a purchase 3000                        | posted none         |   3000 |     0 |   7000
    0100 a refund 5000 net=N1                    | 00                  |   3000 |     0 |   7000
    hold 4                                       | 0 of 5000
    clear a refund 5000 net=N1                   | posted networkId    |  -2000 |     0 |  12000
    posts 6                                      | 1100 -3000, 2200 -2000, 2100 +5000
    hold 4                                       | none
    `,
  );
  scenario(
    'an announced refund in parts; after its end it still posts',
    `
    account A limit=10000
    card    a of=A
    0100 a refund 5000 net=N1                    | 00                              |      0 |     0 |  10000
    clear a refund 2000 net=N1 arn=A part        | posted networkId                |  -2000 |     0 |  12000
    hold 3                                       | 0 of 3000
    wait 31d
    sweep                                        | 1                               |  -2000 |     0 |  12000
    clear a refund 3000 net=N1 arn=B             | posted networkId afterExpiry    |  -5000 |     0 |  15000
    `,
  );
  scenario(
    'a refund finds its purchase by the acquirer reference, or stands for itself',
    `
    account A limit=10000
    card    a of=A
    0100 a purchase 3000 net=N1                  | 00                  |      0 |  3000 |   7000
    clear a purchase 3000 net=N1 arn=A           | posted networkId    |   3000 |     0 |   7000
    clear a refund 1000 arn=A                    | posted arn          |   2000 |     0 |   8000
    clear a refund 500 arn=Z                     | posted none         |   1500 |     0 |   8500
    hold 3                                       | 0 of 3000
    `,
  );
  scenario(
    'a refund is taken back as it was posted',
    `
    account A limit=10000
    card    a of=A
    clear a purchase 300 arn=P                   | posted none                    |    300 |     0 |   9700
    clear a refund 500 arn=A                     | posted none                    |   -200 |     0 |  10200
    posts 4                                      | 1100 -300, 2200 -200, 2100 +500
    clear a purchase 400 arn=Q                   | posted none                    |    200 |     0 |   9800
    clear a refund 500 arn=A back                | posted arn                     |    700 |     0 |   9300
    posts 7                                      | 1100 +300, 2200 +200, 2100 -500
    clear a refund 900 arn=B                     | posted none                    |   -200 |     0 |  10200
    clear a refund 350 arn=C back                | posted none originalMissing    |    150 |     0 |   9850
    posts 10                                     | 2200 +200, 1100 +150, 2100 -350
    `,
  );
});

describe('the reversal of a presentment', () => {
  scenario(
    'mirrors the original; the hold does not come again, and what is presented anew posts',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 net=N1                 | 00                      |      0 | 30000 |  70000
    clear a purchase 25000 net=N1 arn=A sub=1/20783/1   | posted networkId        |  25000 |     0 |  75000
    clear a purchase 25000 arn=A back sub=1/20784/1     | posted arn              |      0 |     0 | 100000
    posts 5                                      | 1100 -25000, 2100 +25000@1381121
    hold 3                                       | none
    clear a purchase 24000 net=N1 arn=B          | posted networkId        |  24000 |     0 |  76000
    `,
  );
  scenario(
    'of a part, while the hold is open: the total falls, the rest stays held',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 30000 net=N1                 | 00                      |      0 | 30000 |  70000
    clear a purchase 10000 net=N1 arn=A part     | posted networkId        |  10000 | 20000 |  70000
    clear a purchase 10000 net=N1 arn=A back     | posted arn              |      0 | 20000 |  80000
    hold 3                                       | 20000 of 20000
    `,
  );
  scenario(
    'of another amount, and of an unknown original: posted as a credit, and flagged',
    `
    account A limit=100000
    card    a of=A
    clear a purchase 10000 arn=A                 | posted none                    |  10000 |     0 |  90000
    clear a purchase 4000 arn=A back             | posted arn otherAmount         |   6000 |     0 |  94000
    posts 4                                      | 1100 -4000, 2100 +4000
    clear a purchase 7000 arn=B back             | posted none originalMissing    |  -1000 |     0 | 101000
    posts 6                                      | 1100 -6000, 2200 -1000, 2100 +7000
    `,
  );
});

describe('a second presentment', () => {
  scenario(
    'of what nobody charged back is in suspense, and so is what takes it back',
    `
    account A limit=10000
    card    a of=A
    clear a purchase 3000 arn=A                  | posted none         |   3000 |     0 |   7000
    clear a purchase 3000 arn=A fn=205 fee=42    | posted arn disputeMissing      |   3000 |     0 |   7000
    posts 4                                      | 1390 +3000, 2100 -3000, 2100 +42, 4100 -42
    clear a purchase 3000 arn=A fn=205 fee=42 back | posted arn disputeMissing    |   3000 |     0 |   7000
    posts 6                                      | 1390 -3000, 2100 +3000, 2100 -42, 4100 +42
    clear a purchase 3000 arn=B fn=282           | posted none disputeMissing     |   3000 |     0 |   7000
    clear a purchase 3000 arn=B fn=205 back      | posted none originalMissing disputeMissing | 3000 | 0 |   7000
    posts 9                                      | 1390 -3000, 2100 +3000
    `,
  );
  scenario(
    'of a refund goes the way of the refund, is in suspense, and from there to the card',
    `
    account A limit=10000
    card    a of=A
    clear a purchase 900 arn=P                   | posted none                    |    900 |     0 |   9100
    clear a refund 500 arn=R                     | posted none                    |    400 |     0 |   9600
    clear a refund 500 arn=R fn=205 fee=7        | posted arn disputeMissing      |    400 |     0 |   9600
    posts 5                                      | 1390 -500, 2100 +500, 2100 -7, 4100 +7
    clear a refund 500 arn=R fn=205 fee=7 back   | posted arn disputeMissing      |    400 |     0 |   9600
    posts 7                                      | 1390 +500, 2100 -500, 2100 +7, 4100 -7
    clear a refund 700 arn=S fn=282              | posted none disputeMissing     |    400 |     0 |   9600
    resolve 9 to card=a                          | ok                             |   -300 |     0 |  10300
    entry 10                                     | 1100 -400, 2200 -300, 1390 +700
    clear a purchase 60 arn=B fn=205 back        | posted none originalMissing disputeMissing | -300 | 0 | 10300
    resolve 12 to card=a                         | ok                             |   -360 |     0 |  10360
    entry 13                                     | 2200 -60, 1390 +60
    `,
  );
  scenario(
    'of a refund never answers the chargeback of a purchase with the same reference',
    `
    account A limit=10000
    card    a of=A
    clear a purchase 900 arn=P                   | posted none                    |    900 |     0 |   9100
    dispute A 900 of=3 ref=D                     | ok                             |      0 |     0 |  10000
    step 4 chargeback amount=900 interchange=9 sub=1/20783/2 | ok                 |      0 |     0 |  10000
    clear a refund 900 arn=P fn=205              | posted none disputeMissing     |      0 |     0 |  10000
    posts 6                                      | 1390 -900, 2100 +900
    `,
  );
});

describe('velocity', () => {
  scenario(
    'what is released gives back, what comes on top counts',
    `
    account A limit=100000
    card    a of=A
    controls a {"velocity":[{"window":"day","amount":10000}]}
    0100 a purchase 9000 net=N1                  | 00                              |      0 |  9000 |  91000
    0100 a purchase 2000                         | 61                              |      0 |  9000 |  91000
    clear a purchase 6000 net=N1 arn=A           | posted networkId                |   6000 |     0 |  94000
    0100 a purchase 4001                         | 61                              |   6000 |     0 |  94000
    0100 a purchase 2000                         | 00                              |   6000 |  2000 |  92000
    clear a purchase 1500 net=N1 arn=B           | posted networkId                |   7500 |  2000 |  90500
    0100 a purchase 501                          | 61                              |   7500 |  2000 |  90500
    0100 a purchase 500                          | 00                              |   7500 |  2500 |  90000
    `,
  );
  scenario(
    'a force post counts, and its reversal gives back',
    `
    account A limit=100000
    card    a of=A
    controls a {"velocity":[{"window":"day","amount":10000,"count":2}]}
    clear a purchase 9000 arn=A                  | posted none                     |   9000 |     0 |  91000
    0100 a purchase 2000                         | 61                              |   9000 |     0 |  91000
    clear a purchase 9000 arn=A back             | posted arn                      |      0 |     0 | 100000
    0100 a purchase 5000                         | 00                              |      0 |  5000 |  95000
    0100 a purchase 5000                         | 00                              |      0 | 10000 |  90000
    `,
  );
  scenario(
    'what a late clearing counted goes back with its reversal',
    `
    account A limit=100000
    card    a of=A
    controls a {"velocity":[{"window":"lifetime","amount":10000}]}
    0100 a purchase 9000 net=N1                  | 00                              |      0 |  9000 |  91000
    wait 8d
    sweep                                        | 1                               |      0 |     0 | 100000
    clear a purchase 9000 net=N1 arn=A           | posted networkId afterExpiry    |   9000 |     0 |  91000
    0100 a purchase 2000                         | 61                              |   9000 |     0 |  91000
    clear a purchase 9000 net=N1 arn=A back      | posted arn                      |      0 |     0 | 100000
    0100 a purchase 10000                        | 00                              |      0 | 10000 |  90000
    `,
  );
  scenario(
    'a presentment that is taken back gives back what the authorization counted',
    `
    account A limit=100000
    card    a of=A
    controls a {"velocity":[{"window":"day","amount":10000,"count":1}]}
    0100 a purchase 9000 net=N1                  | 00                              |      0 |  9000 |  91000
    clear a purchase 9000 net=N1 arn=A           | posted networkId                |   9000 |     0 |  91000
    clear a purchase 9000 net=N1 arn=A back      | posted arn                      |      0 |     0 | 100000
    0100 a purchase 10000                        | 00                              |      0 | 10000 |  90000
    `,
  );
  scenario(
    'what a file charged for a single message that was reversed stays counted when it is reversed again',
    `
    account A limit=100000
    card    a of=A
    controls a {"velocity":[{"window":"day","amount":10000}]}
    0200 a purchase 9000 net=N1                  | 00                              |   9000 |     0 |  91000
    0400 a orig=N1                               | 00                              |      0 |     0 | 100000
    clear a purchase 9000 net=N1 arn=A           | posted networkId afterReversal  |   9000 |     0 |  91000
    0100 a purchase 2000                         | 61                              |   9000 |     0 |  91000
    0420 a orig=N1                               | 00                              |   9000 |     0 |  91000
    0100 a purchase 2000                         | 61                              |   9000 |     0 |  91000
    `,
  );
  scenario(
    'a reversal of more than was presented leaves nothing presented: a completion holds again',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 1000 net=N1                  | 00                              |      0 |  1000 |  99000
    clear a purchase 1000 net=N1 arn=A           | posted networkId                |   1000 |     0 |  99000
    clear a purchase 2000 net=N1 arn=A back      | posted arn otherAmount          |  -1000 |     0 | 101000
    0120 a purchase 1000 orig=N1                 | 00                              |  -1000 |  1000 | 100000
    `,
  );
});
