/** How a clearing record finds its authorization, rung by rung, and what counts as posted before. */
import { describe, scenario } from './runner.js';

describe('the rungs', () => {
  scenario(
    'network id',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 1000 net=MCC123          | 00                  |      0 |  1000 |  99000
    0100 a purchase 1000 net=MCC124          | 00                  |      0 |  2000 |  98000
    clear a purchase 900 net=MCC12           | posted none         |    900 |  2000 |  97100
    clear a purchase 900 net=MCC123          | posted networkId    |   1800 |  1000 |  97200
    hold 3                                   | 0 of 900
    hold 4                                   | 1000 of 1000
    `,
  );
  scenario(
    'approval code, in the same currency and near the date',
    `
    account A limit=100000
    card    a of=A
    at 2026-05-20T12:00:00
    0100 a purchase 1000                     | 00                       |      0 |  1000 |  99000
    0100 a purchase 2000                     | 00                       |      0 |  3000 |  97000
    clear a purchase 2500 code=@5 day=2026-05-21 arn=A     | posted approvalCode overCleared    |   2500 |  1000 |  96500
    clear a purchase 1000 code=@4 cur=840 bill=1000/986 arn=B    | posted none        |   3500 |  1000 |  95500
    clear a purchase 1000 code=@4 day=2026-05-01 arn=C           | posted none        |   4500 |  1000 |  94500
    clear a purchase 1000 code=@4 day=2026-07-01 arn=D           | posted none        |   5500 |  1000 |  93500
    clear a purchase 1000 code=@4 day=2026-06-20 arn=E           | posted approvalCode    |   6500 |     0 |  93500
    `,
  );
  for (const by of ['net=MCC123', 'code=@4', 'rrn=7 terminal=T1'])
    scenario(
      `an authorization that increments have kept alive is found whatever its age, ${by.split('=')[0]}`,
      `
    account A limit=1000
    card    a of=A
    at 2026-01-10T12:00:00
    0100 a purchase 400 stan=1 rrn=7 terminal=T1 net=MCC123 mcc=7011            | 00 | 0 | 400 |  600
    wait 29d
    0100 a purchase 100 stan=2 fn=I rrn=7 terminal=T1 net=MCC123 mcc=7011       | 00 | 0 | 500 |  500
    wait 29d
    0100 a purchase 100 stan=3 fn=I rrn=7 terminal=T1 net=MCC123 mcc=7011       | 00 | 0 | 600 |  400
    wait 29d
    0100 a purchase 100 stan=4 fn=I rrn=7 terminal=T1 net=MCC123 mcc=7011       | 00 | 0 | 700 |  300
    wait 29d
    0100 a purchase 100 stan=5 fn=I rrn=7 terminal=T1 net=MCC123 mcc=7011       | 00 | 0 | 800 |  200
    wait 29d
    clear a purchase 800 ${by} day=2026-02-08                                    | posted ${by.startsWith('net') ? 'networkId' : by.startsWith('code') ? 'approvalCode' : 'rrn'} | 800 | 0 | 200
    `,
    );
  for (const by of ['net=MCC123', 'code=@4', 'rrn=7 terminal=T1'])
    scenario(
      `one whose hold increments have kept alive is found for 90 days after its end, ${by.split('=')[0]}`,
      `
    account A limit=1000
    card    a of=A
    at 2026-01-10T12:00:00
    0100 a purchase 400 stan=1 rrn=7 terminal=T1 net=MCC123 mcc=7011            | 00 | 0 | 400 |  600
    wait 29d
    0100 a purchase 100 stan=2 fn=I rrn=8 orig=MCC123 mcc=7011                  | 00 | 0 | 500 |  500
    wait 29d
    0100 a purchase 100 stan=3 fn=I rrn=9 orig=MCC123 mcc=7011                  | 00 | 0 | 600 |  400
    wait 30d
    sweep                                                                       | 1  | 0 |   0 | 1000
    wait 90d
    clear a purchase 300 ${by} day=2026-02-08 arn=A                              | posted ${by.startsWith('net') ? 'networkId' : by.startsWith('code') ? 'approvalCode' : 'rrn'} afterExpiry | 300 | 0 | 700
    wait 1s
    clear a purchase 300 ${by} day=2026-02-08 arn=B                              | posted none | 600 | 0 | 400
    `,
    );
  scenario(
    'the code of an advice is the one that the network gave',
    `
    account A limit=1000
    card    a of=A
    0120 a purchase 5000 why=S de38=987654   | 00                       |      0 |  5000 |  -4000
    clear a purchase 5000 code=987654        | posted approvalCode      |   5000 |     0 |  -4000
    `,
  );
  scenario(
    'RRN with terminal, or with merchant',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 1000 rrn=777 terminal=T1 merchant=M1       | 00                |      0 |  1000 |  99000
    0100 a purchase 2000 rrn=888 terminal=T1 merchant=M1       | 00                |      0 |  3000 |  97000
    clear a purchase 1100 rrn=777 terminal=T1 arn=A            | posted rrn overCleared        |   1100 |  2000 |  96900
    clear a purchase 2000 rrn=888 terminal=T9 arn=B            | posted none       |   3100 |  2000 |  94900
    clear a purchase 1900 rrn=888 terminal=T9 merchant=M1 arn=C    | posted rrn        |   5000 |     0 |  95000
    `,
  );
  scenario(
    'merchant and amount, while the hold is open',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 1000 merchant=M1         | 00               |      0 |  1000 |  99000
    0100 a purchase 2000 merchant=M1         | 00               |      0 |  3000 |  97000
    0100 a purchase 1000 merchant=M2         | 00               |      0 |  4000 |  96000
    clear a purchase 1001 merchant=M1 arn=A  | posted none      |   1001 |  4000 |  94999
    clear a purchase 1000 merchant=M1 arn=B  | posted amount    |   2001 |  3000 |  94999
    clear a purchase 1000 merchant=M1 arn=C  | posted none      |   3001 |  3000 |  93999
    wait 8d
    sweep                                    | 3                |   3001 |     0 |  96999
    clear a purchase 2000 merchant=M1 arn=D  | posted none      |   5001 |     0 |  94999
    `,
  );
  scenario(
    'without a merchant on either side the amount alone finds nothing',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 1000                     | 00               |      0 |  1000 |  99000
    clear a purchase 1000 arn=A              | posted none      |   1000 |  1000 |  98000
    `,
  );
  scenario(
    'of several with one network id: what is open, then the amount, then the newest',
    `
    account A limit=100000
    card    a of=A
    0100 a purchase 1000 net=N1                  | 00                  |      0 |  1000 |  99000
    0100 a purchase 2000 net=N1                  | 00                  |      0 |  3000 |  97000
    0100 a purchase 3000 net=N1                  | 00                  |      0 |  6000 |  94000
    clear a purchase 2000 net=N1 arn=A           | posted networkId    |   2000 |  4000 |  94000
    hold 4                                       | 0 of 2000
    clear a purchase 2000 net=N1 arn=B           | posted networkId    |   4000 |  1000 |  95000
    hold 5                                       | 0 of 2000
    clear a purchase 500 net=N1 arn=C            | posted networkId    |   4500 |     0 |  95500
    `,
  );
  scenario(
    'under the other cards of the account: those of the chain first, then as among those of one card, whichever card was made first',
    `
    account A limit=100000
    card    a of=A
    card    b of=A
    card    c of=A
    0100 a purchase 1000 net=N1                  | 00                            |      0 |  1000 |  99000
    0100 b purchase 2000 net=N1                  | 00                            |      0 |  3000 |  97000
    clear c purchase 1000 net=N1 arn=A           | posted networkId otherCard    |   1000 |  2000 |  97000
    0100 b purchase 1000 net=N2                  | 00                            |   1000 |  3000 |  96000
    0100 a purchase 2000 net=N2                  | 00                            |   1000 |  5000 |  94000
    clear c purchase 1000 net=N2 arn=B           | posted networkId otherCard    |   2000 |  4000 |  94000
    0100 b purchase 700 net=N3                   | 00                            |   2000 |  4700 |  93300
    0100 a purchase 700 net=N3                   | 00                            |   2000 |  5400 |  92600
    clear c purchase 300 net=N3 arn=C            | posted networkId otherCard    |   2300 |  4700 |  93000
    hold 12                                      | 0 of 300
    clear c purchase 300 net=N3 arn=D            | posted networkId otherCard    |   2600 |  4000 |  93400
    status a lost
    card    d of=A replaces=a
    0100 b purchase 500 net=N4                   | 00                            |   2600 |  4500 |  92900
    0120 a purchase 600 net=N4                   | 00                            |   2600 |  5100 |  92300
    clear d purchase 500 net=N4 arn=E            | posted networkId              |   3100 |  4500 |  92400
    `,
  );
  scenario(
    'an increment leads to its authorization; a decline to none',
    `
    account A limit=1500
    card    a of=A
    0100 a purchase 1000 net=N1                  | 00                  |      0 |  1000 |    500
    0100 a purchase 300 fn=I orig=N1 net=N2      | 00                  |      0 |  1300 |    200
    0100 a purchase 900 net=N3                   | 51                  |      0 |  1300 |    200
    clear a purchase 900 net=N3 arn=A            | posted none         |    900 |  1300 |   -700
    clear a purchase 1300 net=N2 arn=B           | posted networkId    |   2200 |     0 |   -700
    hold 3                                       | 0 of 1300
    `,
  );
  scenario(
    'a purchase is matched with no announced refund, and the other way round',
    `
    account A limit=10000
    card    a of=A
    0100 a refund 500 net=N1                     | 00                  |      0 |     0 |  10000
    0100 a purchase 500 net=N2                   | 00                  |      0 |   500 |   9500
    clear a purchase 500 net=N1 arn=A            | posted none         |    500 |   500 |   9000
    clear a refund 500 net=N2 arn=B              | posted none         |      0 |   500 |   9500
    `,
  );
});

describe('cards that change', () => {
  scenario(
    'by a network token: the file may name the token or the card',
    `
    account A limit=10000
    card    a of=A
    token   t for=a
    0100 t purchase 500 net=N1                   | 00                  |      0 |   500 |   9500
    0100 t purchase 700 net=N2                   | 00                  |      0 |  1200 |   8800
    clear t purchase 500 net=N1 arn=A            | posted networkId    |    500 |   700 |   8800
    clear a purchase 700 net=N2 arn=B            | posted networkId    |   1200 |     0 |   8800
    clear a purchase 500 net=N1 arn=A            | duplicate networkId |   1200 |     0 |   8800
    `,
  );
  scenario(
    'a replaced card: the authorization stands on the old one, whichever the file names',
    `
    account A limit=10000
    card    a of=A
    0100 a purchase 500 net=N1                   | 00                  |      0 |   500 |   9500
    0100 a purchase 700 net=N2                   | 00                  |      0 |  1200 |   8800
    0100 a purchase 800 merchant=M1              | 00                  |      0 |  2000 |   8000
    status a lost
    card b of=A replaces=a
    card c of=A replaces=b
    clear a purchase 500 net=N1 arn=A            | posted networkId    |    500 |  1500 |   8000
    clear c purchase 700 net=N2 arn=B            | posted networkId    |   1200 |   800 |   8000
    clear b purchase 800 merchant=M1 arn=C       | posted amount       |   2000 |     0 |   8000
    `,
  );
  scenario(
    'another card of the account is another card',
    `
    account A limit=10000
    card    a of=A
    card    b of=A
    0100 a purchase 500 net=N1 merchant=M1       | 00                  |      0 |   500 |   9500
    clear b purchase 500 merchant=M1             | posted none         |    500 |   500 |   9000
    `,
  );
  scenario(
    'the network id is of a payment: with another card of the account its hold goes, and the record says so',
    `
    account A limit=10000
    account B limit=10000
    card    a of=A
    card    b of=A
    card    c of=B
    0100 a purchase 500 net=N1 merchant=M1       | 00                  |      0 |   500 |   9500
    0100 a purchase 300 net=N2 merchant=M1       | 00                  |      0 |   800 |   9200
    0100 b purchase 300 merchant=M1              | 00                  |      0 |  1100 |   8900
    clear c purchase 500 net=N1 merchant=M1 arn=C | posted none | 500 | 0 | 9500
    clear b purchase 500 net=N1 merchant=M1 arn=A | posted networkId otherCard |    500 |   600 |   8900
    clear b purchase 300 net=N2 merchant=M1 arn=B | posted networkId otherCard |    800 |   300 |   8900
    status b lost
    card d of=A replaces=b
    0100 d purchase 200 net=N3                   | 00                  |    800 |   500 |   8700
    clear b purchase 200 net=N3 arn=D            | posted networkId    |   1000 |   300 |   8700
    clear a purchase 300 net=N9 arn=E            | posted none         |   1300 |   300 |   8400
    `,
  );
});

describe('exactly once', () => {
  scenario(
    'the same record again, and the same thing from another record',
    `
    account A limit=10000
    card    a of=A
    0100 a purchase 500 net=N1                   | 00                               |      0 |   500 |   9500
    clear a purchase 500 net=N1 arn=A rec=7      | posted networkId                 |    500 |     0 |   9500
    clear a purchase 500 net=N1 arn=A rec=7      | already networkId                |    500 |     0 |   9500
    clear a purchase 500 net=N1 arn=A rec=8      | duplicate networkId              |    500 |     0 |   9500
    clear a purchase 500 net=N1 arn=A rec=7 file=F2    | duplicate networkId              |    500 |     0 |   9500
    clear a purchase 400 net=N1 arn=A rec=9      | duplicate networkId otherAmount  |    500 |     0 |   9500
    clear a purchase 500 net=N1 arn=B rec=10     | posted networkId overCleared     |   1000 |     0 |   9000
    `,
  );
  scenario(
    'under any number of a chain of replacements, and of its tokens',
    `
    account A limit=10000
    card    a of=A
    status a lost
    clear a purchase 500 arn=A rec=1             | posted none                      |    500 |     0 |   9500
    card b of=A replaces=a
    clear b purchase 500 arn=A file=F2 rec=1     | duplicate none                   |    500 |     0 |   9500
    clear b purchase 600 arn=B file=F2 rec=2     | posted none                      |   1100 |     0 |   8900
    status b lost
    card c of=A replaces=b
    card d of=A replaces=b                       | card_replaced
    card d of=A replaces=c
    token t for=c
    clear t purchase 500 arn=A file=F3 rec=1     | duplicate none                   |   1100 |     0 |   8900
    clear d purchase 600 arn=B file=F3 rec=2     | duplicate none                   |   1100 |     0 |   8900
    clear d purchase 700 arn=C file=F3 rec=3     | posted none                      |   1800 |     0 |   8200
    clear a purchase 700 arn=C file=F4 rec=1     | duplicate none                   |   1800 |     0 |   8200
    clear a purchase 600 arn=B file=F4 rec=2     | duplicate none                   |   1800 |     0 |   8200
    clear c purchase 700 arn=C file=F4 rec=3     | duplicate none                   |   1800 |     0 |   8200
    clear t purchase 600 arn=B back file=F4 rec=4 | posted arn                      |   1200 |     0 |   8800
    clear a purchase 600 arn=B back file=F5 rec=1 | duplicate arn                   |   1200 |     0 |   8800
    card e of=A
    clear e purchase 500 arn=A file=F5 rec=2     | posted none                      |   1700 |     0 |   8300
    `,
  );
  scenario(
    'without the acquirer reference the record itself is all there is',
    `
    account A limit=10000
    card    a of=A
    clear a purchase 500 rec=7                   | posted none                      |    500 |     0 |   9500
    clear a purchase 500 rec=7                   | already none                     |    500 |     0 |   9500
    clear a purchase 500 rec=8                   | posted none                      |   1000 |     0 |   9000
    clear a purchase 500 rec=7 file=F2           | posted none                      |   1500 |     0 |   8500
    `,
  );
  scenario(
    'function, type and reversal mark make it another thing',
    `
    account A limit=10000
    card    a of=A
    clear a purchase 500 arn=A                   | posted none                      |    500 |     0 |   9500
    clear a refund 500 arn=A                     | posted arn                       |      0 |     0 |  10000
    clear a purchase 500 arn=A back              | posted arn                       |   -500 |     0 |  10500
    clear a purchase 500 arn=A back              | duplicate arn                    |   -500 |     0 |  10500
    clear a purchase 500 arn=A fn=205            | posted arn disputeMissing        |   -500 |     0 |  10500
    `,
  );
  scenario(
    'what a single message has posted is not posted again, unless that was taken back',
    `
    account A limit=10000
    card    a of=A
    0200 a purchase 500 net=N1                   | 00                               |    500 |     0 |   9500
    clear a purchase 500 net=N1 arn=A            | duplicate networkId              |    500 |     0 |   9500
    clear a purchase 600 net=N1 arn=A            | duplicate networkId otherAmount  |    500 |     0 |   9500
    0400 a stan=3 rrn=3                          | 00                               |      0 |     0 |  10000
    clear a purchase 500 net=N1 arn=A            | posted networkId afterReversal   |    500 |     0 |   9500
    0100 a purchase 700 net=N2                   | 00                               |    500 |   700 |   8800
    0220 a purchase 700 orig=N2                  | 00                               |   1200 |     0 |   8800
    clear a purchase 700 net=N2 arn=B            | duplicate networkId              |   1200 |     0 |   8800
    `,
  );
  scenario(
    'what a file has posted is not posted again by a financial advice',
    `
    account A limit=10000
    card    a of=A
    0100 a purchase 700 net=N2                   | 00                               |      0 |   700 |   9300
    clear a purchase 700 net=N2 arn=B            | posted networkId                 |    700 |     0 |   9300
    0220 a purchase 700 orig=N2                  | 00                               |    700 |     0 |   9300
    legs 5                                       | none
    `,
  );
});
