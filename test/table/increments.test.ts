/** Increments (DE48 tag 20 = I, the amount comes on top) and replacements (R, the amount is the new total). */
import { describe, scenario } from './runner.js';

describe('increments', () => {
  scenario(
    'two in a row add to one hold, found by network id and by RRN',
    `
    account A limit=1000
    card a
    0100 a purchase 300 stan=1 net=N1              | 00 | 0 | 300 | 700
    0100 a purchase 200 stan=2 fn=I orig=N1        | 00 | 0 | 500 | 500
    0100 a purchase 100 stan=3 fn=I rrn=1          | 00 | 0 | 600 | 400
    hold 3                                         | 600 of 600
    kind 4                                         | increment
    0101 a purchase 100 stan=3 fn=I rrn=1          | 00= | 0 | 600 | 400
    0400 a stan=9 rrn=1                            | 00 | 0 |   0 | 1000   # the RRN means the whole
  `,
  );

  scenario(
    'by the reference that the acquirer gave the hold',
    `
    account A limit=1000
    card a
    0100 a purchase 300 stan=1 hold=FOLIO-7        | 00 | 0 | 300 | 700
    0100 a purchase 200 stan=2 fn=I hold=FOLIO-7   | 00 | 0 | 500 | 500
    0100 a purchase 100 stan=3 fn=I hold=FOLIO-7   | 00 | 0 | 600 | 400
    hold 3                                         | 600 of 600
  `,
  );

  scenario(
    'a declined one leaves the hold and its end as they were; a smaller one then fits',
    `
    account A limit=1000
    card a
    0100 a purchase 600 stan=1                     | 00 | 0 | 600 | 400   # 7 days
    wait 2d
    0100 a purchase 401 stan=2 fn=I rrn=1          | 51 | 0 | 600 | 400
    0100 a purchase 401 stan=3 fn=I rrn=1 partial  | 51 | 0 | 600 | 400   # all of it or nothing
    hold 3                                         | 600 of 600
    ends 3                                         | 5d
    kind 5                                         | increment
    0100 a purchase 400 stan=4 fn=I rrn=1          | 00 | 0 | 1000 |  0   # only the delta needs to be available
    0100 a purchase   1 stan=5 fn=I rrn=1          | 51 | 0 | 1000 |  0
  `,
  );

  scenario(
    'an approved one restarts the life that the authorization had, whatever the increment itself looks like',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1 mcc=7011 mode=51    | 00 | 0 | 100 | 900   # lodging: 30 days
    wait 20d
    ends 3                                         | 10d
    0100 a purchase 50 stan=2 fn=I rrn=1 mode=51   | 00 | 0 | 150 | 850
    ends 3                                         | 30d
    0100 a purchase 100 stan=5 mcc=5812 mode=51    | 00 | 0 | 250 | 750   # card present: 5 days
    wait 1d
    0100 a purchase 50 stan=6 fn=I rrn=5 mcc=7011  | 00 | 0 | 300 | 700
    ends 8                                         | 5d
    ends 3                                         | 29d
  `,
  );

  scenario(
    'of an original that we do not know, declined, or that is gone: a new authorization',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1 fn=I orig=NOBODY    | 00 | 0 | 100 | 900
    kind 3                                         | authorization
    hold 3                                         | 100 of 100
    0100 a purchase 2000 stan=2                    | 51 | 0 | 100 | 900
    0100 a purchase 200 stan=3 fn=I rrn=2          | 00 | 0 | 300 | 700
    kind 7                                         | authorization
    0100 a purchase 100 stan=4                     | 00 | 0 | 400 | 600
    0400 a stan=5 rrn=4                            | 00 | 0 | 300 | 700
    0100 a purchase 50 stan=6 fn=I rrn=4 de7=0520120001 | 00 | 0 | 350 | 650
    kind 11                                        | authorization
    hold 11                                        | 50 of 50
    0100 a refund 70 stan=7                        | 00 | 0 | 350 | 650
    0100 a purchase 10 stan=8 fn=I rrn=7           | 00 | 0 | 360 | 640   # nothing is added to a refund
    kind 15                                        | authorization
    0100 a purchase 700 stan=9 fn=I rrn=X          | 51 | 0 | 360 | 640
    kind 17                                        | authorization
  `,
  );

  scenario(
    'that was sent before the reversal of its authorization and arrives behind it is late',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1 de7=0520120000             | 00 | 0 | 100 | 900
    0100 a purchase 10 stan=2 fn=I rrn=1 de7=0520120010   | 00 | 0 | 110 | 890
    0400 a stan=3 rrn=1 de7=0520120030                    | 00 | 0 |   0 | 1000
    0100 a purchase 20 stan=4 fn=I rrn=1 de7=0520120020   | 68 | 0 |   0 | 1000
    why 6                                                 | reversedBeforeArrival
    0100 a purchase 200 stan=5 fn=R rrn=1 de7=0520120020  | 68 | 0 |   0 | 1000
    0101 a purchase 20 stan=4 fn=I rrn=1 de7=0520120020   | 68= | 0 |  0 | 1000
    0100 a purchase 30 stan=6 fn=I rrn=1 de7=0520120040   | 00 | 0 |  30 | 970   # sent behind it
    kind 10                                               | authorization
  `,
  );

  scenario(
    'after a partial reversal: on top of what stayed authorized',
    `
    account A limit=1000
    card a
    0100 a purchase 500 stan=1                     | 00 | 0 | 500 | 500
    0400 a stan=2 rrn=1 de95=200                   | 00 | 0 | 200 | 800
    0100 a purchase 150 stan=3 fn=I rrn=1          | 00 | 0 | 350 | 650   # 200 + 150
    0400 a stan=4 rrn=1 de95=300                   | 00 | 0 | 300 | 700
    0400 a stan=5 rrn=1 de95=400                   | 00 | 0 | 300 | 700   # never upward
  `,
  );

  scenario(
    'a reversal that names the increment by its STAN takes back that one; by the RRN, the whole',
    `
    account A limit=1000
    card a
    0100 a purchase 300 stan=1                                   | 00 | 0 | 300 | 700
    0100 a purchase 200 stan=2 fn=I rrn=1                        | 00 | 0 | 500 | 500
    0100 a purchase 100 stan=3 fn=I rrn=1                        | 00 | 0 | 600 | 400
    0400 a stan=9 rrn=- de90=100/2/520120000/00000012345/-       | 00 | 0 | 400 | 600
    hold 3                                                       | 400 of 400
    0101 a purchase 200 stan=2 fn=I rrn=1                        | 68 | 0 | 400 | 600   # it is undone
    0101 a purchase 100 stan=3 fn=I rrn=1                        | 00= | 0 | 400 | 600   # this one stands
    0101 a purchase 300 stan=1                                   | 00= | 0 | 400 | 600
    0400 a stan=10 rrn=1                                         | 00 | 0 |   0 | 1000
    0101 a purchase 100 stan=3 fn=I rrn=1                        | 68 | 0 |   0 | 1000
    0101 a purchase 300 stan=1                                   | 68 | 0 |   0 | 1000
  `,
  );

  scenario(
    'a second reversal of the same increment, under another STAN, has no further effect',
    `
    account A limit=1000
    card a
    0100 a purchase 300 stan=1                                   | 00 | 0 | 300 | 700
    0100 a purchase 200 stan=2 fn=I rrn=1                        | 00 | 0 | 500 | 500
    0400 a stan=8 rrn=- de90=100/2/520120000/00000012345/-       | 00 | 0 | 300 | 700
    0420 a stan=9 rrn=- de90=100/2/520120000/00000012345/-       | 00 | 0 | 300 | 700
    hold 3                                                       | 300 of 300
  `,
  );

  scenario(
    'the reversal of a declined one releases nothing of the hold',
    `
    account A limit=1000
    card a
    0100 a purchase 600 stan=1                                   | 00 | 0 | 600 | 400
    0100 a purchase 500 stan=2 fn=I rrn=1                        | 51 | 0 | 600 | 400
    0420 a stan=9 rrn=- de90=100/2/520120000/00000012345/-       | 00 | 0 | 600 | 400
    hold 3                                                       | 600 of 600
    0101 a purchase 600 stan=1                                   | 00= | 0 | 600 | 400
  `,
  );

  scenario(
    'one that was not delivered goes back alone; the reversal that the network sends for it finds nothing left',
    `
    account A limit=1000
    card a
    0100 a purchase 300 stan=1                                   | 00 | 0 | 300 | 700
    0100 a purchase 200 stan=2 fn=I rrn=1                        | 00 | 0 | 500 | 500
    undelivered 4                                                | ok | 0 | 300 | 700
    undelivered 4                                                | no | 0 | 300 | 700
    hold 3                                                       | 300 of 300
    0420 a stan=9 rrn=- de90=100/2/520120000/00000012345/-       | 00 | 0 | 300 | 700
    0101 a purchase 200 stan=2 fn=I rrn=1                        | 68 | 0 | 300 | 700
  `,
  );

  scenario(
    'one that the network reversed before its delivery failed is not taken back twice',
    `
    account A limit=1000
    card a
    0100 a purchase 300 stan=1                                   | 00 | 0 | 300 | 700
    0100 a purchase 200 stan=2 fn=I rrn=1                        | 00 | 0 | 500 | 500
    0420 a stan=9 rrn=- de90=100/2/520120000/00000012345/-       | 00 | 0 | 300 | 700
    undelivered 4                                                | ok | 0 | 300 | 700
    hold 3                                                       | 300 of 300
  `,
  );

  scenario(
    'its reversal after the hold has ended leaves the authorization as it was, also of a declined one',
    `
    account A limit=1000
    card a
    0100 a purchase 300 stan=1                                   | 00 | 0 | 300 | 700
    0100 a purchase 200 stan=2 fn=I rrn=1                        | 00 | 0 | 500 | 500
    0100 a purchase 900 stan=3 fn=I rrn=1                        | 51 | 0 | 500 | 500
    0120 a purchase 0 stan=4 rrn=1 why=C                         | 00 | 0 |   0 | 1000   # nothing was used
    0420 a stan=8 rrn=- de90=100/2/520120000/00000012345/-       | 00 | 0 |   0 | 1000
    0420 a stan=9 rrn=- de90=100/3/520120000/00000012345/-       | 00 | 0 |   0 | 1000
    0101 a purchase 200 stan=2 fn=I rrn=1                        | 68 | 0 |   0 | 1000
    0101 a purchase 300 stan=1                                   | 00= | 0 |  0 | 1000
    0120 a purchase 120 stan=10 rrn=1 why=C                      | 00 | 0 | 120 | 880   # it was used after all
  `,
  );

  scenario(
    'its own reversal came first: declined with 68, the hold stays',
    `
    account A limit=1000
    card a
    0100 a purchase 300 stan=1                                   | 00 | 0 | 300 | 700
    0420 a stan=9 rrn=- de90=100/2/520120000/00000012345/-       | 00 | 0 | 300 | 700
    0100 a purchase 200 stan=2 fn=I rrn=1                        | 68 | 0 | 300 | 700
    hold 3                                                       | 300 of 300
  `,
  );

  scenario(
    'in another currency the billed delta counts, and DE95 is compared with the total',
    `
    account A limit=10000
    card a
    0100 a purchase 1000 cur=840 bill=5000/986 stan=1            | 00 | 0 | 5000 | 5000
    0100 a purchase 100 cur=840 bill=510/986 stan=2 fn=I rrn=1   | 00 | 0 | 5510 | 4490
    0400 a stan=3 rrn=1 de95=1050 cur=840                        | 00 | 0 | 5250 | 4750   # 1050 x 5000 / 1000
    0400 a stan=4 rrn=1 de95=1100 cur=840                        | 00 | 0 | 5250 | 4750
    0100 a purchase 100 cur=840 bill=500/986 stan=5 fn=I rrn=1   | 00 | 0 | 5750 | 4250
    0400 a stan=6 rrn=- de90=100/5/520120000/00000012345/- de95=400 cur=840 | 00 | 0 | 2000 | 8000
  `,
  );

  scenario(
    'are of authorizations only: of a single message, and of a credit, 12',
    `
    account A limit=1000
    card a
    0200 a purchase 100 stan=1 fn=I                | 12 | 0 | 0 | 1000
    0100 a refund 100 stan=2 fn=I                  | 12 | 0 | 0 | 1000
    0200 a purchase 100 stan=3                     | 00 | 100 | 0 | 900
    0100 a purchase 50 stan=4 fn=I rrn=3           | 00 | 100 | 50 | 850   # a posted one has no hold: a new authorization
    kind 6                                         | authorization
  `,
  );
});

describe('replacements', () => {
  scenario(
    'up and down: the amount is the new total, and only what is more needs to be available',
    `
    account A limit=1000
    card a
    0100 a purchase 400 stan=1                     | 00 | 0 | 400 | 600
    0100 a purchase 900 stan=2 fn=R rrn=1          | 00 | 0 | 900 | 100
    kind 4                                         | replacement
    0100 a purchase 1001 stan=3 fn=R rrn=1         | 51 | 0 | 900 | 100
    hold 3                                         | 900 of 900
    0100 a purchase 250 stan=4 fn=R rrn=1          | 00 | 0 | 250 | 750
    hold 3                                         | 250 of 250
  `,
  );

  scenario(
    'restarts the life of the hold; of an unknown original it is a new authorization',
    `
    account A limit=1000
    card a
    0100 a purchase 400 stan=1                     | 00 | 0 | 400 | 600
    wait 3d
    0100 a purchase 300 stan=2 fn=R rrn=1          | 00 | 0 | 300 | 700
    ends 3                                         | 7d
    0100 a purchase 100 stan=3 fn=R rrn=X          | 00 | 0 | 400 | 600
    kind 7                                         | authorization
  `,
  );

  scenario(
    'its own reversal takes back what it added, never more; of one that lowered the total, nothing',
    `
    account A limit=1000
    card a
    0100 a purchase 400 stan=1                                   | 00 | 0 | 400 | 600
    0100 a purchase 900 stan=2 fn=R rrn=1                        | 00 | 0 | 900 | 100
    0400 a stan=3 rrn=- de90=100/2/520120000/00000012345/-       | 00 | 0 | 400 | 600
    0100 a purchase 250 stan=4 fn=R rrn=1                        | 00 | 0 | 250 | 750
    0400 a stan=5 rrn=- de90=100/4/520120000/00000012345/-       | 00 | 0 | 250 | 750   # never upward
    0101 a purchase 250 stan=4 fn=R rrn=1                        | 68 | 0 | 250 | 750
  `,
  );

  scenario(
    'one that was not delivered: the authorization is what it was before',
    `
    account A limit=1000
    card a
    0100 a purchase 400 stan=1                     | 00 | 0 | 400 | 600
    0100 a purchase 900 stan=2 fn=R rrn=1          | 00 | 0 | 900 | 100
    undelivered 4                                  | ok | 0 | 400 | 600
    0100 a purchase 250 stan=3 fn=R rrn=1          | 00 | 0 | 250 | 750
    undelivered 6                                  | ok | 0 | 400 | 600
  `,
  );

  scenario(
    'N and F decide nothing: what is marked as final is held and lives as what is not, and may be changed',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1                  | 00 |   0 | 100 |  900
    0100 a purchase 100 stan=2 fn=N             | 00 |   0 | 200 |  800
    0100 a purchase 100 stan=3 fn=F             | 00 |   0 | 300 |  700
    0100 a purchase 100 stan=4 fn=E             | 00 |   0 | 400 |  600
    ends 3                                      | 7d
    ends 4                                      | 7d
    ends 5                                      | 7d
    ends 6                                      | 30d
    0100 a purchase 50 stan=5 fn=I rrn=3        | 00 |   0 | 450 |  550
    hold 5                                      | 150 of 150
    0220 a purchase 140 stan=6 rrn=3            | 00 | 140 | 300 |  560
    0220 a purchase 145 stan=7 rrn=3 fn=F       | 00 | 145 | 300 |  555
  `,
  );
});
