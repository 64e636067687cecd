/** What may still come when the life of a hold has ended: it releases what remains, and the authorization stays known. */
import { describe, expect, scenario } from './runner.js';

describe('after the end of a hold', () => {
  scenario(
    'a reversal, in part or in full, finds nothing left and touches no other hold',
    `
    account A limit=1000
    card a
    0100 a purchase 400 stan=1 mode=51              | 00  | 0 | 400 |  600   # 5 days
    wait 4d
    sweep                                           | 0   | 0 | 400 |  600
    wait 1d
    sweep                                           | 1   | 0 |   0 | 1000
    0101 a purchase 400 stan=2                      | 00  | 0 | 400 |  600   # another one
    0400 a stan=3 rrn=1 de95=100                    | 00  | 0 | 400 |  600
    0400 a stan=4 rrn=1                             | 00  | 0 | 400 |  600
    hold 3                                          | none
  `,
  );

  scenario(
    'a completion holds its amount anew for another life, a financial advice posts it',
    `
    account A limit=1000
    card a
    0100 a purchase 400 stan=1 mode=51              | 00 |   0 | 400 |  600
    0100 a purchase 300 stan=2 mode=51              | 00 |   0 | 700 |  300
    wait 6d
    sweep                                           | 2  |   0 |   0 | 1000
    0120 a purchase 450 stan=3 rrn=1 why=C          | 00 |   0 | 450 |  550
    ends 3                                          | 5d
    0220 a purchase 300 stan=4 rrn=2                | 00 | 300 | 450 |  250
    wait 5d
    sweep                                           | 1  | 300 |   0 |  700
  `,
  );

  scenario(
    'an increment restarts a life that has not ended, and is a new authorization after that',
    `
    account A limit=1000
    card a
    0100 a purchase 400 stan=1 mode=51              | 00 | 0 | 400 | 600
    wait 4d
    0100 a purchase 100 stan=2 fn=I rrn=1 mode=51   | 00 | 0 | 500 | 500
    wait 4d
    sweep                                           | 0  | 0 | 500 | 500
    0100 a purchase 600 stan=3 fn=I rrn=1 mode=51   | 51 | 0 | 500 | 500   # declined: no new life
    wait 1d
    sweep                                           | 1  | 0 |   0 | 1000
    0100 a purchase 100 stan=4 fn=I rrn=1 mode=51   | 00 | 0 | 100 | 900
    kind 11                                         | authorization
  `,
  );

  scenario(
    'of one that was posted in part what was posted stays, and is reversed alone',
    `
    account A limit=1000
    card a
    0100 a purchase 400 stan=1 mode=51              | 00 |   0 | 400 |  600
    0220 a purchase 250 stan=2 rrn=1                | 00 | 250 |   0 |  750
    0100 a purchase 100 stan=3 fn=I rrn=1           | 00 | 250 | 100 |  650
    wait 5d
    sweep                                           | 1  | 250 |   0 |  750
    0420 a stan=4 rrn=- de90=100/3/520120000/00000012345/-   | 00 | 250 | 0 | 750   # the increment: nothing left
    0420 a stan=5 rrn=- de90=200/2/520120000/00000012345/-   | 00 |   0 | 0 | 1000
  `,
  );

  scenario(
    'an announced refund ends too; the refund that comes later posts all the same',
    `
    account A limit=1000
    card a
    0100 a refund 300 stan=1 mode=51                | 00 |    0 | 0 | 1000
    wait 5d
    sweep                                           | 1  |    0 | 0 | 1000
    hold 3                                          | none
    0220 a refund 300 stan=2 rrn=1                  | 00 | -300 | 0 | 1300
  `,
  );

  scenario(
    'fuel: a completion after the two days holds, a second one does not',
    `
    account A limit=50000
    card a
    0100 a purchase 100 stan=1 mcc=5542             | 00 | 0 | 17500 | 32500
    wait 2d
    sweep                                           | 1  | 0 |     0 | 50000
    0120 a purchase 6340 stan=2 rrn=1 mcc=5542 why=C | 00 | 0 | 6340 | 43660
    wait 2d
    sweep                                           | 1  | 0 |     0 | 50000
    0120 a purchase 6340 stan=3 rrn=1 mcc=5542 why=C | 00 | 0 |    0 | 50000
    0220 a purchase 6340 stan=4 rrn=1 mcc=5542      | 00 | 6340 |  0 | 43660
  `,
  );

  scenario(
    'an expiry gives back to the windows what it releases',
    `
    account A limit=1000
    card a
    controls a {"velocity":[{"window":"lifetime","amount":500}]}
    0100 a purchase 400 stan=1 mode=51              | 00 |   0 | 400 |  600
    0100 a purchase 101 stan=2                      | 61 |   0 | 400 |  600
    wait 5d
    sweep                                           | 1  |   0 |   0 | 1000
    0100 a purchase 500 stan=3                      | 00 |   0 | 500 |  500
  `,
  );

  scenario(
    'what placed a hold that increments have kept alive can be named whatever its age',
    `
    account A limit=1000
    card a
    0100 a purchase 400 stan=1 rrn=7 mcc=7011           | 00 | 0 | 400 |  600   # 30 days each
    wait 29d
    0100 a purchase 100 stan=2 fn=I rrn=7 mcc=7011      | 00 | 0 | 500 |  500
    wait 29d
    0100 a purchase 100 stan=3 fn=I rrn=7 mcc=7011      | 00 | 0 | 600 |  400
    wait 29d
    0100 a purchase 100 stan=4 fn=I rrn=7 mcc=7011      | 00 | 0 | 700 |  300
    wait 29d
    0100 a purchase 100 stan=5 fn=I rrn=7 mcc=7011      | 00 | 0 | 800 |  200
    wait 29d
    0420 a stan=6 rrn=- de90=100/1/520120000/00000012345/- | 00 | 0 | 0 | 1000   # 145 days
  `,
  );

  scenario(
    'and for 90 days after its end, which is that of its last increment',
    `
    account A limit=1000
    card a
    0100 a purchase 400 stan=1 rrn=7 mcc=7011           | 00 | 0 | 400 |  600
    wait 29d
    0100 a purchase 100 stan=2 fn=I rrn=7 mcc=7011      | 00 | 0 | 500 |  500
    wait 29d
    0100 a purchase 100 stan=3 fn=I rrn=7 mcc=7011      | 00 | 0 | 600 |  400
    ends 3                                              | 30d
    wait 30d
    sweep                                               | 1  | 0 |   0 | 1000
    wait 90d
    0420 a stan=4 rrn=- de90=100/1/520120000/00000012345/- | 00 | 0 | 0 | 1000   # 178 days, 90 of them after the end
    kind 12                                             | reversal
    wait 1s
    0420 a stan=5 rrn=- de90=100/1/520120000/00000012345/- | 00 | 0 | 0 | 1000   # too late: one of its own
  `,
    (run) => {
      const linked = [12, 15].map((line) => run.outcomes.get(line)!.event.originalSequence);
      expect(linked).toEqual([run.outcomes.get(3)!.event.sequence, 0]);
    },
  );
});
