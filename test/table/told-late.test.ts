/**
 * What the network tells of its own decisions behind, or before, other messages of the purchase: each advice is about the request with its
 * numbers, and what came since stays. test/domain/order-of-telling.property.test.ts has all orders of random purchases.
 */
import { describe } from 'vitest';
import { scenario } from './runner.js';

describe('of two attempts under one DE37', () => {
  scenario(
    'stand-in is about the one with its numbers, whatever came of that one',
    `
    account A limit=2000
    card a
    0100 a purchase 1000 stan=1 rrn=R de7=0520115900        | 00 | 0 | 1000 | 1000
    0100 a purchase 500 stan=2 rrn=R de7=0520120100         | 00 | 0 | 1500 |  500
    0120 a purchase 800 stan=1 rrn=R de7=0520115900 why=S   | 00 | 0 | 1300 |  700
    hold 3                                                  | 800 of 800
    hold 4                                                  | 500 of 500
    0100 a purchase 900 stan=3 rrn=Q de7=0520115900         | 51 | 0 | 1300 |  700
    0100 a purchase 300 stan=4 rrn=Q de7=0520120100         | 00 | 0 | 1600 |  400
    0120 a purchase 900 stan=3 rrn=Q de7=0520115900 why=S   | 00 | 0 | 2500 | -500
  `,
  );

  scenario(
    'so it is with a refund, and when the reply was lost',
    `
    account A limit=3000
    card a
    0200 a refund 1000 stan=1 rrn=R de7=0520115900          | 00 | -1000 |   0 | 4000
    0200 a refund 500 stan=2 rrn=R de7=0520120100           | 00 | -1500 |   0 | 4500
    0220 a refund 800 stan=1 rrn=R de7=0520115900 why=S     | 00 | -1300 |   0 | 4300
    0100 a purchase 900 stan=3 rrn=Q de7=0520115900         | 00 | -1300 | 900 | 3400
    undelivered 6                                           | ok | -1300 |   0 | 4300
    0100 a purchase 300 stan=4 rrn=Q de7=0520120100         | 00 | -1300 | 300 | 4000
    0120 a purchase 900 stan=3 rrn=Q de7=0520115900 why=S   | 00 | -1300 | 1200 | 3100
  `,
  );

  scenario(
    'so it is with the reversal that has the numbers of one',
    `
    account A limit=2000
    card a
    0100 a purchase 1000 stan=1 rrn=R de7=0520115900        | 00 | 0 | 1000 | 1000
    0100 a purchase 500 stan=2 rrn=R de7=0520120100         | 00 | 0 | 1500 |  500
    0420 a stan=1 rrn=R de7=0520115900                      | 00 | 0 |  500 | 1500
    hold 4                                                  | 500 of 500
    0100 a purchase 900 stan=3 rrn=Q de7=0520115900 exp=2001 | 54 | 0 | 500 | 1500
    0100 a purchase 300 stan=4 rrn=Q de7=0520120100         | 00 | 0 |  800 | 1200
    0420 a stan=3 rrn=Q de7=0520115900                      | 00 | 0 |  800 | 1200   # of the one that was declined
  `,
  );

  scenario(
    'two that we never saw are two',
    `
    account A limit=2000
    card a
    0120 a purchase 1000 stan=1 rrn=R de7=0520115900 why=S  | 00 | 0 | 1000 | 1000
    0120 a purchase 500 stan=2 rrn=R de7=0520120100 why=S   | 00 | 0 | 1500 |  500
    0220 a purchase 100 stan=3 rrn=Q de7=0520115900 why=S   | 00 | 100 | 1500 | 400
    0220 a purchase 50 stan=4 rrn=Q de7=0520120100 why=S    | 00 | 150 | 1500 | 350
    0220 a purchase 60 stan=5 rrn=Q de90=0200/4/0520120100 why=S | 00 | 160 | 1500 | 340   # corrects the second
  `,
  );
});

describe('an authorization that we do not know', () => {
  scenario(
    'is held less what was shipped of it, and each shipment goes back by itself',
    `
    account A limit=2000
    card a
    0220 a purchase 300 stan=4 rrn=1 fn=I de7=0520120100    | 00 | 300 |    0 | 1700
    0220 a purchase 200 stan=5 rrn=1 fn=I de7=0520120200    | 00 | 500 |    0 | 1500
    0120 a purchase 1500 stan=1 why=S de7=0520120000        | 00 | 500 | 1000 |  500
    0420 a stan=6 rrn=1 de90=0220/5/0520120200/12345        | 00 | 300 | 1000 |  700
    0420 a stan=7 rrn=1 de90=0220/4/0520120100/12345        | 00 |   0 | 1000 | 1000
    0420 a stan=8 rrn=1                                     | 00 |   0 |    0 | 2000
  `,
  );

  scenario(
    'of which only shipments came is taken back as a whole by DE37, and each by its name',
    `
    account A limit=2000
    card a
    0220 a purchase 300 stan=4 rrn=1 fn=I de7=0520120100    | 00 | 300 | 0 | 1700
    0220 a purchase 200 stan=5 rrn=1 fn=I de7=0520120200    | 00 | 500 | 0 | 1500
    0420 a stan=6 rrn=1 de90=0220/4/0520120100/12345        | 00 | 200 | 0 | 1800
    0220 a purchase 100 stan=7 rrn=1 fn=I de7=0520120300    | 00 | 300 | 0 | 1700
    0420 a stan=8 rrn=1 de7=0520120400                      | 00 |   0 | 0 | 2000
  `,
  );

  scenario(
    'comes beneath the increments that were told before it',
    `
    account A limit=3000
    card a
    0120 a purchase 300 stan=4 rrn=1 fn=I de7=0520120100    | 00 | 0 |  300 | 2700
    0120 a purchase 200 stan=5 rrn=1 fn=I de7=0520120200    | 00 | 0 |  500 | 2500
    0120 a purchase 1500 stan=1 why=S de7=0520120000        | 00 | 0 | 2000 | 1000
    0420 a stan=6 rrn=1 de90=0100/4/0520120100/12345        | 00 | 0 | 1700 | 1300
    0120 a purchase 1500 stan=1 why=S de7=0520120000        | 00= | 0 | 1700 | 1300
  `,
  );

  scenario(
    'comes beneath the increment that we decided as a new one, and stays when that was not delivered',
    `
    account A limit=3000
    card a
    0100 a purchase 300 stan=4 rrn=1 fn=I de7=0520120100    | 00 | 0 |  300 | 2700
    0120 a purchase 1500 stan=1 why=S de7=0520120000        | 00 | 0 | 1800 | 1200
    undelivered 3                                           | ok | 0 | 1500 | 1500
    0120 a purchase 250 stan=4 rrn=1 fn=I de7=0520120100    | 00 | 0 | 1750 | 1250
  `,
  );

  scenario(
    'of a single message: shipments come on top',
    `
    account A limit=3000
    card a
    0220 a purchase 300 stan=4 rrn=1 fn=I de7=0520120100    | 00 |  300 | 0 | 2700
    0220 a purchase 1500 stan=1 why=S de7=0520120000        | 00 | 1800 | 0 | 1200
    totals 2026-05-20                                       | debits 2 1800
    0420 a stan=6 rrn=1 de90=0220/4/0520120100/12345        | 00 | 1500 | 0 | 1500
    totals 2026-05-20                                       | debits 2 1800, debit reversals 1 300
  `,
  );
});

describe('what has come since then stays', () => {
  scenario(
    'a partial reversal of what we declined, or of what was rolled back',
    `
    account A limit=900
    card a
    0100 a purchase 1000 stan=1 de7=0520120000              | 51 | 0 |   0 |  900
    0420 a stan=2 rrn=1 de95=300 de90=0100/1/0520120000/12345 | 00 | 0 | 0 |  900
    0120 a purchase 1000 stan=1 why=S de7=0520120000        | 00 | 0 | 300 |  600
    0420 a stan=3 rrn=1                                     | 00 | 0 |   0 |  900
    0200 a purchase 500 stan=4 de7=0520120100               | 00 | 500 | 0 |  400
    0420 a stan=5 rrn=4 de95=200 de90=0200/4/0520120100/12345 | 00 | 200 | 0 | 700
    undelivered 7                                           | ok | 0 |   0 |  900
    0220 a purchase 500 stan=4 why=S de7=0520120100         | 00 | 200 | 0 |  700
  `,
  );

  scenario(
    'what was shipped of what we declined',
    `
    account A limit=900
    card a
    0100 a purchase 1000 stan=1 de7=0520120000              | 51 |   0 |   0 | 900
    0220 a purchase 300 stan=2 rrn=1 fn=I de7=0520120200    | 00 | 300 |   0 | 600
    0120 a purchase 1000 stan=1 why=S de7=0520120000        | 00 | 300 | 700 | -100
    hold 3                                                  | 700 of 1000
    0220 a purchase 700 stan=3 rrn=1 fn=I                   | 00 | 1000 | 0 | -100
  `,
  );

  scenario(
    'the reversal of an increment that we declined',
    `
    account A limit=1100
    card a
    0100 a purchase 1000 stan=1 de7=0520120000              | 00 | 0 | 1000 | 100
    0100 a purchase 200 stan=2 rrn=1 fn=I de7=0520120100    | 51 | 0 | 1000 | 100
    0420 a stan=3 rrn=1 de90=0100/2/0520120100/12345        | 00 | 0 | 1000 | 100
    0120 a purchase 200 stan=2 rrn=1 fn=I de7=0520120100    | 00 | 0 | 1000 | 100
    0100 a purchase 300 stan=4 rrn=1 fn=I de7=0520120200    | 51 | 0 | 1000 | 100
    0420 a stan=5 rrn=1 de95=400                            | 00 | 0 |  400 | 700
    0120 a purchase 300 stan=4 rrn=1 fn=I de7=0520120200    | 00 | 0 |  400 | 700   # 1300 down to 400
    0120 a purchase 50 stan=6 rrn=1 fn=I de7=0520120400     | 00 | 0 |  450 | 650
    0120 a purchase 60 stan=7 rrn=1 fn=I de7=0520120500     | 00 | 0 |  510 | 590
  `,
  );

  scenario(
    'the reversal of a single message that only an advice has posted',
    `
    account A limit=900
    card a
    0200 a purchase 1000 stan=1 de7=0520120000              | 51 |   0 | 0 | 900
    0220 a purchase 500 stan=2 rrn=1 why=C                  | 00 | 500 | 0 | 400
    0420 a stan=3 rrn=1 de90=0200/1/0520120000/12345        | 00 |   0 | 0 | 900
    0220 a purchase 1000 stan=1 why=S de7=0520120000        | 00 |   0 | 0 | 900
  `,
  );

  scenario(
    'a clearing that released the rest',
    `
    account A limit=2000
    card a
    0100 a purchase 1000 stan=1 net=N1 de7=0520120000       | 00 |   0 | 1000 | 1000
    0100 a purchase 200 stan=2 rrn=1 fn=I de7=0520120100    | 00 |   0 | 1200 |  800
    clear a purchase 500 net=N1                             | posted networkId | 500 | 0 | 1500
    0120 a purchase 1000 stan=1 why=S de7=0520120000        | 00 | 500 |    0 | 1500
    0120 a purchase 250 stan=2 rrn=1 fn=I de7=0520120100    | 00 | 500 |    0 | 1500
  `,
  );
});

describe('a reply that was not delivered', () => {
  scenario(
    'takes back its own approval and nothing that was decided on top',
    `
    account A limit=2000
    card a
    0100 a purchase 1000 stan=1 de7=0520120000              | 00 | 0 | 1000 | 1000
    0100 a purchase 200 stan=2 rrn=1 fn=I de7=0520120100    | 00 | 0 | 1200 |  800
    undelivered 3                                           | ok | 0 |  200 | 1800
    0120 a purchase 900 stan=1 why=S de7=0520120000         | 00 | 0 | 1100 |  900
    undelivered 4                                           | ok | 0 |  900 | 1100
    0120 a purchase 150 stan=2 rrn=1 fn=I de7=0520120100    | 00 | 0 | 1050 |  950
  `,
  );

  scenario(
    'of a replacement that is told: what is told counts, wherever the authorization went',
    `
    account A limit=2000
    card a
    0100 a purchase 1000 stan=1 de7=0520120000              | 00 | 0 | 1000 | 1000
    0100 a purchase 700 stan=2 rrn=1 fn=R de7=0520120100    | 00 | 0 |  700 | 1300
    undelivered 4                                           | ok | 0 | 1000 | 1000
    undelivered 3                                           | ok | 0 |    0 | 2000
    0120 a purchase 600 stan=2 rrn=1 fn=R de7=0520120100    | 00 | 0 |  600 | 1400
  `,
  );

  scenario(
    'of a single message whose shipments stay',
    `
    account A limit=2000
    card a
    0200 a purchase 1000 stan=1 de7=0520120000              | 00 | 1000 | 0 | 1000
    0220 a purchase 300 stan=2 rrn=1 fn=I de7=0520120100    | 00 | 1300 | 0 |  700
    undelivered 3                                           | ok |  300 | 0 | 1700
    0220 a purchase 1200 stan=1 why=S de7=0520120000        | 00 | 1500 | 0 |  500
    0420 a stan=3 rrn=1                                     | 00 |    0 | 0 | 2000
    totals 2026-05-20                                       | debits 2 1500, debit reversals 1 1500
  `,
  );

  scenario(
    'of a hold that was rolled back: what a part of it has counted stays counted, until it goes back',
    `
    account A limit=1000
    card a
    0100 a purchase 200 stan=1 de7=0520120001               | 00 |   0 | 200 |  800
    0220 a purchase 100 fn=I stan=2 rrn=1 de7=0520120002    | 00 | 100 | 100 |  800
    undelivered 3                                           | ok | 100 |   0 |  900
    0220 a purchase 200 stan=1 why=S de7=0520120001         | 00 | 200 |   0 |  800
    totals 2026-05-20                                       | debits 1 200
    0100 a purchase 200 stan=3 de7=0520120003               | 00 | 200 | 200 |  600
    0220 a purchase 100 fn=I stan=4 rrn=3 de7=0520120004    | 00 | 300 | 100 |  600
    undelivered 8                                           | ok | 300 |   0 |  700
    0420 a stan=5 de90=0220/4/0520120004/12345              | 00 | 200 |   0 |  800
    0220 a purchase 100 stan=3 why=S de7=0520120003         | 00 | 300 |   0 |  700
    totals 2026-05-20                                       | debits 3 400, debit reversals 1 100
    0200 a purchase 50 stan=6 date=2025-01-01 de7=0520120005 | 00 | 350 | 0 |  650   # a date that has no totals
    undelivered 14                                          | ok | 300 |   0 |  700
    0220 a purchase 50 stan=6 why=S de7=0520120005          | 00 | 350 |   0 |  650
    totals 2026-05-20                                       | debits 4 450, debit reversals 1 100
  `,
  );

  scenario(
    'of a single message that was reversed before: totals have the reversal and what it takes back',
    `
    account A limit=2000
    card a
    0200 a purchase 1000 stan=1 de7=0520120000              | 00 | 1000 | 0 | 1000
    0420 a stan=2 rrn=1 de90=0200/1/0520120000/12345        | 00 |    0 | 0 | 2000
    undelivered 3                                           | ok |    0 | 0 | 2000
    totals 2026-05-20                                       | debits 1 1000, debit reversals 1 1000
    0200 a purchase 500 stan=4 acquirer=9                   | 00 |  500 | 0 | 1500
    0420 a stan=5 rrn=4 de95=200 acquirer=9                 | 00 |  200 | 0 | 1800
    undelivered 7                                           | ok |    0 | 0 | 2000
    totals 2026-05-20 acquirer=9                            | debits 1 300, debit reversals 1 300
  `,
  );
});

describe('an authorization that advices and files have charged', () => {
  scenario(
    'keeps what files have charged, whatever DE95 says',
    `
    account A limit=3000
    card a
    0100 a purchase 1000 stan=1 net=N1 de7=0520120000       | 00 |    0 | 1000 | 2000
    clear a purchase 700 net=N1 part                        | posted networkId | 700 | 300 | 2000
    0120 a purchase 600 stan=2 rrn=1 fn=I                   | 00 |  700 |  900 | 1400
    0420 a stan=3 rrn=1 de95=400                            | 00 |  700 |    0 | 2300
    hold 3                                                  | 0 of 700
  `,
  );
});

describe('a reversal that names by DE37 alone', () => {
  scenario(
    'means the authorization, whatever was told of it or of a change of it',
    `
    account A limit=10000
    card a
    0100 a purchase 1000 stan=1 de7=0520120001               | 00 | 0 | 1000 | 9000
    0100 a purchase 700 fn=R stan=2 rrn=1 de7=0520120002     | 00 | 0 |  700 | 9300
    0120 a purchase 800 fn=R stan=2 rrn=1 de7=0520120002     | 00 | 0 |  800 | 9200
    0420 a stan=3 rrn=1 de7=0520120003                       | 00 | 0 |    0 | 10000
    0100 a purchase 1000 stan=4 de7=0520120001               | 00 | 0 | 1000 | 9000
    0220 a purchase 900 stan=5 rrn=4 why=C de7=0520120002    | 00 | 900 |  0 | 9100
    0120 a purchase 1000 stan=4 why=S de7=0520120001         | 00 | 900 |  0 | 9100
    0420 a stan=6 rrn=4 de7=0520120003                       | 00 | 0 |    0 | 10000
  `,
  );

  scenario(
    'means all of one that was declined, not the increment that was told of it',
    `
    account A limit=10000
    card a
    0200 a purchase 1000 stan=1 exp=2001 de7=0520120001      | 54 |   0 | 0 | 10000
    0220 a purchase 300 fn=I stan=2 rrn=1 de7=0520120002     | 00 | 300 | 0 | 9700
    0420 a stan=3 rrn=1 de7=0520120003                       | 00 |   0 | 0 | 10000
    0220 a purchase 1000 stan=1 why=S de7=0520120001         | 00 |   0 | 0 | 10000
  `,
  );
});

describe('a replacement that is told at a fuel pump', () => {
  scenario(
    'is not the final amount',
    `
    account A limit=30000
    card a
    program fuel=17500
    0100 a purchase 100 mcc=5542 stan=1 de7=0520120001               | 00 | 0 | 17500 | 12500
    0100 a purchase 20000 mcc=5542 fn=R stan=2 rrn=1 de7=0520120002  | 00 | 0 | 20000 | 10000
    0120 a purchase 20000 mcc=5542 fn=R stan=2 rrn=1 de7=0520120002  | 00 | 0 | 20000 | 10000
    0120 a purchase 6000 mcc=5542 why=C stan=3 rrn=1 de7=0520120003  | 00 | 0 |  6000 | 24000
    0120 a purchase 7000 mcc=5542 why=C stan=4 rrn=1 de7=0520120004  | 00 | 0 |  6000 | 24000   # told once
  `,
  );
});

describe('a final amount of nothing', () => {
  scenario(
    'stands, whatever the network tells of what it decided before, and whatever was not delivered',
    `
    account A limit=10000
    card a
    0100 a purchase 1000 stan=1 de7=0520120001               | 00 |   0 | 1000 | 9000
    0220 a purchase 0 stan=2 rrn=1 why=C de7=0520120002      | 00 |   0 |    0 | 10000
    0220 a purchase 1000 stan=1 why=S de7=0520120001         | 00 |   0 |    0 | 10000
    0200 a purchase 1000 stan=3 de7=0520120001               | 00 | 1000 |   0 | 9000
    0220 a purchase 0 stan=4 rrn=3 why=C de7=0520120002      | 00 |   0 |    0 | 10000
    0220 a purchase 900 stan=3 why=S de7=0520120001          | 00 |   0 |    0 | 10000
    totals 2026-05-20                                        | debits 1 0, authorizations 1
    0100 a purchase 1000 stan=5 de7=0520120001               | 00 |   0 | 1000 | 9000
    0120 a purchase 0 stan=6 rrn=5 why=C de7=0520120002      | 00 |   0 |    0 | 10000
    0120 a purchase 900 stan=5 why=S de7=0520120001          | 00 |   0 |    0 | 10000
    0100 a purchase 1000 stan=7 de7=0520120001               | 00 |   0 | 1000 | 9000
    0100 a purchase 200 stan=8 rrn=7 fn=I de7=0520120002     | 00 |   0 | 1200 | 8800
    0120 a purchase 0 stan=7 why=S de7=0520120001            | 00 |   0 |  200 | 9800
    undelivered 14                                           | ok |   0 |    0 | 10000
    0100 a purchase 1000 stan=9 de7=0520120001               | 00 |   0 | 1000 | 9000
    0100 a purchase 200 stan=10 rrn=9 fn=I de7=0520120002    | 00 |   0 | 1200 | 8800
    0120 a purchase 0 stan=10 rrn=9 fn=I de7=0520120002      | 00 |   0 | 1000 | 9000
    0120 a purchase 1000 stan=9 why=S de7=0520120001         | 00 |   0 | 1000 | 9000
  `,
  );
});

describe('a reversal that came before its authorization', () => {
  scenario(
    'takes what belongs to that with it, as one that came behind it does',
    `
    account A limit=10000
    card a
    0420 a stan=9 rrn=1 de90=0100/1/0520120001/12345 de7=0520120009      | 00 |   0 | 0 | 10000
    0100 a purchase 1000 stan=1 de7=0520120001                           | 68 |   0 | 0 | 10000
    0100 a purchase 200 fn=I stan=2 rrn=1 de7=0520120002                 | 68 |   0 | 0 | 10000
    0120 a purchase 200 fn=I stan=3 rrn=1 de7=0520120003                 | 00 |   0 | 0 | 10000
    0120 a purchase 900 stan=4 rrn=1 why=C de7=0520120004                | 00 |   0 | 0 | 10000
    0100 a purchase 300 fn=I stan=5 rrn=1 de7=0520120010                 | 00 |   0 | 300 | 9700   # sent later: a new one
    0420 a stan=19 rrn=6 de90=0200/6/0520120001/12345 de7=0520120009     | 00 |   0 | 300 | 9700
    0200 a purchase 1000 stan=6 de7=0520120001                           | 68 |   0 | 300 | 9700
    0220 a purchase 900 stan=7 rrn=6 why=C de7=0520120004                | 00 |   0 | 300 | 9700
    0220 a purchase 200 fn=I stan=8 rrn=6 de7=0520120003                 | 00 |   0 | 300 | 9700
    0220 a purchase 1000 stan=6 why=S de7=0520120001                     | 00 |   0 | 300 | 9700
  `,
  );
});

describe('a DE90 that names something else', () => {
  scenario(
    'is not about the change that shares its DE37',
    `
    account A limit=10000
    card a
    0120 a purchase 300 fn=I stan=2 rrn=1 de7=0520120002                                | 00 | 0 | 300 | 9700
    0120 a purchase 200 fn=I stan=5 rrn=1 de7=0520120005 de90=0120/4/0520120004/12345   | 00 | 0 | 500 | 9500   # one that we did not see
    0120 a purchase 400 fn=I stan=6 rrn=1 de7=0520120006 de90=0120/2/0520120002/12345   | 00 | 0 | 600 | 9400   # the first
  `,
  );
});

describe('an announced refund', () => {
  scenario(
    'that the network tells stays when our reply is not delivered, whichever comes first',
    `
    account A limit=10000
    card a
    0100 a refund 1000 stan=1 de7=0520120001                 | 00 | 0 | 0 | 10000
    0120 a refund 800 stan=1 why=S de7=0520120001            | 00 | 0 | 0 | 10000
    undelivered 3                                            | ok | 0 | 0 | 10000
    hold 3                                                   | 0 of 800
    0100 a refund 1000 stan=2 de7=0520120001                 | 00 | 0 | 0 | 10000
    undelivered 7                                            | ok | 0 | 0 | 10000
    hold 7                                                   | none
    0120 a refund 800 stan=2 why=S de7=0520120001            | 00 | 0 | 0 | 10000
    hold 7                                                   | 0 of 800
    0200 a refund 1000 stan=3 exp=2001 de7=0520120001        | 54 | 0 | 0 | 10000
    0120 a refund 800 stan=3 why=S de7=0520120001            | 00 | 0 | 0 | 10000
    0220 a refund 0 stan=3 why=S de7=0520120001              | 00 | 0 | 0 | 10000   # nothing has come
    hold 12                                                  | 0 of 800
  `,
  );
});

describe('a 0220 of stand-in over a hold', () => {
  scenario(
    'posts nothing that was only held, nor again what a later 0220 has posted',
    `
    account A limit=10000
    card a
    0100 a purchase 1000 stan=1                              | 00 |    0 | 1000 | 9000
    0220 a purchase 500 stan=2 rrn=1 why=C                   | 00 |  500 |    0 | 9500
    0100 a purchase 200 stan=3 rrn=1 fn=I                    | 00 |  500 |  200 | 9300
    0220 a purchase 1000 stan=1 why=S                        | 00 |  500 |  200 | 9300
    totals 2026-05-20                                        | debits 1 500, authorizations 2
    0100 a purchase 1000 stan=5 rrn=5                        | 00 |  500 | 1200 | 8300
    0220 a purchase 300 stan=6 rrn=5 fn=I                    | 00 |  800 |  900 | 8300
    0100 a purchase 200 stan=7 rrn=5 fn=I                    | 00 |  800 | 1100 | 8100
    0220 a purchase 1000 stan=5 rrn=5 why=S                  | 00 | 1500 |  200 | 8300   # the whole of it
  `,
  );
});

describe('shipments beside files', () => {
  scenario(
    'a file does not post what a 0220 has, though something is still held beside it',
    `
    account A limit=10000
    card a
    0100 a purchase 1000 stan=1 net=N1 de7=0520120001             | 00 |    0 | 1000 | 9000
    0220 a purchase 300 fn=I stan=2 rrn=1 net=N2 de7=0520120002   | 00 |  300 |  700 | 9000
    clear a purchase 300 net=N2 arn=A1 part                       | duplicate networkId | 300 | 700 | 9000
    clear a purchase 310 net=N2 arn=A2 part                       | duplicate networkId otherAmount | 300 | 700 | 9000
    clear a purchase 700 net=N1 arn=A3                            | posted networkId    | 1000 |  0 | 9000
    0100 a purchase 1000 stan=4 net=N4 de7=0520120001             | 00 | 1000 | 1000 | 8000
    0220 a purchase 1000 stan=5 rrn=4 why=C net=N5 de7=0520120002 | 00 | 2000 |    0 | 8000
    0100 a purchase 200 fn=I stan=6 rrn=4 de7=0520120003          | 00 | 2000 |  200 | 7800
    clear a purchase 1000 net=N5 arn=A4                           | duplicate networkId | 2000 | 200 | 7800
    clear a purchase 1000 net=N4 arn=A5                           | duplicate networkId | 2000 | 200 | 7800
    clear a purchase 1200 net=N4 arn=A7                           | duplicate networkId otherAmount | 2000 | 200 | 7800   # both: reconciliation tells the 200
    clear a purchase 200 net=N4 arn=A6                            | posted networkId    | 2200 |   0 | 7800
  `,
  );

  scenario(
    'nor a refund that a 0220 has posted, though more of it is announced',
    `
    account A limit=10000
    card a
    0100 a refund 1000 stan=1 net=N1 de7=0520120001               | 00 |     0 | 0 | 10000
    0220 a refund 1000 stan=2 rrn=1 why=C net=N2 de7=0520120002   | 00 | -1000 | 0 | 11000
    0120 a refund 1200 stan=3 rrn=1 why=C de7=0520120003          | 00 | -1000 | 0 | 11000
    clear a refund 1000 net=N1 arn=A1                             | duplicate networkId | -1000 | 0 | 11000
    clear a refund 1000 net=N2 arn=A2                             | duplicate networkId | -1000 | 0 | 11000
    clear a refund 1200 net=N1 arn=A3                             | duplicate networkId otherAmount | -1000 | 0 | 11000
    clear a refund 200 net=N1 arn=A4                              | posted networkId | -1200 | 0 | 11200
    clear a refund 200 net=N1 arn=A5                              | duplicate networkId otherAmount | -1200 | 0 | 11200
  `,
  );

  scenario(
    'the reversal of one leaves what files have cleared, and what that has counted',
    `
    account A limit=10000
    card a
    controls a {"velocity":[{"window":"lifetime","amount":1000}]}
    0100 a purchase 300 stan=1 net=N1                        | 00 |   0 | 300 | 9700
    0220 a purchase 100 fn=I stan=2 rrn=1 de7=0520120002     | 00 | 100 | 200 | 9700
    clear a purchase 200 net=N1                              | posted networkId | 300 | 0 | 9700
    0420 a stan=4 rrn=1 de90=0220/2/0520120002/12345         | 00 | 200 |   0 | 9800
    0100 a purchase 801 stan=5                               | 61 | 200 |   0 | 9800
    0100 a purchase 800 stan=6                               | 00 | 200 | 800 | 9000
  `,
  );

  scenario(
    'stand-in behind a part is held for the rest',
    `
    account A limit=10000
    card a
    0100 a purchase 1000 stan=1 net=N1                       | 00 |    0 | 1000 | 9000
    undelivered 3                                            | ok |    0 |    0 | 10000
    clear a purchase 300 net=N1 arn=A1 part                  | posted networkId afterReversal | 300 | 0 | 9700
    0120 a purchase 1000 stan=1 why=S net=N1                 | 00 |  300 |  700 | 9000
    clear a purchase 700 net=N1 arn=A2                       | posted networkId | 1000 | 0 | 9000
  `,
  );
});

describe('DE95 in a foreign currency', () => {
  scenario(
    'leaves the same, at the rate of the original, whenever stand-in tells another',
    `
    account A limit=10000
    card a
    0200 a purchase 100 cur=840 bill=500/986 stan=1 de7=0520120001                 | 00 |  500 | 0 | 9500
    0220 a purchase 200 cur=840 bill=1100/986 stan=1 why=S de7=0520120001          | 00 | 1100 | 0 | 8900
    0420 a cur=840 stan=3 rrn=1 de90=0200/1/0520120001/12345 de95=150              | 00 |  750 | 0 | 9250
    0200 a purchase 100 cur=840 bill=500/986 stan=2 de7=0520120001                 | 00 | 1250 | 0 | 8750
    0420 a cur=840 stan=4 rrn=2 de90=0200/2/0520120001/12345 de95=150              | 00 | 1250 | 0 | 8750
    0220 a purchase 200 cur=840 bill=1100/986 stan=2 why=S de7=0520120001          | 00 | 1500 | 0 | 8500
    totals 2026-05-20 cur=840                                                      | debits 2 350, debit reversals 1 50
  `,
  );

  scenario(
    'leaves what a 0220 posted at its own rate, of a hold and of a single message',
    `
    account A limit=50000
    card a
    0100 a purchase 100 cur=840 bill=500/986 stan=1 de7=0520120001                 | 00 |   0 | 500 | 49500
    0220 a purchase 100 cur=840 bill=550/986 stan=2 rrn=1 de7=0520120002           | 00 | 550 |   0 | 49450
    0420 a cur=840 stan=3 rrn=1 de90=0220/2/0520120002/12345 de95=100              | 00 | 550 |   0 | 49450   # as much as is authorized
    0420 a cur=840 stan=4 rrn=1 de90=0220/2/0520120002/12345 de95=60               | 00 | 330 |   0 | 49670
    0420 a cur=840 stan=5 rrn=1 de90=0100/1/0520120001/12345 de95=60               | 00 | 330 |   0 | 49670
    totals 2026-05-20 cur=840                                                      | debits 1 100, debit reversals 1 40, authorizations 1
    0420 a cur=840 stan=6 rrn=1 de90=0220/2/0520120002/12345                       | 00 |   0 |   0 | 50000
    0200 a purchase 100 cur=840 bill=500/986 stan=7 de7=0520120007                 | 00 | 500 |   0 | 49500
    0220 a purchase 100 cur=840 bill=450/986 stan=8 rrn=7 de7=0520120008           | 00 | 450 |   0 | 49550
    0420 a cur=840 stan=9 rrn=7 de90=0220/8/0520120008/12345 de95=92               | 00 | 414 |   0 | 49586
    totals 2026-05-20 cur=840                                                      | debits 2 200, debit reversals 3 108, authorizations 1
  `,
  );

  scenario(
    'lowered before a completion at another rate leaves what that posted, and so does one above a partial approval',
    `
    account A limit=50000
    card a
    0100 a purchase 100 cur=840 bill=500/986 stan=1 de7=0520120001                 | 00 |   0 | 500 | 49500
    0420 a cur=840 stan=2 rrn=1 de90=0100/1/0520120001/12345 de95=60               | 00 |   0 | 300 | 49700
    0220 a purchase 60 cur=840 bill=330/986 stan=3 rrn=1 de7=0520120003            | 00 | 330 |   0 | 49670
    0420 a cur=840 stan=4 rrn=1 de90=0220/3/0520120003/12345 de95=60               | 00 | 330 |   0 | 49670
    account B limit=300
    card b of=B
    0100 b purchase 100 cur=840 bill=500/986 partial stan=5 de7=0520120005         | 10 |   0 | 300 | 0
    0220 b purchase 60 cur=840 bill=310/986 stan=6 rrn=5 de7=0520120006            | 00 | 310 |   0 | -10
    0420 b cur=840 stan=7 rrn=5 de90=0220/6/0520120006/12345 de95=61               | 00 | 310 |   0 | -10
    # An increment at a third rate: of what is held the authorization's rate counts.
    card c of=A
    0100 c purchase 100 cur=840 bill=500/986 stan=8 de7=0520120008                 | 00 | 330 |  500 | 49170
    0100 c purchase 100 cur=840 bill=600/986 fn=I stan=9 rrn=8 de7=0520120009      | 00 | 330 | 1100 | 48570
    0220 c purchase 200 cur=840 bill=1100/986 stan=10 rrn=8 de7=0520120010         | 00 | 1430 | 0 | 48570
    0420 c cur=840 stan=11 rrn=8 de90=0220/10/0520120010/12345 de95=199            | 00 | 1425 | 0 | 48575
  `,
  );
});

describe('the cash in what is told', () => {
  scenario(
    'takes the place of ours, with its fee, whether the whole becomes more, less, or stays; parts keep theirs',
    `
    account A limit=10000
    card a
    program fee=10+200
    0200 a cashback 2000 back=1000 stan=1 de7=0520120001                | 00 | 2030 | 0 | 7970
    0220 a cashback 1000 back=200 stan=1 why=S de7=0520120001           | 00 | 1014 | 0 | 8986
    0200 a cashback 1000 back=500 stan=2 de7=0520120001                 | 00 | 2034 | 0 | 7966
    0220 a cashback 1000 back=100 stan=2 why=S de7=0520120001           | 00 | 2026 | 0 | 7974
    trial                                                               | 1100 +1700, 1110 +300, 1120 +26, 2100 -2000, 4300 -26
    0200 a cashback 1000 back=200 stan=3 de7=0520120001                 | 00 | 3040 | 0 | 6960
    0220 a cashback 500 back=200 fn=I stan=4 rrn=3 de7=0520120002       | 00 | 3554 | 0 | 6446
    0220 a cashback 2000 back=1000 stan=3 why=S de7=0520120001          | 00 | 4570 | 0 | 5430   # 30 of fees, and the 14 of the part
  `,
  );

  scenario(
    'goes with a reply that was not delivered, and not that of a part',
    `
    account A limit=10000
    card a
    program fee=10+200
    0200 a cashback 2000 back=1000 stan=1 de7=0520120001                | 00 | 2030 | 0 | 7970
    0220 a cashback 500 back=200 fn=I stan=2 rrn=1 de7=0520120002       | 00 | 2544 | 0 | 7456
    undelivered 4                                                       | ok |  514 | 0 | 9486
    trial                                                               | 1100 +300, 1110 +200, 1120 +14, 2100 -500, 4300 -14
  `,
  );

  scenario(
    'is nothing of an advice of nothing',
    `
    account A limit=10000
    card a
    0200 a cashback 100 back=50 cur=840 bill=500/986 stan=1 de7=0520120001 | 00 | 500 | 0 | 9500
    0220 a cashback 0 back=50 cur=840 stan=1 why=S de7=0520120001          | 00 |   0 | 0 | 10000
  `,
  );

  scenario(
    'counts once against a limit of cash',
    `
    account A limit=10000
    card a
    controls a {"cash":{"velocity":[{"window":"lifetime","amount":1600}]}}
    0200 a cashback 1000 back=500 stan=1 de7=0520120001                 | 00 | 1000 |    0 | 9000
    0220 a cashback 2000 back=500 stan=1 why=S de7=0520120001           | 00 | 2000 |    0 | 8000
    0100 a cashback 1000 back=500 stan=2 de7=0520120001                 | 00 | 2000 | 1000 | 7000
    0100 a cashback 2000 back=500 stan=3 rrn=2 fn=R de7=0520120002      | 00 | 2000 | 2000 | 6000
    0120 a cashback 3000 back=500 stan=4 rrn=2 why=C de7=0520120003     | 00 | 2000 | 3000 | 5000
    0100 a cashback 1000 back=601 stan=5 de7=0520120001                 | 61 | 2000 | 3000 | 5000
    0100 a cashback 1000 back=600 stan=6 de7=0520120001                 | 00 | 2000 | 4000 | 4000
  `,
  );
});

describe('a told replacement', () => {
  scenario(
    'of which no request came, goes back by its name with what it added, told once or twice',
    `
    account A limit=6000
    card a
    0100 a purchase 1000 stan=1 de7=0520120001                                       | 00 | 0 | 1000 | 5000
    0120 a purchase 1500 fn=R stan=2 rrn=1 de7=0520120002                            | 00 | 0 | 1500 | 4500
    0420 a stan=3 rrn=1 de90=0100/2/0520120002/12345 de7=0520120003                  | 00 | 0 | 1000 | 5000
    0100 a purchase 1000 stan=4 de7=0520120001                                       | 00 | 0 | 2000 | 4000
    0120 a purchase 1500 fn=R stan=5 rrn=4 de7=0520120002                            | 00 | 0 | 2500 | 3500
    0120 a purchase 1700 fn=R stan=6 rrn=4 de7=0520120003 de90=0100/5/0520120002/12345 | 00 | 0 | 2700 | 3300
    0420 a stan=7 rrn=4 de90=0100/5/0520120002/12345 de7=0520120004                  | 00 | 0 | 2000 | 4000
  `,
  );
});

describe('a 0120 behind a part that a file has cleared', () => {
  scenario(
    'holds what is not presented yet, wherever the roll-back came',
    `
    account A limit=10000
    card a
    0100 a purchase 1000 stan=1 net=N1 de7=0520120001 | 00 | 0 | 1000 | 9000
    clear a purchase 400 net=N1 arn=A1 part           | posted networkId | 400 | 600 | 9000
    undelivered 3                                     | ok | 400 | 0 | 9600
    0120 a purchase 900 stan=2 rrn=1 why=C            | 00 | 400 | 500 | 9100
    0100 a purchase 1000 stan=3 net=N3 de7=0520120001 | 00 | 400 | 1500 | 8100
    undelivered 7                                     | ok | 400 | 500 | 9100
    clear a purchase 400 net=N3 arn=A3 part           | posted networkId afterReversal | 800 | 500 | 8700
    0120 a purchase 900 stan=4 rrn=3 why=C            | 00 | 800 | 1000 | 8200
    clear a purchase 500 net=N3 arn=A4                | posted networkId | 1300 | 500 | 8200
    0100 a purchase 1000 stan=5 net=N5 de7=0520120001 | 00 | 1300 | 1500 | 7200
    undelivered 12                                    | ok | 1300 | 500 | 8200
    clear a purchase 400 net=N5 arn=A5                | posted networkId afterReversal | 1700 | 500 | 7800
    0120 a purchase 900 stan=6 rrn=5 why=C            | 00 | 1700 | 500 | 7800
  `,
  );
});

describe('DE95 of a shipment', () => {
  scenario(
    'is what stays of that; the others and what is held stay, and its full reversal finds the rest',
    `
    account A limit=3000
    card a
    0100 a purchase 1000 stan=1 net=N1 de7=0520120001            | 00 |   0 | 1000 | 2000
    0220 a purchase 300 fn=I stan=2 rrn=1 net=N2 de7=0520120002  | 00 | 300 |  700 | 2000
    0220 a purchase 200 fn=I stan=3 rrn=1 net=N3 de7=0520120003  | 00 | 500 |  500 | 2000
    0420 a purchase 200 stan=4 rrn=1 de95=150 orig=N3 de7=0520120004 | 00 | 450 | 500 | 2050
    0420 a purchase 200 stan=4 rrn=1 de95=150 orig=N3 de7=0520120004 | 00= | 450 | 500 | 2050
    0420 a stan=5 rrn=1 orig=N3 de7=0520120005                   | 00 | 300 |  500 | 2200
    totals 2026-05-20                                            | debits 2 500, debit reversals 2 200, authorizations 1
    hold 3                                                       | 500 of 800
  `,
  );

  scenario(
    'of a single message too; what DE95 of the whole took is of the newest',
    `
    account A limit=3000
    card a
    0200 a purchase 300 stan=9 de7=0520120001                                       | 00 | 300 | 0 | 2700
    0220 a purchase 200 fn=I stan=2 rrn=9 de7=0520120002                            | 00 | 500 | 0 | 2500
    0420 a stan=3 rrn=9 de95=100 de90=0220/2/0520120002/12345 de7=0520120003        | 00 | 400 | 0 | 2600
    0420 a stan=4 rrn=9 de95=330 de7=0520120004                                     | 00 | 330 | 0 | 2670
    0420 a stan=5 rrn=9 de90=0220/2/0520120002/12345 de7=0520120005                 | 00 | 300 | 0 | 2700
    totals 2026-05-20                                                               | debits 2 500, debit reversals 3 200
    0200 a purchase 1000 stan=6 de7=0520120001                                      | 00 | 1300 | 0 | 1700
    0220 a purchase 300 fn=I stan=7 rrn=6 de7=0520120002                            | 00 | 1600 | 0 | 1400
    0220 a purchase 1100 why=C stan=8 rrn=6 de7=0520120003                          | 00 | 1400 | 0 | 1600
    0420 a stan=10 rrn=6 de90=0200/7/0520120002/12345 de7=0520120004                | 00 | 1300 | 0 | 1700
  `,
  );

  scenario(
    'is at the rate of the shipment; of all at that of the original, and as much as all takes nothing back',
    `
    account A limit=10000
    card a
    0200 a purchase 100 cur=840 bill=500/986 stan=1 de7=0520120001                      | 00 |  500 | 0 | 9500
    0220 a purchase 100 cur=840 bill=600/986 fn=I stan=2 rrn=1 de7=0520120002           | 00 | 1100 | 0 | 8900
    0420 a cur=840 stan=3 de95=50 de90=0220/2/0520120002/12345 de7=0520120003           | 00 |  800 | 0 | 9200
    totals 2026-05-20 cur=840                                                           | debits 2 200, debit reversals 1 50
    0420 a cur=840 stan=4 rrn=1 de95=120 de90=0200/1/0520120001/12345 de7=0520120005    | 00 |  600 | 0 | 9400
    totals 2026-05-20 cur=840                                                           | debits 2 200, debit reversals 2 80
    0100 a purchase 400 cur=840 bill=2000/986 stan=5 de7=0520120001                     | 00 |  600 | 2000 | 7400
    0120 a purchase 400 cur=840 bill=2400/986 stan=6 rrn=5 why=C de7=0520120002         | 00 |  600 | 2400 | 7000
    0420 a stan=7 rrn=5 de95=400 cur=840 de90=0100/5/0520120001/12345 de7=0520120003    | 00 |  600 | 2400 | 7000
    0420 a stan=8 rrn=5 de95=300 cur=840 de90=0100/5/0520120001/12345 de7=0520120004    | 00 |  600 | 1500 | 7900
  `,
  );

  scenario(
    'of shipments of which the authorization is not known, and behind the reversal of a replacement or of a part',
    `
    account A limit=10000
    card a
    0220 a purchase 100 cur=840 bill=500/986 fn=I stan=1 rrn=1 de7=0520120001           | 00 | 500 | 0 | 9500
    0220 a purchase 50 cur=840 bill=250/986 fn=I stan=2 rrn=1 de7=0520120002            | 00 | 750 | 0 | 9250
    0420 a cur=840 stan=3 rrn=1 de95=60 de7=0520120003                                  | 00 | 300 | 0 | 9700
    totals 2026-05-20 cur=840                                                           | debits 2 150, debit reversals 1 90
    0100 a purchase 100 cur=840 bill=500/986 stan=4 rrn=4 de7=0520120001                | 00 | 300 | 500 | 9200
    0100 a purchase 150 cur=840 bill=750/986 fn=R stan=5 rrn=4 de7=0520120002           | 00 | 300 | 750 | 8950
    0420 a cur=840 stan=6 rrn=4 de90=0100/5/0520120002/12345 de7=0520120003             | 00 | 300 | 500 | 9200
    0420 a cur=840 stan=7 rrn=4 de95=40 de90=0100/4/0520120001/12345 de7=0520120004     | 00 | 300 | 200 | 9500
    0200 a purchase 100 cur=840 bill=500/986 stan=8 de7=0520120001                      | 00 | 800 | 200 | 9000
    0220 a purchase 100 cur=840 bill=600/986 fn=I stan=9 rrn=8 de7=0520120002           | 00 | 1400 | 200 | 8400
    0420 a cur=840 stan=10 de95=50 de90=0220/9/0520120002/12345 de7=0520120003          | 00 | 1100 | 200 | 8700
    0420 a cur=840 stan=11 rrn=8 de95=150 de90=0200/8/0520120001/12345 de7=0520120005   | 00 | 1100 | 200 | 8700
    totals 2026-05-20 cur=840                                                           | debits 4 350, debit reversals 2 140, authorizations 2
  `,
  );

  scenario(
    'that came behind clearing and posted nothing takes nothing back',
    `
    account A limit=10000
    card a
    0100 a purchase 1000 stan=1 net=N1 de7=0520120001     | 00 | 0 | 1000 | 9000
    clear a purchase 400 net=N1 arn=A1 part               | posted networkId | 400 | 600 | 9000
    0220 a purchase 300 fn=I stan=2 rrn=1 de7=0520120002  | 00 | 400 | 600 | 9000
    0420 a stan=3 de90=0220/2/0520120002/12345            | 00 | 400 | 600 | 9000
  `,
  );
});

describe('windows of cash', () => {
  scenario(
    'count what stand-in tells more of, whatever shipments have counted',
    `
    account A limit=10000
    card a
    controls a {"cash":{"velocity":[{"window":"lifetime","amount":700}]}}
    0200 a cashback 1000 back=300 stan=1 de7=0520120001           | 00 | 1000 | 0 | 9000
    0220 a cashback 500 back=200 fn=I stan=2 rrn=1 de7=0520120002 | 00 | 1500 | 0 | 8500
    0220 a cashback 1200 back=450 stan=1 why=S de7=0520120001     | 00 | 1700 | 0 | 8300
    0100 a cashback 1000 back=51 stan=3 de7=0520120003            | 61 | 1700 | 0 | 8300
    0100 a cashback 1000 back=50 stan=4 de7=0520120004            | 00 | 1700 | 1000 | 7300
  `,
  );
});

describe('a purchase and its refund with one DE37', () => {
  scenario(
    'are told apart by DE3 of a reversal; without it the newest is meant',
    `
    account A limit=10000
    card a
    0200 a purchase 5000 stan=1 de7=0520120001          | 00 | 5000 | 0 | 5000
    0200 a refund 2000 stan=2 rrn=1 de7=0520120002      | 00 | 3000 | 0 | 7000
    0420 a purchase 5000 stan=3 rrn=1 de7=0520120003    | 00 | -2000 | 0 | 12000
    0420 a refund 2000 stan=4 rrn=1 de7=0520120004      | 00 | 0 | 0 | 10000
    0200 a purchase 5000 stan=5 de7=0520120005          | 00 | 5000 | 0 | 5000
    0200 a refund 2000 stan=6 rrn=5 de7=0520120006      | 00 | 3000 | 0 | 7000
    0420 a stan=7 rrn=5 de7=0520120007                  | 00 | 5000 | 0 | 5000
  `,
  );
});
