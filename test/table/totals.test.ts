/** Totals of an acquirer's business date: what counts where. */
import { describe, scenario } from './runner.js';

describe('financial messages', () => {
  scenario(
    'purchases are debits, refunds are credits; declines and repeats count nowhere',
    `
    account A limit=1000
    card a
    0200 a purchase 300 stan=1                      | 00 | 300 | 0 | 700
    0201 a purchase 300 stan=1                      | 00= | 300 | 0 | 700
    0200 a cash 100 stan=2                          | 00 | 400 | 0 | 600
    0200 a purchase 900 stan=3                      | 51 | 400 | 0 | 600
    0200 a refund 50 stan=4                         | 00 | 350 | 0 | 650
    0220 a purchase 20 stan=5 why=S                 | 00 | 370 | 0 | 630
    0220 a purchase 20 stan=6 why=D                 | 00 | 370 | 0 | 630   # the network declined it
    0200 a inquiry stan=7                           | 00 | 370 | 0 | 630
    0200 a verify stan=8                            | 85 | 370 | 0 | 630
    0200 ? purchase 10 stan=9                       | 14 | 370 | 0 | 630
    totals 2026-05-20                               | credits 1 50, debits 3 420, inquiries 2
  `,
  );

  scenario(
    'a partial approval counts what was approved, in the currency of the merchant',
    `
    account A limit=3000
    card a
    0200 a purchase 1000 cur=840 bill=5005/986 partial stan=1   | 10 | 3000 | 0 | 0
    totals 2026-05-20 cur=840                       | debits 1 599
    totals 2026-05-20 cur=986                       | none
  `,
  );

  scenario(
    'each link, acquirer, currency and date has its own',
    `
    account A limit=1000
    card a
    0200 a purchase 1 stan=1                        | 00 | 1 | 0 | 999
    0200 a purchase 2 stan=2 link=2                 | 00 | 3 | 0 | 997
    0200 a purchase 4 stan=3 acquirer=00000012345   | 00 | 7 | 0 | 993   # zeros in front are no part of it
    0200 a purchase 8 stan=4 acquirer=99            | 00 | 15 | 0 | 985
    0200 a purchase 16 stan=5 date=2026-05-21       | 00 | 31 | 0 | 969
    totals 2026-05-20                               | debits 2 5
    totals 2026-05-20 link=2                        | debits 1 2
    totals 2026-05-20 acquirer=99                   | debits 1 8
    totals 2026-05-21                               | debits 1 16
  `,
  );
});

describe('authorizations', () => {
  scenario(
    'are numbers only; an inquiry is one of its own',
    `
    account A limit=1000
    card a
    0100 a purchase 300 stan=1                      | 00 | 0 | 300 | 700
    0100 a purchase 5 stan=2 fn=I rrn=1             | 00 | 0 | 305 | 695
    0100 a verify stan=3                            | 85 | 0 | 305 | 695
    0100 a inquiry stan=4                           | 00 | 0 | 305 | 695
    0100 a purchase 900 stan=5                      | 51 | 0 | 305 | 695
    0120 a purchase 7 stan=6 why=S                  | 00 | 0 | 312 | 688
    0400 a purchase 300 stan=7 rrn=1                | 00 | 0 | 7 | 993   # releases a hold: nothing was posted
    totals 2026-05-20                               | inquiries 1, authorizations 4
  `,
  );
});

describe('reversals', () => {
  scenario(
    'of what posted: the whole amount, or what does not stay; and only once',
    `
    account A limit=1000
    card a
    0200 a purchase 300 stan=1                      | 00 | 300 | 0 | 700
    0200 a purchase 200 stan=2                      | 00 | 500 | 0 | 500
    0200 a refund 50 stan=3                         | 00 | 450 | 0 | 550
    0400 a purchase 300 stan=4 rrn=1                | 00 | 150 | 0 | 850
    0420 a purchase 300 stan=5 rrn=1                | 00 | 150 | 0 | 850   # nothing is left to be posted back
    0400 a purchase 200 stan=6 rrn=2 de95=150       | 00 | 100 | 0 | 900
    0400 a refund 50 stan=7 rrn=3                   | 00 | 150 | 0 | 850
    totals 2026-05-20                               | credits 1 50, credit reversals 1 50, debits 2 500, debit reversals 2 350
  `,
  );

  scenario(
    'without a processing code are of the sort that they post back',
    `
    account A limit=1000
    card a
    0200 a refund 50 stan=1                         | 00 | -50 | 0 | 1050
    0400 a stan=2 rrn=1                             | 00 | 0 | 0 | 1000
    totals 2026-05-20                               | credits 1 50, credit reversals 1 50
    `,
  );

  scenario(
    'a full one after partial ones takes back what still stood, whatever DE4 says, or does not',
    `
    account A limit=1000
    card a
    0200 a purchase 300 stan=1                      | 00 | 300 | 0 | 700
    0400 a purchase 300 stan=2 rrn=1 de95=200       | 00 | 200 | 0 | 800
    totals 2026-05-20                               | debits 1 300, debit reversals 1 100
    0400 a purchase 300 stan=3 rrn=1 de95=50        | 00 |  50 | 0 | 950
    totals 2026-05-20                               | debits 1 300, debit reversals 2 250
    0400 a purchase 300 stan=4 rrn=1                | 00 |   0 | 0 | 1000
    totals 2026-05-20                               | debits 1 300, debit reversals 3 300
    0200 a purchase 80 stan=5                       | 00 |  80 | 0 | 920
    0400 a stan=6 rrn=5                             | 00 |   0 | 0 | 1000
    totals 2026-05-20                               | debits 2 380, debit reversals 4 380
    0200 a purchase 1500 stan=7 partial             | 10 | 1000 | 0 | 0
    0400 a purchase 1500 stan=8 rrn=7               | 00 |   0 | 0 | 1000
    totals 2026-05-20                               | debits 3 1380, debit reversals 5 1380
  `,
  );

  scenario(
    'in another currency: to the last unit of the merchant, though the account has fewer of them',
    `
    account A limit=10000
    card a
    0200 a purchase 10001 cur=392 bill=6667/986 stan=1         | 00 | 6667 | 0 | 3333
    0400 a purchase 10001 cur=392 stan=2 rrn=1 de95=5000       | 00 | 3333 | 0 | 6667
    totals 2026-05-20 cur=392                                  | debits 1 10001, debit reversals 1 5001
    0400 a purchase 10001 cur=392 stan=3 rrn=1 de95=4990       | 00 | 3327 | 0 | 6673
    0400 a purchase 10001 cur=392 stan=4 rrn=1                 | 00 |    0 | 0 | 10000
    totals 2026-05-20 cur=392                                  | debits 1 10001, debit reversals 3 10001
  `,
  );

  scenario(
    'what was posted for an authorization stands when its own reply was not delivered',
    `
    account A limit=1000
    card a
    0100 a purchase 300 stan=1                      | 00 |   0 | 300 | 700
    0220 a purchase 300 stan=2 rrn=1                | 00 | 300 |   0 | 700
    undelivered 3                               | ok | 300 | 0 | 700
    0400 a purchase 300 stan=3 de90=220/2/520120000 de95=100 | 00 | 100 | 0 | 900
    totals 2026-05-20                               | debits 1 300, debit reversals 1 200
  `,
  );

  scenario(
    'of a shipment no more than still stands; advices that change nothing change no amounts',
    `
    account A limit=1000
    card a
    0220 a purchase 100 stan=1 fn=I                 | 00 | 100 | 0 | 900
    0220 a purchase 200 stan=2 rrn=1 fn=I           | 00 | 300 | 0 | 700
    0220 a purchase 300 stan=3 rrn=1 why=D          | 00 | 300 | 0 | 700
    0400 a purchase 300 stan=4 rrn=1 de95=150       | 00 | 150 | 0 | 850
    totals 2026-05-20                               | debits 2 300, debit reversals 1 150
    0420 a stan=5 rrn=1 de90=220/2/520120000        | 00 | 100 | 0 | 900   # 150 of it had gone before
    totals 2026-05-20                               | debits 2 300, debit reversals 2 200
  `,
  );

  scenario(
    'of a correction the corrected amount, of a shipment its own',
    `
    account A limit=1000
    card a
    0200 a purchase 300 stan=1                                              | 00 | 300 | 0 | 700
    0220 a purchase 250 stan=2 rrn=1                                        | 00 | 250 | 0 | 750
    0400 a purchase 300 stan=3 rrn=1                                        | 00 |   0 | 0 | 1000
    totals 2026-05-20                                                       | debits 1 250, debit reversals 1 250
    0220 a purchase 100 stan=4 fn=I date=2026-05-21 acquirer=9              | 00 | 100 | 0 | 900
    0220 a purchase 200 stan=5 rrn=4 fn=I date=2026-05-21 acquirer=9        | 00 | 300 | 0 | 700
    0420 a stan=6 rrn=4 de90=220/5/520120000/9/- date=2026-05-21 acquirer=9 | 00 | 100 | 0 | 900
    0420 a stan=7 rrn=4 de90=220/4/520120000/9/- date=2026-05-21 acquirer=9 | 00 |   0 | 0 | 1000
    totals 2026-05-21 acquirer=9                                            | debits 2 300, debit reversals 2 300
  `,
  );

  scenario(
    'what a correction takes from the amount of an earlier date is told as an amount of reversals',
    `
    account A limit=1000
    card a
    0200 a purchase 300 stan=1                                | 00 | 300 | 0 | 700
    0220 a purchase 250 stan=2 rrn=1 date=2026-05-21          | 00 | 250 | 0 | 750
    totals 2026-05-21                                         | debits 0 -50
    0500 date=2026-05-21 76=0 88=0 89=50 97=50                | 00 | 250 | 0 | 750
  `,
  );

  scenario(
    'after the cutover belong to their own date',
    `
    account A limit=1000
    card a
    0200 a purchase 300 stan=1                      | 00 | 300 | 0 | 700
    0400 a purchase 300 stan=2 rrn=1 date=2026-05-21 | 00 | 0 | 0 | 1000
    totals 2026-05-20                               | debits 1 300
    totals 2026-05-21                               | debit reversals 1 300
  `,
  );

  scenario(
    'that come before their original count nowhere, nor does the original',
    `
    account A limit=1000
    card a
    0420 a purchase 300 stan=9 rrn=- de90=200/1/0520120000/00000012345/-   | 00 | 0 | 0 | 1000
    0200 a purchase 300 stan=1 de7=0520120000       | 68 | 0 | 0 | 1000
    totals 2026-05-20                               | none
  `,
  );
});

describe('an approval that was not delivered', () => {
  scenario(
    'is taken out again, on the date it counted on',
    `
    account A limit=1000
    card a
    0200 a purchase 300 stan=1                      | 00 | 300 | 0 | 700
    0200 a purchase 100 stan=2                      | 00 | 400 | 0 | 600
    0100 a purchase 10 stan=3                       | 00 | 400 | 10 | 590
    at 2026-05-21T00:00:01
    undelivered 3                                   | ok | 100 | 10 | 890
    undelivered 5                                   | ok | 100 | 0 | 900
    totals 2026-05-20                               | debits 1 100
    totals 2026-05-21                               | none
  `,
  );
});

describe('a reversal without DE49', () => {
  scenario(
    'counts in the currency of the account what it posts back there',
    `
    account A limit=10000
    card a
    0200 a purchase 100 cur=840 bill=500/986 stan=1 de7=0520120001      | 00 | 500 | 0 | 9500
    0220 a purchase 20 cur=840 bill=100/986 fn=I stan=2 rrn=1 de7=0520120002 | 00 | 600 | 0 | 9400
    0420 a cur=- stan=3 rrn=1 de90=0220/2/0520120002/12345 de7=0520120003     | 00 | 500 | 0 | 9500
    0420 a cur=- stan=4 rrn=1 de90=0200/1/0520120001/12345 de95=60 de7=0520120004 | 00 | 300 | 0 | 9700
    totals 2026-05-20 cur=840                       | debits 2 120
    totals 2026-05-20                               | debit reversals 2 300
  `,
  );
});

describe('a 0220 of stand-in over what is counted', () => {
  scenario(
    'at another rate counts its own DE4, and what DE95 left stays what DE95 says',
    `
    account A limit=10000
    card a
    0200 a purchase 100 cur=840 bill=500/986 stan=1 de7=0520120001  | 00 | 500 | 0 | 9500
    0220 a purchase 100 cur=840 bill=510/986 stan=1 why=S de7=0520120001 | 00 | 510 | 0 | 9490
    totals 2026-05-20 cur=840                       | debits 1 100
    0200 a purchase 100 cur=840 bill=500/986 stan=2 acquirer=9 de7=0520120002  | 00 | 1010 | 0 | 8990
    0420 a stan=3 rrn=2 cur=840 de95=60 acquirer=9 de7=0520120009 | 00 |  810 | 0 | 9190
    0220 a purchase 100 cur=840 bill=510/986 stan=2 why=S acquirer=9 de7=0520120002 | 00 | 810 | 0 | 9190
    totals 2026-05-20 cur=840 acquirer=9            | debits 1 100, debit reversals 1 40
    0420 a stan=4 rrn=2 cur=840 acquirer=9 de90=0200/2/0520120002/9 de7=0520120010 | 00 |  510 | 0 | 9490
    totals 2026-05-20 cur=840 acquirer=9            | debits 1 100, debit reversals 2 100
  `,
  );

  scenario(
    'counts what of it stands posted where a reversal came first',
    `
    account A limit=10000
    card a
    0200 a purchase 100 stan=1 exp=2001 de7=0520120001 | 54 |  0 | 0 | 10000
    0420 a stan=2 rrn=1 de95=60 de7=0520120009       | 00 |  0 | 0 | 10000
    0220 a purchase 100 stan=1 why=S de7=0520120001 | 00 | 60 | 0 |  9940
    totals 2026-05-20                               | debits 1 60
  `,
  );

  scenario(
    'counts no message more where a reversal counts what was not delivered',
    `
    account A limit=10000
    card a
    0200 a purchase 100 stan=1 de7=0520120001       | 00 | 100 | 0 | 9900
    0420 a stan=2 rrn=1 de95=60 de7=0520120009       | 00 |  60 | 0 | 9940
    undelivered 3                                   | ok |   0 | 0 | 10000
    totals 2026-05-20                               | debits 1 40, debit reversals 1 40
    0220 a purchase 100 stan=1 why=S de7=0520120001 | 00 |  60 | 0 | 9940
    totals 2026-05-20                               | debits 1 100, debit reversals 1 40
  `,
  );
});

describe('dates', () => {
  scenario(
    'a date is kept for 35 days, and 7 days ahead; the rest counts nowhere',
    `
    account A limit=1000
    card a
    0200 a purchase 1 stan=1 date=2026-04-15        | 00 | 1 | 0 | 999
    0200 a purchase 2 stan=2 date=2026-04-14        | 00 | 3 | 0 | 997
    0200 a purchase 4 stan=3 date=2026-05-27        | 00 | 7 | 0 | 993
    0200 a purchase 8 stan=4 date=2026-05-28        | 00 | 15 | 0 | 985
    totals 2026-04-15                               | debits 1 1
    totals 2026-04-14                               | none
    totals 2026-05-27                               | debits 1 4
    totals 2026-05-28                               | none
    wait 24h
    totals 2026-04-15                               | debits 1 1
    0200 a purchase 16 stan=5                       | 00 | 31 | 0 | 969   # the first of the next day drops it
    totals 2026-04-15                               | none
    undelivered 3                                   | ok | 30 | 0 | 970
    undelivered 6                                   | ok | 22 | 0 | 978   # was not counted, so is not taken out
    0200 a purchase 32 stan=6 date=2026-05-28       | 00 | 54 | 0 | 946
    totals 2026-04-15                               | none
    totals 2026-05-28                               | debits 1 32
  `,
  );
});

describe('a correction on another date', () => {
  scenario(
    'that is more than all of that date is told as reversed: no amount but the net is below zero',
    `
    account A limit=1000
    card a
    0200 a purchase 100 stan=1 de7=0520120001 date=2026-05-20                 | 00 | 100 | 0 | 900
    0220 a purchase 40 stan=2 rrn=1 why=C date=2026-05-21                     | 00 |  40 | 0 | 960
    0500 date=2026-05-20 76=1 77=0 88=100 89=0 97=-100                        | 00 |  40 | 0 | 960
    0500 date=2026-05-21 76=0 77=0 88=0 89=60 97=60                           | 00 |  40 | 0 | 960
    0200 a refund 30 stan=3 de7=0520120001 date=2026-05-20                    | 00 |  10 | 0 | 990
    0220 a refund 10 stan=4 rrn=3 why=C date=2026-05-21                       | 00 |  30 | 0 | 970
    0500 date=2026-05-21 74=0 75=0 86=0 87=20 88=0 89=60 97=40                | 00 |  30 | 0 | 970
    0500 date=2026-05-21 76=0 88=1                                            | 95 |  30 | 0 | 970
  `,
  );
});
