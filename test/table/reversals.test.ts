import { describe, expect, Scenario, scenario, test } from './runner.js';

describe('reversals find their original', () => {
  scenario(
    'by DE48.63, by complete DE90, by DE37 + DE41, by DE37 + DE41 + DE38, by DE11 + DE7',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1 net=NET1                             | 00 | 0 | 100 | 900
    0400 a stan=901 orig=NET1                                       | 00 | 0 |   0 | 1000
    0100 a purchase 100 stan=2 forwarder=77                         | 00 | 0 | 100 | 900
    0400 a stan=902 de90=100/2/520120000/00000012345/00000000077    | 00 | 0 |   0 | 1000
    0100 a purchase 100 stan=3                                      | 00 | 0 | 100 | 900
    0400 a stan=903 rrn=3 terminal=T2                               | 00 | 0 | 100 | 900   # another terminal
    0400 a stan=904 rrn=3                                           | 00 | 0 |   0 | 1000
    0100 a purchase 100 stan=4                                      | 00 | 0 | 100 | 900
    0400 a stan=905 rrn=4 de38=000000                               | 00 | 0 | 100 | 900   # another approval
    0400 a stan=906 rrn=4 de38=@10                                  | 00 | 0 |   0 | 1000
    0100 a purchase 100 stan=5                                      | 00 | 0 | 100 | 900
    0400 a stan=5 rrn=- terminal=T9                                 | 00 | 0 |   0 | 1000
  `,
  );

  scenario(
    'DE90 with zero-filled parts falls back to DE37, then to its STAN and DE7',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1                       | 00 | 0 | 100 | 900
    0420 a stan=901 rrn=1 de90=100/-/-/-/-           | 00 | 0 |   0 | 1000
    0100 a purchase 100 stan=2                       | 00 | 0 | 100 | 900
    0420 a stan=902 rrn=- de90=100/2/520120000/-/-   | 00 | 0 |   0 | 1000
    0100 a purchase 100 stan=3                       | 00 | 0 | 100 | 900
    0420 a stan=903 rrn=- de90=100/3/520120000/999/- | 00 | 0 | 100 | 900   # another acquirer's
    0420 a stan=904 rrn=- de90=200/3/520120000/12345/- | 00 | 0 | 100 | 900   # another class
  `,
  );

  scenario(
    'of two that DE90 fits the one with the same DE37 and DE41 is meant',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1 rrn=R1                             | 00 | 0 | 100 | 900
    0100 a purchase 200 stan=1 rrn=R2                             | 00 | 0 | 300 | 700
    0400 a stan=9 rrn=R1 de90=100/1/520120000/00000012345/-       | 00 | 0 | 200 | 800
    0400 a stan=10 rrn=R3 de90=100/1/520120000/00000012345/-      | 00 | 0 |   0 | 1000   # no DE37 fits: the newest
  `,
  );

  scenario(
    'of two with the same DE37 and DE41 the newest approval is meant',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1 rrn=R   | 00 | 0 | 100 | 900
    0100 a purchase 200 stan=2 rrn=R   | 00 | 0 | 300 | 700
    0100 a purchase 999 stan=3 rrn=R   | 51 | 0 | 300 | 700
    0400 a stan=9 rrn=R                | 00 | 0 | 100 | 900
    0400 a stan=10 rrn=R               | 00 | 0 | 100 | 900   # the same again: one effect
  `,
  );

  scenario(
    'DE37 is shared by all messages of a purchase: of a lost increment the reversal releases nothing, and its increment comes too late',
    `
    account A limit=1000
    card a
    0100 a purchase 300 stan=1                                           | 00 | 0 | 300 | 700
    wait 1h
    0420 a 200 stan=9 rrn=1 de90=100/2/520130000/00000012345/-           | 00 | 0 | 300 | 700
    0421 a 200 stan=9 rrn=1 de90=100/2/520130000/00000012345/-           | 00= | 0 | 300 | 700
    0100 a purchase 200 stan=2 fn=I rrn=1                                | 68 | 0 | 300 | 700   # the one that was reversed
    0100 a purchase 100 stan=3 fn=I rrn=1 de7=520130001                  | 00 | 0 | 400 | 600   # another
    0100 a purchase 300 stan=1 rrn=1 de7=520120000                       | 00= | 0 | 400 | 600
    0420 a 300 stan=10 rrn=1 de90=100/1/520120000/00000012345/-          | 00 | 0 |   0 | 1000  # the whole, by name
  `,
    (run) => expect(run.book.state.tombstones).toBe(1),
  );

  scenario(
    'of a lost posting the reversal leaves the authorization, also with its approval code',
    `
    account A limit=1000
    card a
    0100 a purchase 300 stan=1                                           | 00 | 0 | 300 | 700
    wait 1h
    0420 a 300 stan=9 rrn=1 de38=@3 de90=220/2/520130000/00000012345/-   | 00 | 0 | 300 | 700
    0420 a 300 stan=10 rrn=1 de90=220/1/520130000/00000012345/-          | 00 | 0 | 300 | 700   # the STAN of the 0100
    0220 a purchase 300 stan=2 rrn=1                                     | 00 | 0 | 300 | 700   # its reversal came first
    kind 7                                                               | advice
    0220 a purchase 280 stan=3 rrn=1 de7=520130500                       | 00 | 280 | 0 | 720   # posted again
  `,
    (run) => expect(run.book.state.tombstones).toBe(2),
  );

  scenario(
    'DE37 stands where DE90 differs in one of STAN and DE7, or the approval code says so',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1                                           | 00 | 0 | 100 | 900
    0420 a stan=901 rrn=1 de90=100/1/520120500/00000012345/-             | 00 | 0 |   0 | 1000   # DE7 of a later sending
    0100 a purchase 100 stan=2                                           | 00 | 0 | 100 | 900
    0420 a stan=902 rrn=2 de90=100/77/520120000/00000012345/-            | 00 | 0 |   0 | 1000   # STAN of another hop
    0100 a purchase 100 stan=3                                           | 00 | 0 | 100 | 900
    0420 a stan=903 rrn=3 de90=100/77/520120500/00000012345/-            | 00 | 0 | 100 | 900   # neither: held until its end
    0420 a stan=904 rrn=3 de38=@7 de90=100/77/520120500/00000012345/-    | 00 | 0 |   0 | 1000
  `,
  );

  scenario(
    'only on the same card',
    `
    account A limit=1000
    card a
    card b of=A
    0100 a purchase 100 stan=1 net=N   | 00 | 0 | 100 | 900
    0400 b stan=9 rrn=1                | 00 | 0 | 100 | 900
    0400 b stan=10 orig=N rrn=-        | 00 | 0 | 100 | 900
    0400 ? stan=11 rrn=1               | 00 | 0 | 100 | 900
  `,
  );
});

describe('full reversals', () => {
  scenario(
    'each message type, once, repeats included',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1     | 00  | 0 | 100 | 900
    0400 a 100 stan=1 rrn=1        | 00  | 0 |   0 | 1000
    0401 a 100 stan=1 rrn=1        | 00= | 0 |   0 | 1000
    0420 a 100 stan=1 rrn=1        | 00= | 0 |   0 | 1000
    0421 a 100 stan=1 rrn=1        | 00= | 0 |   0 | 1000
    0400 a  99 stan=1 rrn=1        | 94  | 0 |   0 | 1000
    0421 a 100 stan=8 rrn=1        | 00  | 0 |   0 | 1000   # another reversal of the same: nothing left
    0100 a purchase 100 stan=2     | 00  | 0 | 100 | 900
    0421 a stan=99 rrn=2           | 00  | 0 |   0 | 1000   # a repeat whose first never came
  `,
    (run) => expect(run.outcomes.get(4)!.approvalCode).toBe(''),
  );

  scenario(
    'of a declined or amountless original: accepted, nothing to release; by DE37 alone it may mean a second attempt',
    `
    account A limit=100
    card a
    0100 a purchase 200 stan=1     | 51 | 0 | 0 | 100
    0400 a stan=9 rrn=1            | 00 | 0 | 0 | 100
    0100 a verify stan=2           | 85 | 0 | 0 | 100
    0400 a stan=10 rrn=2           | 00 | 0 | 0 | 100
    0101 a verify stan=2           | 68 | 0 | 0 | 100
  `,
    (run) => expect(run.book.state.tombstones).toBe(2),
  );
});

describe('the repeat of a reversal', () => {
  scenario(
    'is the same whether a full one says DE95 zero or leaves it out',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1      | 00  | 0 | 100 | 900
    0400 a stan=2 rrn=1             | 00  | 0 |   0 | 1000
    0401 a stan=2 rrn=1 de95=0      | 00= | 0 |   0 | 1000
    0400 a stan=2 rrn=1 de95=1      | 94  | 0 |   0 | 1000
    0100 a purchase 100 stan=3      | 00  | 0 | 100 | 900
    0420 a stan=4 rrn=3 de95=0      | 00  | 0 |   0 | 1000
    0421 a stan=4 rrn=3             | 00= | 0 |   0 | 1000
  `,
  );
});

describe('partial reversals', () => {
  scenario(
    'DE95 is what stays authorized, never more than before',
    `
    account A limit=1000
    card a
    0100 a purchase 500 stan=1        | 00 | 0 | 500 | 500
    0400 a stan=2 rrn=1 de95=300      | 00 | 0 | 300 | 700
    0401 a stan=2 rrn=1 de95=300      | 00= | 0 | 300 | 700
    0400 a stan=2 rrn=1 de95=200      | 94 | 0 | 300 | 700   # the same key, another amount
    0400 a stan=3 rrn=1 de95=400      | 00 | 0 | 300 | 700   # never upward
    0400 a stan=4 rrn=1 de95=300      | 00 | 0 | 300 | 700
    0400 a stan=5 rrn=1 de95=100      | 00 | 0 | 100 | 900
    0400 a stan=6 rrn=1 de95=0        | 00 | 0 |   0 | 1000
    0400 a stan=7 rrn=1 de95=50       | 00 | 0 |   0 | 1000
  `,
    (run) => {
      const totals = [4, 7, 9, 10, 11].map((line) => run.outcomes.get(line)!.event.approvedAmount);
      expect(totals).toEqual([300, 300, 100, 0, 0]);
    },
  );

  scenario(
    'in another currency DE95 x DE6 / DE4, half a cent up',
    `
    account A limit=10000
    card a
    0100 a purchase 1000 cur=840 bill=5005/986 stan=1   | 00 | 0 | 5005 | 4995
    0400 a stan=2 rrn=1 de95=500 cur=840                | 00 | 0 | 2503 | 7497   # 2502.5
    0400 a stan=3 rrn=1 de95=100 cur=840                | 00 | 0 |  501 | 9499   # 500.5
    0400 a stan=4 rrn=1 de95=1 cur=840                  | 00 | 0 |    5 | 9995   # 5.005
  `,
  );

  scenario(
    'of a partial approval in another currency: the approved DE4 (599) changes nothing, what is below it is converted',
    `
    account A limit=3000
    card a
    0100 a purchase 1000 cur=840 bill=5005/986 partial stan=1   | 10 | 0 | 3000 |    0
    0400 a stan=2 rrn=1 de95=1000 cur=840                       | 00 | 0 | 3000 |    0
    0400 a stan=3 rrn=1 de95=600 cur=840                        | 00 | 0 | 3000 |    0
    0400 a stan=4 rrn=1 de95=599 cur=840                        | 00 | 0 | 3000 |    0
    0400 a stan=5 rrn=1 de95=598 cur=840                        | 00 | 0 | 2993 |    7   # 2992.99
    0400 a stan=6 rrn=1 de95=599 cur=840                        | 00 | 0 | 2993 |    7
    0400 a stan=7 rrn=1 de95=100 cur=840                        | 00 | 0 |  501 | 2499   # 500.5
  `,
    (run) => expect(run.outcomes.get(3)!.facts.partialAmount).toBe(599),
  );

  scenario(
    'of a partial approval: at most what was approved',
    `
    account A limit=300
    card a
    0100 a purchase 500 partial stan=1   | 10 | 0 | 300 |   0
    0400 a stan=2 rrn=1 de95=400         | 00 | 0 | 300 |   0
    0400 a stan=3 rrn=1 de95=100         | 00 | 0 | 100 | 200
  `,
  );
});

describe('reversals that come first', () => {
  scenario(
    'a late original is declined with 68 and holds nothing; its repeats too',
    `
    account A limit=1000
    card a
    0420 a 100 stan=1 rrn=1            | 00  | 0 | 0 | 1000
    0421 a 100 stan=1 rrn=1            | 00= | 0 | 0 | 1000
    wait 2m
    0100 a purchase 100 stan=1 de7=520120000   | 68  | 0 | 0 | 1000
    0101 a purchase 100 stan=1 de7=520120000   | 68= | 0 | 0 | 1000
    0100 a purchase 100 stan=2         | 00  | 0 | 100 | 900   # any other is not concerned
  `,
    (run) => expect(run.book.state.tombstones).toBe(1),
  );

  scenario(
    'the late original is known by whatever the reversal named it by',
    `
    account A limit=1000
    card a
    0420 a stan=901 orig=NET1 rrn=-                          | 00 | 0 | 0 | 1000
    0100 a purchase 100 stan=1 net=NET1                      | 68 | 0 | 0 | 1000
    0420 a stan=902 rrn=- de90=100/2/520120000/0012345/-     | 00 | 0 | 0 | 1000
    0100 a purchase 100 stan=2                               | 68 | 0 | 0 | 1000
    0420 a stan=903 rrn=- de90=100/3/520120000/-/-           | 00 | 0 | 0 | 1000
    0100 a purchase 100 stan=3                               | 68 | 0 | 0 | 1000
    0420 a stan=904 rrn=4 de38=123456                        | 00 | 0 | 0 | 1000
    0100 a purchase 100 stan=4                               | 68 | 0 | 0 | 1000
    0420 a stan=5 rrn=- terminal=T9                          | 00 | 0 | 0 | 1000
    0100 a purchase 100 stan=5                               | 68 | 0 | 0 | 1000
    0420 a stan=906 rrn=- de90=100/6/520120000/999/-         | 00 | 0 | 0 | 1000
    0100 a purchase 100 stan=6                               | 00 | 0 | 100 | 900   # not the one it named
  `,
  );

  scenario(
    'a partial reversal that comes first stands as a tombstone as well',
    `
    account A limit=1000
    card a
    0420 a 100 stan=1 rrn=1 de95=40            | 00 | 0 | 0 | 1000
    0100 a purchase 100 stan=1                 | 68 | 0 | 0 | 1000
  `,
  );

  scenario(
    'a tombstone stands for the duplicate window',
    `
    account A limit=1000
    card a
    0420 a stan=901 rrn=1                      | 00 | 0 | 0 | 1000
    wait 24h
    0100 a purchase 100 stan=1 de7=0520115959  | 68 | 0 | 0 | 1000
    wait 1s
    0100 a purchase 100 stan=2 rrn=1 de7=0520115959 | 00 | 0 | 100 | 900
  `,
  );

  scenario(
    'of an unknown card: accepted; the late original is declined as reversed',
    `
    0420 ? stan=901 rrn=1                      | 00
    0100 ? purchase 100 stan=1                 | 68
    0100 ? purchase 100 stan=2                 | 14
  `,
  );
});

describe('DE90 of a reversal and the forwarder', () => {
  scenario(
    'is compared where it is named, and only there',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1 forwarder=77                                | 00 | 0 | 100 | 900
    0400 a stan=901 rrn=- de90=100/1/520120000/00000012345/00000000088     | 00 | 0 | 100 | 900   # of another forwarder
    0400 a stan=902 rrn=- de90=100/1/520120000/00000012345/-               | 00 | 0 |   0 | 1000
  `,
  );
});

describe('the rate of the original', () => {
  scenario(
    'a replacement that would be more than money can be leaves all of it',
    `
    account A limit=999999999999
    card a
    0100 a purchase 1 cur=840 bill=900000000000/986 stan=1      | 00 | 0 | 900000000000 | 99999999999
    0400 a stan=2 rrn=1 de95=999999999999                       | 00 | 0 | 900000000000 | 99999999999
  `,
  );
});

test('what an index hands out by chance and is no message is no original', () => {
  const run = new Scenario();
  run.run('account A limit=1000'.split(' '), 1);
  run.run(['card', 'a'], 2);
  run.run('0100 a purchase 100 stan=1'.split(' '), 3);
  const { history } = run.book;
  const find = history.find.bind(history);
  history.find = (high, low, sinceMs) => {
    const { count, sequences } = find(high, low, sinceMs);
    // Records of an account and of a card, behind every other.
    sequences.set([1, 2], count);
    return { count: count + 2, sequences };
  };
  expect(run.run('0400 a stan=9 rrn=1'.split(' '), 4)).toBe('00');
  expect(run.balances()).toEqual([0, 0, 1000]);
});

test('of a card that is not known nothing is said that was before', () => {
  const run = new Scenario();
  run.run('account A limit=1000'.split(' '), 1);
  run.run(['card', 'a'], 2);
  run.run('0100 a purchase 100 stan=1'.split(' '), 3);
  run.run('0100 a purchase 100 stan=2'.split(' '), 4);
  expect(run.outcomes.get(4)!.event.previousOfCard).toBe(3);
  run.run('0100 ? purchase 100 stan=3'.split(' '), 5);
  const { previousOfCard, previousOfAccount, heldBefore, accountSlot } = run.outcomes.get(5)!.event;
  expect([previousOfCard, previousOfAccount, heldBefore, accountSlot]).toEqual([0, 0, 0, -1]);
});

describe('DE95 is in the currency that the reversal names', () => {
  scenario(
    "the account's, whatever the original was in",
    `
    account A limit=100000
    card a
    0100 a purchase 1000 cur=840 bill=5000/986 stan=1        | 00 | 0 | 5000 | 95000
    0400 a 1000 stan=2 rrn=1 cur=986 de95=600                | 00 | 0 |  600 | 99400
    0400 a 1000 stan=3 rrn=1 cur=840 de95=100                | 00 | 0 |  500 | 99500
    0400 a 1000 stan=4 rrn=1 de95=20 cur=-                   | 00 | 0 |  100 | 99900
  `,
  );

  scenario(
    'a third one, at the rate of the reversal; without a rate nothing is taken back',
    `
    account A limit=100000
    card a
    0100 a purchase 1000 stan=1                              | 00 | 0 | 1000 | 99000
    0400 a 300 stan=2 rrn=1 cur=978 de95=100                 | 00 | 0 | 1000 | 99000
    0400 a 300 stan=3 rrn=1 cur=978 bill=1800/840 de95=100   | 00 | 0 | 1000 | 99000
    0400 a 300 stan=4 rrn=1 cur=978 bill=1800/986 de95=100   | 00 | 0 |  600 | 99400
    0200 a purchase 1000 stan=5                              | 00 | 1000 | 600 | 98400
    0420 a 300 stan=6 rrn=5 cur=978 bill=1800/986 de95=100   | 00 |  600 | 600 | 98800
  `,
  );
});

describe('a replaced card', () => {
  scenario(
    'reversals, increments, completions and advices that come by the new number mean the authorization of the old one',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1 net=N1                        | 00 | 0 | 100 | 900
    0100 a purchase 100 stan=2 hold=H2                       | 00 | 0 | 200 | 800
    0200 a purchase 100 stan=3                               | 00 | 100 | 200 | 700
    card b replaces=a
    status a closed
    0100 b purchase 50 stan=11 fn=I rrn=1                    | 00 | 100 | 250 | 650
    0400 b stan=12 orig=N1 de95=60                           | 00 | 100 | 160 | 740
    0120 b purchase 80 stan=13 why=C hold=H2                 | 00 | 100 | 140 | 760
    0220 b purchase 90 stan=14 why=C rrn=2                   | 00 | 190 |  60 | 750
    0420 b stan=15 rrn=3                                     | 00 |  90 |  60 | 850
    0420 b stan=16 rrn=1                                     | 00 |  90 |   0 | 910
    0420 b stan=17 rrn=2                                     | 00 |   0 |   0 | 1000
  `,
  );

  scenario(
    'the nearest card of the chain is asked first, each way of naming of all of them; strangers never',
    `
    account A limit=1000
    card a
    card o
    0100 a purchase 100 stan=1 rrn=R                         | 00 | 0 | 100 | 900
    card b replaces=a
    0100 b purchase 200 stan=2 rrn=R                         | 00 | 0 | 300 | 700
    0400 b stan=3 rrn=R                                      | 00 | 0 | 100 | 900
    0400 o stan=4 rrn=R                                      | 00 | 0 | 100 | 900
    card c replaces=b
    0400 c stan=5 rrn=- de90=0100/1/0520120000/12345         | 00 | 0 |   0 | 1000
  `,
  );
});

describe('a second attempt under one DE37', () => {
  scenario(
    'its reversal overtakes it, and finds the first attempt, which was declined: the second one is late',
    `
    account A limit=100
    card a
    0100 a purchase 200 stan=1 rrn=R de7=0520115900          | 51 | 0 | 0 | 100
    limit A 1000                                             | ok | 0 | 0 | 1000
    0400 a stan=3 rrn=R de7=0520120002                       | 00 | 0 | 0 | 1000
    0100 a purchase 200 stan=2 rrn=R de7=0520120001          | 68 | 0 | 0 | 1000
    0100 a purchase 200 stan=4 rrn=R de7=0520120003          | 00 | 0 | 200 | 800   # sent after the reversal
  `,
  );

  scenario(
    'so after a first attempt that was reversed, and after one that the network declined',
    `
    account A limit=1000
    card a
    0100 a purchase 200 stan=1 rrn=R de7=0520115800          | 00 | 0 | 200 | 800
    0400 a stan=2 rrn=R de7=0520115801                       | 00 | 0 |   0 | 1000
    0400 a stan=4 rrn=R de7=0520115901                       | 00 | 0 |   0 | 1000
    0100 a purchase 200 stan=3 rrn=R de7=0520115900          | 68 | 0 |   0 | 1000
    0120 a purchase 200 stan=5 rrn=S why=D de7=0520115800    | 00 | 0 |   0 | 1000
    0400 a stan=7 rrn=S de7=0520115901                       | 00 | 0 |   0 | 1000
    0100 a purchase 200 stan=6 rrn=S de7=0520115900          | 68 | 0 |   0 | 1000
  `,
  );

  scenario(
    'a reversal that says which one it means (DE90, DE38, its STAN) stands against no other',
    `
    account A limit=100
    card a
    0100 a purchase 200 stan=1 rrn=R de7=0520115900          | 51 | 0 | 0 | 100
    limit A 1000                                             | ok | 0 | 0 | 1000
    0400 a stan=3 rrn=R de7=0520120002 de90=0100/1/0520115900/12345 | 00 | 0 | 0 | 1000
    0400 a stan=1 rrn=R de7=0520115900                       | 00 | 0 | 0 | 1000
    0100 a purchase 200 stan=2 rrn=R de7=0520120001          | 00 | 0 | 200 | 800
  `,
  );

  scenario(
    'across the turn of the year: DE7 has none',
    `
    at 2026-12-31T23:59:58
    account A limit=100
    card a
    0100 a purchase 200 stan=1 rrn=R de7=1231235900          | 51 | 0 | 0 | 100
    limit A 1000                                             | ok | 0 | 0 | 1000
    at 2027-01-01T00:00:05
    0400 a stan=3 rrn=R de7=0101000002                       | 00 | 0 | 0 | 1000
    0100 a purchase 200 stan=2 rrn=R de7=1231235959          | 68 | 0 | 0 | 1000
    0100 a purchase 200 stan=4 rrn=R de7=0101000003          | 00 | 0 | 200 | 800
  `,
  );
});

describe('a second attempt, and what the first one has become', () => {
  scenario(
    'rolled back, ended, checked only, brought to nothing: its reversal may mean the second',
    `
    account A limit=1000
    card a
    0200 a purchase 50 stan=1 rrn=R de7=0520115800           | 00 | 50 | 0 | 950
    undelivered 3                                            | ok |  0 | 0 | 1000
    0420 a stan=4 rrn=R de7=0520115902                       | 00 |  0 | 0 | 1000
    0200 a purchase 50 stan=3 rrn=R de7=0520115900           | 68 |  0 | 0 | 1000
    0100 a verify stan=11 rrn=S de7=0520115800               | 85 |  0 | 0 | 1000
    0420 a stan=14 rrn=S de7=0520115902                      | 00 |  0 | 0 | 1000
    0100 a purchase 50 stan=13 rrn=S de7=0520115900          | 68 |  0 | 0 | 1000
    0100 a purchase 50 stan=21 rrn=T de7=0520115800          | 00 |  0 | 50 | 950
    0120 a purchase 0 stan=22 why=C rrn=T                    | 00 |  0 | 0 | 1000
    0420 a stan=24 rrn=T de7=0520115902                      | 00 |  0 | 0 | 1000
    0100 a purchase 50 stan=23 rrn=T de7=0520115900          | 68 |  0 | 0 | 1000
  `,
  );

  scenario(
    'a reversal that was sent before an attempt does not mean it, in whichever order the two come',
    `
    account A limit=100
    card a
    0200 a purchase 200 stan=1 rrn=R de7=0520115800          | 51 | 0 | 0 | 100
    limit A 1000                                             | ok | 0 | 0 | 1000
    0200 a purchase 200 stan=3 rrn=R de7=0520115902          | 00 | 200 | 0 | 800
    0420 a stan=2 rrn=R de7=0520115900                       | 00 | 200 | 0 | 800
  `,
  );

  scenario(
    'two reversals do not swallow a posting of the network',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1 rrn=R de7=0520115800          | 00 | 0 | 100 | 900
    0420 a stan=3 rrn=R de7=0520115900                       | 00 | 0 |   0 | 1000
    0420 a stan=4 rrn=R de7=0520115901                       | 00 | 0 |   0 | 1000
    0220 a purchase 100 stan=5 rrn=R de7=0520115900          | 00 | 100 | 0 | 900
  `,
  );

  scenario(
    'on the card that replaces: the decline there is nearer than an approval of long ago on the old one',
    `
    account A limit=1000
    card a
    0200 a purchase 100 stan=1 rrn=R                         | 00 | 100 | 0 | 900
    card b replaces=a
    0200 b purchase 5000 stan=2 rrn=R                        | 51 | 100 | 0 | 900
    0420 b stan=3 rrn=R                                      | 00 | 100 | 0 | 900
  `,
  );
});

describe('a single message that we declined, and the network approved', () => {
  scenario(
    'once it is reversed, a further 0220 is recorded only',
    `
    account A limit=50
    card a
    0200 a purchase 100 stan=1                               | 51 |   0 | 0 |  50
    0220 a purchase 100 stan=2 why=S rrn=1                   | 00 | 100 | 0 | -50
    0420 a stan=3 rrn=1                                      | 00 |   0 | 0 |  50
    0220 a purchase 100 stan=5 why=S rrn=1                   | 00 |   0 | 0 |  50
  `,
  );
});

describe('DE38 that is no code', () => {
  scenario(
    'is compared as it came',
    `
    account A limit=1000
    card a
    0120 a purchase 100 stan=1 why=S de38=A-1234             | 00 | 0 | 100 | 900
    0420 a stan=2 rrn=1 de38=A-1235                          | 00 | 0 | 100 | 900
    0420 a stan=3 rrn=1 de38=A-1234                          | 00 | 0 |   0 | 1000
  `,
  );
});

describe('totals of reversals in a currency of their own', () => {
  scenario(
    "in the account's: what was posted back; what stands in the original's falls by as much of it",
    `
    account A limit=100000
    card a
    0200 a purchase 10000 cur=392 bill=500/986 stan=1        | 00 | 500 | 0 | 99500
    0420 a 500 stan=2 rrn=1 cur=986 de95=200                 | 00 | 200 | 0 | 99800
    totals 2026-05-20 link=1 acquirer=12345 cur=986          | debit reversals 1 300
    0420 a 10000 stan=3 rrn=1 cur=392                        | 00 |   0 | 0 | 100000
    totals 2026-05-20 link=1 acquirer=12345 cur=392          | debits 1 10000, debit reversals 1 4000
  `,
  );
});
