import { describe, expect, scenario } from './runner.js';

describe('repeats', () => {
  scenario(
    'the same key with another amount is answered 94 and has no effect',
    `
    account A limit=1000
    card a
    0100 a purchase 600 stan=1           | 00  | 0 | 600 | 400
    0100 a purchase 100 stan=1           | 94  | 0 | 600 | 400
    0100 a purchase 100 stan=1           | 94= | 0 | 600 | 400
    0101 a purchase 600 stan=1           | 00= | 0 | 600 | 400
    0101 a purchase 601 stan=1           | 94  | 0 | 600 | 400
    0100 a purchase 600 stan=1 cur=840 bill=600/986   | 94  | 0 | 600 | 400
    0400 a stan=9 rrn=1                  | 00  | 0 |   0 | 1000   # the refused ones do not hide the original
  `,
  );

  scenario(
    'so is the same key with another billing amount or its currency; an absent one is as good as zero',
    `
    account A limit=1000
    card a
    0100 a purchase 100 cur=840 bill=500/986 stan=1    | 00  | 0 | 500 | 500
    0100 a purchase 100 cur=840 bill=501/986 stan=1    | 94  | 0 | 500 | 500
    0101 a purchase 100 cur=840 bill=499/986 stan=1    | 94  | 0 | 500 | 500
    0101 a purchase 100 cur=840 bill=500/986 stan=1    | 00= | 0 | 500 | 500
    0100 a purchase 200 bill=40/840 stan=2             | 00  | 0 | 700 | 300
    0100 a purchase 200 bill=41/840 stan=2             | 94  | 0 | 700 | 300
    0100 a purchase 200 bill=40/392 stan=2             | 94  | 0 | 700 | 300
    0100 a purchase 200 stan=2                         | 94  | 0 | 700 | 300
    0100 a purchase 300 stan=3                         | 00  | 0 | 1000 | 0
    0101 a purchase 300 bill=0/986 stan=3              | 00= | 0 | 1000 | 0
  `,
  );

  scenario(
    'STAN alone is no key: time, terminal, RRN, acquirer, card and class each make another message',
    `
    account A limit=1000
    card a
    card b of=A
    0100 a purchase 10 stan=1                                  | 00 | 0 | 10 | 990
    0100 a purchase 10 stan=1 de7=520120001                    | 00 | 0 | 20 | 980
    0100 a purchase 10 stan=1 terminal=T2                      | 00 | 0 | 30 | 970
    0100 a purchase 10 stan=1 rrn=2                            | 00 | 0 | 40 | 960
    0100 a purchase 10 stan=1 acquirer=777                     | 00 | 0 | 50 | 950
    0100 b purchase 10 stan=1                                  | 00 | 0 | 60 | 940
    0100 a purchase 10 stan=1 acquirer=00012345                | 00= | 0 | 60 | 940   # leading zeros are padding
    0400 b stan=1 rrn=1                                        | 00 | 0 | 50 | 950   # a reversal is another class
  `,
  );

  scenario(
    'an xxx1 with another DE7 is the same within ten minutes; a plain resend is not',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1             | 00  | 0 | 100 | 900
    wait 10m
    0101 a purchase 100 stan=1             | 00= | 0 | 100 | 900
    0101 a purchase 200 stan=1             | 94  | 0 | 100 | 900
    wait 1s
    0100 a purchase 100 stan=1             | 00  | 0 | 200 | 800
    wait 10m
    wait 1s
    0101 a purchase 100 stan=1             | 00  | 0 | 300 | 700   # past the ten minutes: a new request
    0101 a purchase 100 stan=50 rrn=-      | 00  | 0 | 400 | 600   # the original never came
    wait 1s
    0101 a purchase 100 stan=50 rrn=-      | 00= | 0 | 400 | 600   # no DE37 on either
  `,
  );

  scenario(
    'the duplicate window is 24 hours',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1                  | 00  | 0 | 100 | 900
    wait 24h
    0100 a purchase 100 stan=1 de7=520120000    | 00= | 0 | 100 | 900
    wait 1s
    0100 a purchase 100 stan=1 de7=520120000    | 00  | 0 | 200 | 800
  `,
  );

  scenario(
    'the repeat of an approval that is fully reversed or was not delivered is answered 68',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1     | 00  | 0 | 100 | 900
    0400 a stan=2 rrn=1            | 00  | 0 |   0 | 1000
    0101 a purchase 100 stan=1     | 68  | 0 |   0 | 1000
    0101 a purchase 100 stan=1     | 68= | 0 |   0 | 1000
    0100 a purchase 100 stan=7     | 00  | 0 | 100 | 900
    undelivered 7                  | ok  | 0 |   0 | 1000
    undelivered 7                  | no  | 0 |   0 | 1000
    0100 a purchase 100 stan=7     | 68  | 0 |   0 | 1000
    0400 a stan=8 rrn=7            | 00  | 0 |   0 | 1000   # a reversal of it is accepted, nothing to release
  `,
  );

  scenario(
    'the repeat of an approval that is reversed in part gets the old approval; after the rest, 68',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1     | 00  | 0 | 100 | 900
    0400 a stan=2 rrn=1 de95=40    | 00  | 0 |  40 | 960
    0101 a purchase 100 stan=1     | 00= | 0 |  40 | 960
    0400 a stan=3 rrn=1            | 00  | 0 |   0 | 1000
    0101 a purchase 100 stan=1     | 68  | 0 |   0 | 1000
  `,
  );

  scenario(
    'a partial approval is repeated with the amount of then',
    `
    account A limit=70
    card a
    0100 a purchase 100 stan=1 partial    | 10  | 0 | 70 | 0
    limit A 1000                          | ok  | 0 | 70 | 930
    0101 a purchase 100 stan=1 partial    | 10= | 0 | 70 | 930
  `,
    (run) => expect(run.outcomes.get(5)!.facts.partialAmount).toBe(70),
  );
});
