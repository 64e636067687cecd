import { Reason } from '#src/domain/codes.js';
import { ControlLevel } from '#src/domain/controls/spec.js';
import { ControlKind } from '#src/domain/controls/verdict.js';
import { describe, expect, scenario } from './runner.js';

describe('controls of a card and of its account', () => {
  scenario(
    'each list and limit has its own code',
    `
    account A limit=100000
    card a
    controls a {"mcc":{"deny":["7995"]},"countries":{"allow":["BR"]},"merchants":{"deny":["BAD"]},"channels":{"deny":["ecommerce"]},"per_transaction":5000}
    0100 a purchase 100 mcc=7995 country=76         | 57 | 0 |   0 | 100000
    0100 a purchase 100 country=840                 | 62 | 0 |   0 | 100000
    0100 a purchase 100 country=76 merchant=BAD     | 58 | 0 |   0 | 100000
    0100 a purchase 100 country=76 mode=812         | 57 | 0 |   0 | 100000
    0100 a purchase 5001 country=76                 | 61 | 0 |   0 | 100000
    0100 a purchase 5000 country=76                 | 00 | 0 | 5000 | 95000
    controls a {}
    0100 a purchase 5001                            | 00 | 0 | 10001 | 89999
  `,
    (run) => {
      const reasons = [4, 5, 6, 7, 8].map((line) => run.outcomes.get(line)!.event.reason);
      const { mccDenied, countryDenied, merchantDenied, channelDenied, transactionLimit } = Reason;
      expect(reasons).toEqual([mccDenied, countryDenied, merchantDenied, channelDenied, transactionLimit]);
    },
  );

  scenario(
    'a limit per transaction refuses with its figures and no place in a list',
    `
    account A limit=100000
    card a
    controls a {"per_transaction":5000,"cash":{"per_transaction":400}}
    0100 a purchase 5001            | 61 | 0 | 0 | 100000
    0100 a cash 401                 | 61 | 0 | 0 | 100000
  `,
    (run) => {
      const findings = [4, 5].map((line) => [...run.outcomes.get(line)!.event.finding]);
      const { card } = ControlLevel;
      expect(findings).toEqual([
        [ControlKind.perTransaction, card, card, 0, 5000, 0, 5001],
        [ControlKind.cashPerTransaction, card, card, 0, 400, 0, 401],
      ]);
    },
  );

  scenario(
    'a daily amount: approvals count, declines do not, a reversal gives back, in full and in part',
    `
    account A limit=100000
    card a
    controls a {"velocity":[{"window":"day","amount":1000}]}
    0100 a purchase 600 stan=1     | 00 | 0 |  600 | 99400
    0100 a purchase 500 stan=2     | 61 | 0 |  600 | 99400
    0100 a purchase 400 stan=3     | 00 | 0 | 1000 | 99000
    0100 a purchase   1 stan=4     | 61 | 0 | 1000 | 99000
    0400 a stan=5 rrn=1            | 00 | 0 |  400 | 99600
    0100 a purchase 700 stan=6     | 61 | 0 |  400 | 99600
    0100 a purchase 600 stan=7     | 00 | 0 | 1000 | 99000
    0400 a stan=8 rrn=7 de95=100   | 00 | 0 |  500 | 99500
    0100 a purchase 501 stan=9     | 61 | 0 |  500 | 99500
    0100 a purchase 500 stan=10    | 00 | 0 | 1000 | 99000
    wait 12h                                                # the next day in UTC
    0100 a purchase 1000 stan=11   | 00 | 0 | 2000 | 98000
    0400 a stan=12 rrn=3           | 00 | 0 | 1600 | 98400  # yesterday's: gives today nothing back
    0100 a purchase 1 stan=13      | 61 | 0 | 1600 | 98400
  `,
  );

  scenario(
    'an increment adds amount and no count, and gives back what it added',
    `
    account A limit=100000
    card a
    controls a {"velocity":[{"window":"day","amount":1000,"count":2}]}
    0100 a purchase 500 stan=1 fn=E          | 00 | 0 |  500 | 99500
    0100 a purchase 300 stan=2 fn=I rrn=1    | 00 | 0 |  800 | 99200
    0100 a purchase 300 stan=3 fn=I rrn=1    | 61 | 0 |  800 | 99200
    0100 a purchase 100 stan=4               | 00 | 0 |  900 | 99100
    0100 a purchase  50 stan=5               | 65 | 0 |  900 | 99100   # the third use
    0400 a stan=2 rrn=-                      | 00 | 0 |  600 | 99400   # the increment alone
    0100 a purchase 400 stan=7               | 65 | 0 |  600 | 99400   # which never was a use
  `,
  );

  scenario(
    'a replacement that lowers the total gives back what it is lower by; one that raises it adds that',
    `
    account A limit=100000
    card a
    controls a {"velocity":[{"window":"day","amount":1000}]}
    0100 a purchase 600 stan=1               | 00 | 0 |  600 | 99400
    0100 a purchase 100 stan=2 fn=R rrn=1    | 00 | 0 |  100 | 99900
    0100 a purchase 901 stan=3               | 61 | 0 |  100 | 99900
    0100 a purchase 700 stan=4               | 00 | 0 |  800 | 99200
    0100 a purchase 301 stan=5 fn=R rrn=1    | 61 | 0 |  800 | 99200
    0100 a purchase 300 stan=6 fn=R rrn=1    | 00 | 0 | 1000 | 99000
    0400 a stan=7 rrn=1                      | 00 | 0 |  700 | 99300
    0100 a purchase 301 stan=8               | 61 | 0 |  700 | 99300
    0100 a purchase 300 stan=9               | 00 | 0 | 1000 | 99000
  `,
  );

  scenario(
    'reversal of the increment, then of the whole: newest first',
    `
    account A limit=100000
    card a
    controls a {"velocity":[{"window":"day","amount":1000}]}
    0100 a purchase 500 stan=1 fn=E          | 00 | 0 |  500 | 99500
    wait 12h
    0100 a purchase 300 stan=2 fn=I rrn=1 de7=521000000   | 00 | 0 |  800 | 99200
    0100 a purchase 701 stan=3               | 61 | 0 |  800 | 99200   # 300 of today
    0400 a stan=2 rrn=- de7=521000000        | 00 | 0 |  500 | 99500   # the increment alone
    0100 a purchase 701 stan=5               | 00 | 0 | 1201 | 98799
    0400 a stan=6 rrn=1                      | 00 | 0 |  701 | 99299   # yesterday's 500
    0100 a purchase 300 stan=7               | 61 | 0 |  701 | 99299
    0100 a purchase 299 stan=8               | 00 | 0 | 1000 | 99000
  `,
  );

  scenario(
    'the counters of a replaced card go on, and so do its controls',
    `
    account A limit=100000
    card a
    controls a {"velocity":[{"window":"lifetime","amount":1000}]}
    0100 a purchase 900               | 00 | 0 |  900 | 99100
    status a closed
    card b of=A replaces=a
    0100 b purchase 101               | 61 | 0 |  900 | 99100
    0100 b purchase 100               | 00 | 0 | 1000 | 99000
  `,
  );

  scenario(
    'a card is replaced once; the next one replaces its replacement, and a chain has one end',
    `
    account A limit=100000
    card a
    controls a {"velocity":[{"window":"lifetime","amount":1000}]}
    0100 a purchase 400               | 00 | 0 |  400 | 99600
    status a lost
    card b of=A replaces=a
    card c of=A replaces=a            | card_replaced
    status b lost
    card c of=A replaces=a            | card_replaced
    card c of=A replaces=b
    0100 c purchase 601               | 61 | 0 |  400 | 99600
    0100 c purchase 600               | 00 | 0 | 1000 | 99000
  `,
  );

  scenario(
    'an account counts over its cards; each card has a window of its own',
    `
    account A limit=100000
    card a
    card b of=A
    controls A {"velocity":[{"window":"day","amount":1000}]}
    0100 a purchase 600               | 00 | 0 |  600 | 99400
    0100 b purchase 600               | 61 | 0 |  600 | 99400
    0100 b purchase 400               | 00 | 0 | 1000 | 99000
  `,
  );

  scenario(
    'force posts and stand-in advices count, above the limit too; single messages as well',
    `
    account A limit=1000
    card a
    controls a {"velocity":[{"window":"day","amount":1000}]}
    0120 a purchase 900 stan=1 why=S                | 00 |   0 |  900 |  100
    0100 a purchase 101 stan=2                      | 61 |   0 |  900 |  100
    0220 a purchase 200 stan=3 why=S                | 00 | 200 |  900 | -100
    0100 a purchase   1 stan=4                      | 61 | 200 |  900 | -100
    0420 a stan=5 rrn=3                             | 00 |   0 |  900 |  100
    0200 a purchase 100 stan=6                      | 00 | 100 |  900 |    0
    0120 a purchase 300 stan=7 rrn=1 why=C          | 00 | 100 |  300 |  600   # 600 back
    0200 a purchase 600 stan=8                      | 00 | 700 |  300 |    0
    0100 a verify stan=9                            | 85 | 700 |  300 |    0
  `,
  );

  scenario(
    'what ends before the card is looked at counts in no window of declines: 94, 68, 30, 12',
    `
    program forbid=40
    account A limit=1000
    card a
    controls a {"velocity":[{"window":"trailing","seconds":600,"count":1,"counts":"declines"}]}
    0100 a purchase 100 stan=1           | 00 | 0 | 100 |  900
    0100 a purchase 200 stan=1           | 94 | 0 | 100 |  900   # another amount
    0400 a stan=2 rrn=1                  | 00 | 0 |   0 | 1000
    0101 a purchase 100 stan=1           | 68 | 0 |   0 | 1000   # it was reversed
    0420 a stan=3 rrn=4                  | 00 | 0 |   0 | 1000
    0100 a purchase 100 stan=4           | 68 | 0 |   0 | 1000   # reversed before it came
    0100 a purchase 100 stan=5 cur=840   | 30 | 0 |   0 | 1000   # DE6 is missing
    0100 a 100 pc=210000 stan=6          | 12 | 0 |   0 | 1000
    0100 a 100 pc=400000 stan=7          | 57 | 0 |   0 | 1000
    0100 a purchase 1001 stan=8          | 51 | 0 |   0 | 1000   # the first that counts
    0100 a purchase 100 stan=9           | 65 | 0 |   0 | 1000
  `,
  );

  scenario(
    'declines count in a window of declines, and lock the card for its time',
    `
    account A limit=100
    card a
    controls a {"velocity":[{"window":"trailing","seconds":600,"count":2,"counts":"declines"}]}
    0100 a purchase 200     | 51 | 0 |  0 | 100
    0100 a purchase 200     | 51 | 0 |  0 | 100
    0100 a purchase  50     | 65 | 0 |  0 | 100
    wait 11m
    0100 a purchase  50     | 00 | 0 | 50 | 50
  `,
  );

  scenario(
    'cash has limits of its own: withdrawals and cash back',
    `
    account A limit=100000
    card a
    controls a {"cash":{"per_transaction":500,"velocity":[{"window":"day","amount":800}]}}
    0100 a cash 501                     | 61 | 0 |    0 | 100000
    0100 a cash 500                     | 00 | 0 |  500 | 99500
    0100 a cashback 1000 back=301       | 61 | 0 |  500 | 99500
    0100 a cashback 1000 back=300       | 00 | 0 | 1500 | 98500
    0100 a quasicash 1                  | 61 | 0 | 1500 | 98500
    0100 a purchase 1000                | 00 | 0 | 2500 | 97500
  `,
  );

  scenario(
    'a partial approval pays no cash back and counts none',
    `
    account A limit=800
    card a
    controls a {"cash":{"velocity":[{"window":"day","amount":300,"count":1}]}}
    0100 a cashback 1000 back=300 partial   | 10 | 0 |  700 |  100
    limit A 1800
    0100 a cash 300                         | 00 | 0 | 1000 |  800
    0100 a cash 1                           | 61 | 0 | 1000 |  800
  `,
  );

  scenario(
    'an approval that was not delivered gives back, amount and count',
    `
    account A limit=1000
    card a
    controls a {"velocity":[{"window":"day","amount":500,"count":1}]}
    0100 a purchase 500 stan=1     | 00 | 0 | 500 |  500
    undelivered 4                               | ok | 0 | 0 | 1000
    0100 a purchase 500 stan=2     | 00 | 0 | 500 |  500
  `,
  );

  scenario(
    'what the network posted for a declined request counts until it is itself reversed',
    `
    account A limit=2000
    card a
    controls a {"velocity":[{"window":"lifetime","amount":500}]}
    0100 a purchase 2001 stan=1                             | 61 |   0 | 0 | 2000
    0220 a purchase 400 stan=2 rrn=1 why=S                  | 00 | 400 | 0 | 1600
    0400 a stan=3 rrn=- de90=100/1/520120000/00000012345/-  | 00 | 400 | 0 | 1600   # the declined one: nothing to take back
    0100 a purchase 101 stan=4                              | 61 | 400 | 0 | 1600
    0400 a stan=5 rrn=- de90=200/2/520120000/00000012345/-  | 00 |   0 | 0 | 2000
    0100 a purchase 500 stan=6                              | 00 |   0 | 500 | 1500
  `,
  );

  scenario(
    'an approval that was not delivered and yet posted gives back nothing when its hold has ended',
    `
    account A limit=2000
    card a
    controls a {"velocity":[{"window":"lifetime","amount":500}]}
    0100 a purchase 500 stan=1                              | 00 |   0 | 500 | 1500
    0220 a purchase 500 stan=2 rrn=1 why=C                  | 00 | 500 |   0 | 1500
    wait 7d
    sweep                                                   | 1  | 500 |   0 | 1500
    undelivered 4                               | ok | 500 | 0 | 1500
    0100 a purchase 1 stan=3                                | 61 | 500 |   0 | 1500
  `,
  );

  scenario(
    'a posted request from before the limits that is rolled back leaves what its shipment posted and counted',
    `
    account A limit=2000
    card a
    0200 a purchase 100 stan=1                  | 00 | 100 |   0 | 1900
    controls a {"velocity":[{"window":"day","amount":500}]}
    0220 a purchase 500 stan=2 fn=I rrn=1       | 00 | 600 |   0 | 1400
    undelivered 3                               | ok | 500 | 0 | 1500
    0100 a purchase 101 stan=3                  | 61 | 500 | 0 | 1500   # the newest has given back 100
    0100 a purchase 100 stan=4                  | 00 | 500 | 100 | 1400
  `,
  );

  scenario(
    'a limit per transaction looks at what a replacement names, up or down',
    `
    account A limit=2000
    card a
    0100 a purchase 1000 stan=1                 | 00 | 0 | 1000 | 1000
    controls a {"per_transaction":500}
    0100 a purchase 400 stan=2 fn=R rrn=1       | 00 | 0 |  400 | 1600
    0100 a purchase 501 stan=3 fn=R rrn=1       | 61 | 0 |  400 | 1600
    0100 a purchase 101 stan=4 fn=I rrn=1       | 61 | 0 |  400 | 1600
    0100 a purchase 100 stan=5 fn=I rrn=1       | 00 | 0 |  500 | 1500
  `,
  );

  scenario(
    'an authorization from before the limits that is rolled back gives back what its increment counted',
    `
    account A limit=2000
    card a
    0100 a purchase 100 stan=1                  | 00 | 0 | 100 | 1900
    controls a {"velocity":[{"window":"day","amount":500}]}
    0100 a purchase 500 stan=2 fn=I rrn=1       | 00 | 0 | 600 | 1400
    undelivered 3                               | ok | 0 | 500 | 1500
    undelivered 5                               | ok | 0 | 0 | 2000
    0100 a purchase 500 stan=3                  | 00 | 0 | 500 | 1500
  `,
  );
});
