/** Amounts that become final later: hotels, restaurants, fuel pumps, partial reversals before the final amount. */
import { describe, expect, scenario } from './runner.js';

describe('hotel', () => {
  scenario(
    'thirty days: an estimate, increments, a completion and a smaller final posting',
    `
    account A limit=5000
    card a
    0100 a purchase 1000 stan=1 fn=E mcc=7011 hold=ROOM-12     | 00 |    0 | 1000 | 4000
    ends 3                                                     | 30d
    wait 10d
    0100 a purchase 1000 stan=2 fn=I mcc=7011 hold=ROOM-12     | 00 |    0 | 2000 | 3000
    ends 3                                                     | 30d
    wait 10d
    0100 a purchase 500 stan=3 fn=I mcc=7011 hold=ROOM-12      | 00 |    0 | 2500 | 2500
    wait 1d
    0120 a purchase 2300 stan=4 fn=F mcc=7011 hold=ROOM-12 why=C | 00 |  0 | 2300 | 2700
    ends 3                                                     | 29d
    0220 a purchase 2250 stan=5 mcc=7011 hold=ROOM-12          | 00 | 2250 |    0 | 2750
    hold 3                                                     | 0 of 2250
  `,
  );

  scenario(
    'a completion may be told again with another amount; only a fuel pump has one',
    `
    account A limit=1000
    card a
    0100 a purchase 500 stan=1 mcc=7011             | 00 | 0 | 500 | 500
    0120 a purchase 450 stan=2 rrn=1 why=C          | 00 | 0 | 450 | 550
    0120 a purchase 480 stan=3 rrn=1 why=C          | 00 | 0 | 480 | 520
    0120 a purchase 0 stan=4 rrn=1 why=C            | 00 | 0 |   0 | 1000
    hold 3                                          | none
  `,
  );
});

describe('several postings of one authorization', () => {
  scenario(
    'each names the whole: a later one corrects the earlier',
    `
    account A limit=1000
    card a
    0100 a purchase 500 stan=1                      | 00 |   0 | 500 | 500
    0220 a purchase 300 stan=2 rrn=1                | 00 | 300 |   0 | 700
    0220 a purchase 320 stan=3 rrn=1                | 00 | 320 |   0 | 680
    legs 5                                          | 1100 +20, 2100 -20
    0221 a purchase 320 stan=3 rrn=1                | 00= | 320 |  0 | 680
    0220 a purchase 500 stan=4 rrn=1 fn=F           | 00 | 500 |   0 | 500
  `,
  );

  scenario(
    'shipments, tag 20 = I: each comes on top and releases as much of the hold',
    `
    account A limit=1000
    card a
    0100 a purchase 500 stan=1                      | 00 |   0 | 500 | 500
    0220 a purchase 200 stan=2 rrn=1 fn=I           | 00 | 200 | 300 | 500
    hold 3                                          | 300 of 500
    legs 4                                          | 1100 +200, 2100 -200
    0221 a purchase 200 stan=2 rrn=1 fn=I           | 00= | 200 | 300 | 500
    0220 a purchase 250 stan=3 rrn=1 fn=I           | 00 | 450 |  50 | 500
    0220 a purchase  80 stan=4 rrn=1 fn=I           | 00 | 530 |   0 | 470   # more than was left of the hold
    hold 3                                          | 0 of 530
    0220 a purchase 100 stan=5 rrn=1 fn=I           | 00 | 630 |   0 | 370
    0220 a purchase 600 stan=6 rrn=1 fn=F           | 00 | 600 |   0 | 400   # the whole, at last
    sweep                                           | 0 | 600 | 0 | 400
    wait 8d
    sweep                                           | 1 | 600 | 0 | 400
    0220 a purchase  10 stan=7 rrn=1 fn=I           | 00 | 610 |   0 | 390   # after the end of the hold
  `,
  );

  scenario(
    'the reversal of one shipment takes back that one, once; that of the authorization what is not shipped yet',
    `
    account A limit=1000
    card a
    0100 a purchase 500 stan=1                                        | 00 |   0 | 500 | 500
    0220 a purchase 200 stan=2 rrn=1 fn=I                             | 00 | 200 | 300 | 500
    0220 a purchase 100 stan=3 rrn=1 fn=I                             | 00 | 300 | 200 | 500
    0420 a 100 stan=4 rrn=1 de90=220/3/520120000/00000012345/-        | 00 | 200 | 200 | 600
    legs 6                                                            | 1100 -100, 2100 +100
    0420 a 100 stan=5 rrn=1 de90=220/3/520120000/00000012345/-        | 00 | 200 | 200 | 600   # one effect
    hold 3                                                            | 200 of 400
    0400 a 500 stan=6 rrn=1 de90=100/1/520120000/00000012345/-        | 00 | 200 |   0 | 800   # what was shipped stays
    0420 a 200 stan=7 rrn=1 de90=220/2/520120000/00000012345/-        | 00 |   0 |   0 | 1000
    hold 3                                                            | none
  `,
  );

  scenario(
    'shipments of a purchase of nothing we know, and of one that expired, are posted too',
    `
    account A limit=1000
    card a
    0220 a purchase 200 stan=1 fn=I orig=NOBODY     | 00 | 200 |   0 | 800
    kind 3                                          | advice
    0100 a purchase 100 stan=2                      | 00 | 200 | 100 | 700
    wait 8d
    sweep                                           | 1 | 200 | 0 | 800
    0220 a purchase  40 stan=3 rrn=2 fn=I           | 00 | 240 |   0 | 760
    0220 a purchase  60 stan=4 rrn=2 fn=I           | 00 | 300 |   0 | 700
  `,
  );

  scenario(
    'credits do not come in shipments: each names the whole',
    `
    account A limit=1000
    card a
    0200 a purchase 500 stan=1                      | 00 | 500 |   0 | 500
    0100 a refund 200 stan=2                        | 00 | 500 |   0 | 500
    0220 a refund 150 stan=3 rrn=2 fn=I             | 00 | 350 |   0 | 650
    0220 a refund 200 stan=4 rrn=2 fn=I             | 00 | 300 |   0 | 700
  `,
  );
});

describe('partial reversals and what comes after', () => {
  scenario(
    'then a completion: it names the new amount, also above what the reversal left',
    `
    account A limit=1000
    card a
    0100 a purchase 500 stan=1                      | 00 |   0 | 500 | 500
    0400 a stan=2 rrn=1 de95=300                    | 00 |   0 | 300 | 700
    0120 a purchase 350 stan=3 rrn=1 why=C          | 00 |   0 | 350 | 650
    0400 a stan=4 rrn=1 de95=400                    | 00 |   0 | 350 | 650   # never upward
    0220 a purchase 340 stan=5 rrn=1                | 00 | 340 |   0 | 660
  `,
  );

  scenario(
    'of a posted completion: the mirror, down to DE95; the increment held beside it goes with the rest',
    `
    account A limit=1000
    card a
    0100 a purchase 500 stan=1                      | 00 |   0 | 500 | 500
    0220 a purchase 400 stan=2 rrn=1                | 00 | 400 |   0 | 600
    0100 a purchase 100 stan=3 fn=I rrn=1           | 00 | 400 | 100 | 500
    hold 3                                          | 100 of 500
    0420 a stan=4 rrn=- de90=200/2/520120000/00000012345/- de95=450   | 00 | 400 | 50 | 550
    0420 a stan=5 rrn=- de90=200/2/520120000/00000012345/- de95=350   | 00 | 350 |  0 | 650
    0420 a stan=6 rrn=- de90=200/2/520120000/00000012345/-            | 00 |   0 |  0 | 1000
    hold 3                                          | none
  `,
  );

  scenario(
    'a full reversal of an increment held beside a posting leaves the posting',
    `
    account A limit=1000
    card a
    0100 a purchase 500 stan=1                      | 00 |   0 | 500 | 500
    0220 a purchase 500 stan=2 rrn=1                | 00 | 500 |   0 | 500
    0100 a purchase 100 stan=3 fn=I rrn=1           | 00 | 500 | 100 | 400
    0400 a stan=4 rrn=- de90=100/3/520120000/00000012345/-            | 00 | 500 |  0 | 500
    0400 a stan=5 rrn=- de90=100/1/520120000/00000012345/-            | 00 | 500 |  0 | 500   # the 0100: already posted
  `,
  );
});

describe('automated fuel: the status check of one major unit', () => {
  scenario(
    'nothing was pumped: completed with zero, and a second completion holds nothing',
    `
    account A limit=50000
    card a
    0100 a purchase 100 stan=1 mcc=5542             | 00 | 0 | 17500 | 32500
    0120 a purchase 0 stan=2 rrn=1 mcc=5542 why=C   | 00 | 0 |     0 | 50000
    0120 a purchase 500 stan=3 rrn=1 mcc=5542 why=C | 00 | 0 |     0 | 50000
  `,
  );

  scenario(
    'a stand-in advice is no completion',
    `
    account A limit=50000
    card a
    0120 a purchase 100 stan=1 mcc=5542 why=S       | 00 | 0 |  100 | 49900   # as the network decided it
    0120 a purchase 100 stan=2 rrn=1 mcc=5542 why=S de90=0100/1/0520120000 | 00 | 0 |  100 | 49900
    0120 a purchase 6340 stan=3 rrn=1 mcc=5542 why=C | 00 | 0 | 6340 | 43660
    0120 a purchase 9900 stan=4 rrn=1 mcc=5542 why=C | 00 | 0 | 6340 | 43660
  `,
  );

  scenario(
    'only one major unit, only at a pump, and only for an authorization',
    `
    account A limit=50000
    card a
    0100 a purchase 101 stan=1 mcc=5542             | 00 | 0 | 101 | 49899
    0100 a purchase 100 stan=2 mcc=5541             | 00 | 0 | 201 | 49799   # a filling station with a cashier
    0200 a purchase 100 stan=3 mcc=5542             | 00 | 100 | 201 | 49699
  `,
  );

  scenario(
    'one major unit by the exponent of the currency: 1 yen, 1000 fils',
    `
    program fuel=20000
    account J limit=50000 cur=392
    card j
    0100 j purchase 100 stan=1 mcc=5542 cur=392     | 00 | 0 |   100 | 49900   # a hundred yen are no check
    0100 j purchase 1 stan=2 mcc=5542 cur=392       | 00 | 0 | 20100 | 29900
    account K limit=50000 cur=414
    card k
    0100 k purchase 100 stan=3 mcc=5542 cur=414     | 00 | 0 |   100 | 49900   # a tenth of a dinar
    0100 k purchase 1000 stan=4 mcc=5542 cur=414    | 00 | 0 | 20100 | 29900
    account B limit=50000
    card b
    0100 b purchase 100 stan=5 mcc=5542 cur=840 bill=515/986   | 00 | 0 | 20000 | 30000   # one dollar
    0100 b purchase 1 stan=6 mcc=5542 cur=392 bill=4/986       | 00 | 0 | 40000 | 10000   # one yen
  `,
  );

  scenario(
    'less is available, when_short = hold_available: what there is, from the minimum on',
    `
    program fuel=17500 short=hold_available least=5000
    account A limit=12000
    card a
    0100 a purchase 100 stan=1 mcc=5542             | 00 | 0 | 12000 |     0   # 00 and no partial approval
    0400 a stan=2 rrn=1                             | 00 | 0 |     0 | 12000
    0100 a purchase 7001 stan=3                     | 00 | 0 |  7001 |  4999
    0100 a purchase 100 stan=4 mcc=5542 partial     | 51 | 0 |  7001 |  4999
    limit A 12001                                   | ok | 0 |  7001 |  5000
    0100 a purchase 100 stan=5 mcc=5542 partial     | 00 | 0 | 12001 |     0
  `,
    (run) => {
      for (const line of [4, 9]) expect(run.outcomes.get(line)!.facts.partial).toBe(false);
    },
  );

  scenario(
    'less is available, when_short = decline: nothing',
    `
    program fuel=17500 short=decline
    account A limit=17499
    card a
    0100 a purchase 100 stan=1 mcc=5542 partial     | 51 | 0 |     0 | 17499
    limit A 17500                                   | ok | 0 |     0 | 17500
    0100 a purchase 100 stan=2 mcc=5542             | 00 | 0 | 17500 |     0
  `,
  );

  scenario(
    'a program that raises nothing holds what was asked for',
    `
    program fuel=0
    account A limit=1000
    card a
    0100 a purchase 100 stan=1 mcc=5542             | 00 | 0 | 100 | 900
  `,
  );
});
