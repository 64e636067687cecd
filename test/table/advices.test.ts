/** Advices: 0120 tells a decision or a final amount and holds, 0220 posts. All of them are accepted (00). */
import { HoldFlag } from '#src/domain/hold-table.js';
import { describe, expect, Scenario, scenario, test } from './runner.js';

describe('a request with the numbers of an advice', () => {
  for (const [what, lines] of [
    [
      'gets the decision that it had, whatever the network tells of it since',
      `
    0100 a purchase 1500 stan=1                     | 51 | 0 |    0 | 1000
    0120 a purchase 1500 stan=1 why=D               | 00 | 0 |    0 | 1000
    0101 a purchase 1500 stan=1                     | 51= | 0 |   0 | 1000`,
    ],
    [
      'is decided when the advice told of a decline',
      `
    0120 a purchase 1500 stan=1 why=D               | 00 | 0 |    0 | 1000
    0100 a purchase 1500 stan=1                     | 51 | 0 |    0 | 1000
    0120 a purchase 300 stan=2 why=D                | 00 | 0 |    0 | 1000
    0100 a purchase 300 stan=2                      | 00 | 0 |  300 |  700`,
    ],
    [
      'and of cash that was declined for us, too',
      `
    0220 a cash 1500 stan=1 why=D                   | 00 | 0 |    0 | 1000
    0200 a cash 1500 stan=1                         | 51 | 0 |    0 | 1000`,
    ],
    [
      'is late when its reversal came before both',
      `
    0420 a stan=9 rrn=1                             | 00 | 0 |    0 | 1000
    0120 a purchase 600 stan=1 why=S                | 00 | 0 |    0 | 1000
    0100 a purchase 600 stan=1                      | 68 | 0 |    0 | 1000`,
    ],
    [
      'is late when what the advice held was reversed, also said again',
      `
    0120 a purchase 600 stan=1 why=S                | 00 | 0 |  600 |  400
    0420 a stan=9 rrn=1                             | 00 | 0 |    0 | 1000
    0100 a purchase 600 stan=1                      | 68 | 0 |    0 | 1000
    0101 a purchase 600 stan=1                      | 68= | 0 |   0 | 1000`,
    ],
    [
      'or what it posted',
      `
    0220 a purchase 600 stan=1 why=S                | 00 | 600 |  0 |  400
    0420 a stan=9 rrn=1                             | 00 | 0 |    0 | 1000
    0200 a purchase 600 stan=1                      | 68 | 0 |    0 | 1000`,
    ],
    [
      'stays late when the network tells of it after its reversal',
      `
    0100 a purchase 600 stan=1                      | 00 | 0 |  600 |  400
    0420 a stan=9 rrn=1                             | 00 | 0 |    0 | 1000
    0101 a purchase 600 stan=1                      | 68 | 0 |    0 | 1000
    0120 a purchase 600 stan=1 why=S                | 00 | 0 |    0 | 1000
    0101 a purchase 600 stan=1                      | 68= | 0 |   0 | 1000`,
    ],
    [
      'of a card that we do not know is decided',
      `
    0120 ? purchase 600 stan=1 why=S                | 00 | 0 |    0 | 1000
    0100 ? purchase 600 stan=1                      | 14 | 0 |    0 | 1000`,
    ],
    [
      'keeps its partial approval',
      `
    0100 a purchase 1500 stan=1 partial             | 10 | 0 | 1000 |    0
    0120 a purchase 1500 stan=1 why=S               | 00 | 0 | 1500 | -500
    0101 a purchase 1500 stan=1 partial             | 10= | 0 | 1500 | -500`,
    ],
    [
      'repeats an advice by which it stands',
      `
    0120 a purchase 600 stan=1 why=S                | 00 | 0 |  600 |  400
    0100 a purchase 600 stan=1                      | 00= | 0 | 600 |  400`,
    ],
  ] as const)
    scenario(
      what,
      `
    account A limit=1000
    card a${lines}
  `,
    );
});

describe('stand-in advices', () => {
  scenario(
    'of an original that we never saw: held as the network decided, even above the limit',
    `
    account A limit=1000
    card a
    0120 a purchase 1500 stan=1 why=S de38=654321 mode=51   | 00 | 0 | 1500 | -500
    kind 3                                          | advice
    code 3                                          | 654321   # the network's code, not one of ours
    ends 3                                          | 5d
    0121 a purchase 1500 stan=1 why=S de38=654321 mode=51   | 00= | 0 | 1500 | -500
    0100 a purchase 1 stan=2                        | 51 | 0 | 1500 | -500   # our own decisions see what it took
    0400 a stan=3 rrn=1                             | 00 | 0 |    0 | 1000
  `,
  );

  scenario(
    'of one that we declined: the hold belongs to the declined authorization',
    `
    account A limit=1000
    card a
    0100 a purchase 1500 stan=1                     | 51 | 0 |    0 | 1000
    0120 a purchase 1500 stan=2 rrn=1 why=S         | 00 | 0 | 1500 | -500
    hold 3                                          | 1500 of 1500
    kind 4                                          | completion
    0101 a purchase 1500 stan=1                     | 51= | 0 | 1500 | -500   # the answer that we gave
    0400 a stan=3 rrn=1                             | 00 | 0 |    0 | 1000
  `,
  );

  scenario(
    'of one that was rolled back as not delivered: held again; its reversal releases it',
    `
    account A limit=1000
    card a
    0100 a purchase 400 stan=1                      | 00 | 0 | 400 |  600
    undelivered 3                                   | ok | 0 |   0 | 1000
    0120 a purchase 400 stan=2 rrn=1 why=S          | 00 | 0 | 400 |  600
    hold 3                                          | 400 of 400
    0101 a purchase 400 stan=1                      | 68 | 0 | 400 |  600
    0420 a stan=3 rrn=- de90=100/1/520120000/00000012345/-   | 00 | 0 | 0 | 1000
    0120 a purchase 400 stan=4 rrn=1 why=S          | 00 | 0 |   0 | 1000   # after its reversal: recorded
  `,
  );

  scenario(
    'of one that we approved: nothing is held twice',
    `
    account A limit=1000
    card a
    0100 a purchase 400 stan=1                      | 00 | 0 | 400 | 600
    0120 a purchase 400 stan=2 rrn=1 why=S          | 00 | 0 | 400 | 600
    hold 3                                          | 400 of 400
  `,
  );

  scenario(
    'with the very numbers of the request are no repeat of it: always accepted',
    `
    account A limit=1000
    card a
    0100 a purchase 1500 stan=1                     | 51  | 0 |    0 | 1000
    0120 a purchase 1500 stan=1 why=S               | 00  | 0 | 1500 | -500
    0121 a purchase 1500 stan=1 why=S               | 00= | 0 | 1500 | -500
    0120 a purchase 1400 stan=1 why=S               | 94  | 0 | 1500 | -500   # of the advice it is one
    0400 a stan=9 rrn=1                             | 00  | 0 |    0 | 1000
    0100 a purchase 400 stan=2                      | 00  | 0 |  400 |  600
    undelivered 8                                   | ok  | 0 |    0 | 1000
    0120 a purchase 400 stan=2 why=S                | 00  | 0 |  400 |  600
    0100 a purchase 400 stan=3                      | 00  | 0 |  800 |  200
    0120 a purchase 450 stan=3 why=C                | 00  | 0 |  850 |  150
    0220 a purchase 70 stan=4 why=S                 | 00  | 70 | 850 |  80
    0200 a purchase 70 stan=4                       | 00= | 70 | 850 |  80    # the request after its advice repeats it
  `,
  );

  scenario(
    'with a code of the network that is not ours: the RRN still names the authorization',
    `
    account A limit=1000
    card a
    0100 a purchase 400 stan=1                      | 00 |   0 | 400 | 600
    0120 a purchase 400 stan=2 rrn=1 why=S de38=123456   | 00 |   0 | 400 | 600
    code 4                                          | 123456
    0220 a purchase 410 stan=3 rrn=1 de38=123456    | 00 | 410 |   0 | 590
    hold 3                                          | 0 of 410
    0100 a purchase 100 stan=4                      | 00 | 410 | 100 | 490
    0400 a stan=5 rrn=4 de38=123456                 | 00 | 410 | 100 | 490   # the code of a reversal must fit
    0400 a stan=6 rrn=4 de38=@8                     | 00 | 410 |   0 | 590
  `,
  );

  scenario(
    'of a single message that was rolled back: 0220 posts it, 0120 holds it',
    `
    account A limit=1000
    card a
    0200 a purchase 400 stan=1                      | 00 | 400 |   0 |  600
    undelivered 3                                   | ok |   0 |   0 | 1000
    0220 a purchase 400 stan=2 rrn=1 why=S          | 00 | 400 |   0 |  600
    legs 5                                          | 1100 +400, 2100 -400
    0200 a purchase 300 stan=3                      | 00 | 700 |   0 |  300
    undelivered 7                                   | ok | 400 |   0 |  600
    0120 a purchase 300 stan=4 rrn=3 why=S          | 00 | 400 | 300 |  300
    0420 a stan=5 rrn=- de90=200/3/520120000/00000012345/-   | 00 | 400 | 0 | 600   # names the single message
    0420 a stan=6 rrn=- de90=200/1/520120000/00000012345/-   | 00 |   0 | 0 | 1000
  `,
  );

  scenario(
    'declined for us (84 = D): recorded, whether we know the original or not',
    `
    account A limit=1000
    card a
    0120 a purchase 400 stan=1 why=D                | 00 | 0 |   0 | 1000
    0100 a purchase 400 stan=2                      | 00 | 0 | 400 |  600
    0120 a purchase 400 stan=3 rrn=2 why=D          | 00 | 0 | 400 |  600
    0220 a purchase 400 stan=4 rrn=2 why=D          | 00 | 0 | 400 |  600
    kind 5                                          | advice
    hold 4                                          | 400 of 400
    0400 a stan=5 rrn=2                             | 00 | 0 |   0 | 1000   # of the two with that RRN the approval
  `,
  );

  scenario(
    'of a card that we do not know: accepted and journaled',
    `
    0120 ? purchase 400 stan=1 why=S                | 00
    0121 ? purchase 400 stan=1 why=S                | 00=
    0220 ? purchase 400 stan=2 why=S                | 00
    0420 ? stan=3 rrn=1                             | 00
    why 1                                           | unknownCard
    kind 1                                          | advice
  `,
    (run) => {
      expect(run.book.history.events).toHaveLength(3);
      // By DE37 alone: it may mean a second attempt.
      expect(run.book.state.tombstones).toBe(1);
    },
  );

  scenario(
    'are accepted whatever the card and the account look like, and whatever controls say',
    `
    account A limit=1000
    card a
    status a stolen
    0120 a purchase 100 stan=1 why=S exp=2001       | 00 | 0 | 100 | 900
    status A frozen
    0120 a purchase 100 stan=2 why=S                | 00 | 0 | 200 | 800
    controls a {"per_transaction":50}
    0120 a purchase 100 stan=3 why=S                | 00 | 0 | 300 | 700
    status A closed
    0220 a purchase 100 stan=4 why=S                | 00 | 100 | 300 | 600
  `,
  );

  scenario(
    'but must be well-formed: amount, currency, processing code, time',
    `
    account A limit=1000
    card a
    0120 a purchase stan=1 why=S                    | 30 | 0 | 0 | 1000
    0120 a purchase 100 stan=2 why=S cur=840        | 30 | 0 | 0 | 1000   # no DE6
    0120 a 100 stan=3 why=S                         | 30 | 0 | 0 | 1000
    0120 a 100 pc=400000 stan=4 why=S               | 12 | 0 | 0 | 1000
    0120 a purchase 100 stan=5 why=S de7=230120000  | 30 | 0 | 0 | 1000
    0120 a purchase 100 stan=1 why=S                | 00 | 0 | 100 | 900   # sent again, corrected
  `,
  );

  scenario(
    'whose reversal came first: recorded, nothing is held or posted',
    `
    account A limit=1000
    card a
    0420 a stan=901 rrn=1                           | 00 | 0 | 0 | 1000
    0120 a purchase 400 stan=1 why=S                | 00 | 0 | 0 | 1000
    0420 a stan=902 rrn=2                           | 00 | 0 | 0 | 1000
    0220 a purchase 400 stan=2 why=S                | 00 | 0 | 0 | 1000
    kind 4                                          | advice
    0121 a purchase 400 stan=1 why=S                | 00= | 0 | 0 | 1000
  `,
    (run) => expect(run.book.state.tombstones).toBe(2),
  );

  scenario(
    'in another currency: DE6 is held',
    `
    account A limit=1000
    card a
    0120 a purchase 100 cur=840 bill=515/986 stan=1 why=S   | 00 | 0 | 515 | 485
    0220 a purchase 120 cur=840 bill=620/986 stan=2 rrn=1   | 00 | 620 | 0 | 380
  `,
  );
});

describe('advices of increments', () => {
  scenario(
    'add to the hold and restart its life; their own reversal takes back that one',
    `
    account A limit=1000
    card a
    0100 a purchase 300 stan=1                      | 00 | 0 | 300 | 700   # 7 days
    wait 2d
    0120 a purchase 200 stan=2 fn=I rrn=1 why=S     | 00 | 0 | 500 | 500
    hold 3                                          | 500 of 500
    ends 3                                          | 7d
    0420 a stan=9 rrn=- de90=120/2/522120000/00000012345/-   | 00 | 0 | 300 | 700
    0400 a stan=10 rrn=1                            | 00 | 0 |   0 | 1000
  `,
  );

  scenario(
    'of one that we approved: not added again, and it stays when ours is rolled back',
    `
    account A limit=1000
    card a
    0100 a purchase 300 stan=1                                | 00 | 0 | 300 | 700
    0100 a purchase 200 stan=2 fn=I orig=- rrn=1 net=INC2     | 00 | 0 | 500 | 500
    0120 a purchase 200 stan=3 fn=I rrn=- orig=INC2 why=S     | 00 | 0 | 500 | 500
    undelivered 4                                             | ok | 0 | 500 | 500
    0120 a purchase 200 stan=5 fn=I rrn=- orig=INC2 why=S     | 00 | 0 | 500 | 500
    0120 a purchase 200 stan=6 fn=I rrn=X why=S               | 00 | 0 | 700 | 300   # of nobody we know: on its own
    hold 3                                                    | 500 of 500
  `,
  );
});

describe('financial advices (0220)', () => {
  scenario(
    'over a 0100: posted, and all that is held is released',
    `
    account A limit=1000
    card a
    0100 a purchase 500 stan=1                      | 00 |   0 | 500 | 500
    0220 a purchase 450 stan=2 rrn=1                | 00 | 450 |   0 | 550
    legs 4                                          | 1100 +450, 2100 -450
    kind 4                                          | completion
    0221 a purchase 450 stan=2 rrn=1                | 00= | 450 |  0 | 550
    0100 a purchase 300 stan=3                      | 00 | 450 | 300 | 250
    0220 a purchase 320 stan=4 rrn=3                | 00 | 770 |   0 | 230   # above what was held
  `,
  );

  scenario(
    'over a 0200: the difference only, up and down, and down to nothing',
    `
    account A limit=1000
    card a
    0200 a purchase 500 stan=1                      | 00 | 500 | 0 | 500
    0220 a purchase 520 stan=2 rrn=1                | 00 | 520 | 0 | 480
    legs 4                                          | 1100 +20, 2100 -20
    0220 a purchase 480 stan=3 rrn=1                | 00 | 480 | 0 | 520
    legs 6                                          | 1100 -40, 2100 +40
    0220 a purchase 480 stan=4 rrn=1                | 00 | 480 | 0 | 520
    legs 8                                          | none
    0220 a purchase 0 stan=5 rrn=1                  | 00 |   0 | 0 | 1000
  `,
  );

  scenario(
    'of an original that we do not know: posted, even above the limit; its reversal posts the mirror',
    `
    account A limit=1000
    card a
    0220 a purchase 1500 stan=1 de38=123456         | 00 | 1500 | 0 | -500
    legs 3                                          | 1100 +1500, 2100 -1500
    code 3                                          | 123456
    0420 a stan=2 rrn=1                             | 00 |    0 | 0 | 1000
    legs 6                                          | 1100 -1500, 2100 +1500
    0220 a purchase 0 stan=3                        | 00 |    0 | 0 | 1000   # of nothing, nothing
  `,
  );

  scenario(
    'after a reversal: of a posted one recorded only; of an authorization it posts, as a late presentment does',
    `
    account A limit=1000
    card a
    0200 a purchase 500 stan=1                      | 00 | 500 |   0 |  500
    0400 a stan=2 rrn=1                             | 00 |   0 |   0 | 1000
    0220 a purchase 500 stan=3 rrn=1                | 00 |   0 |   0 | 1000
    kind 5                                          | advice
    0100 a purchase 300 stan=4                      | 00 |   0 | 300 |  700
    0400 a stan=5 rrn=4                             | 00 |   0 |   0 | 1000
    0220 a purchase 300 stan=6 rrn=4                | 00 | 300 |   0 |  700
  `,
  );

  scenario(
    'a refund that names a purchase is a posting of its own and leaves the purchase alone',
    `
    account A limit=1000
    card a
    0200 a purchase 500 stan=1 net=P1               | 00 | 500 |   0 |  500
    0220 a refund 200 stan=2 orig=P1                | 00 | 300 |   0 |  700
    legs 4                                          | 1100 -200, 2100 +200
    0100 a purchase 400 stan=3 net=P3               | 00 | 300 | 400 |  300
    0220 a refund 100 stan=4 orig=P3                | 00 | 200 | 400 |  400
    hold 6                                          | 400 of 400
    0120 a refund 100 stan=5 orig=P3                | 00 | 200 | 400 |  400   # announced: holds nothing
    hold 9                                          | 0 of 100
    hold 6                                          | 400 of 400
    0400 a stan=6 rrn=1                             | 00 | -300 | 400 | 900   # all of the purchase goes back
  `,
  );
});

describe('an approval code of the network', () => {
  /** The code that the card's next approval would get. */
  const next = ({ book: { state } }: Scenario): string =>
    String(state.approvalCodes.of(0, state.cards.approvals(0))).padStart(6, '0');
  const play = (run: Scenario, line: number, text: string): string => {
    const code = run.run(text.split(' '), line);
    return `${code} ${run.outcomes.get(line)!.approvalCode}`;
  };

  test('is kept, and no approval of ours gets the same while it can be matched', () => {
    const run = new Scenario();
    run.run(['account', 'A', 'limit=100000'], 1);
    run.run(['card', 'a'], 2);
    // One ahead: the advice counts as an approval itself.
    const taken = String(run.book.state.approvalCodes.of(0, 1)).padStart(6, '0');
    expect(play(run, 3, `0120 a purchase 100 stan=1 why=S de38=${taken}`)).toBe(`00 ${taken}`);
    expect(next(run)).toBe(taken);
    const ours = play(run, 4, '0100 a purchase 200 stan=2');
    expect(ours).toMatch(/^00 [0-9]{6}$/);
    expect(ours).not.toBe(`00 ${taken}`);
    // The count went on: the next is the one that it would have been anyway, and each code names one approval.
    expect(play(run, 5, '0100 a purchase 300 stan=3')).toBe(
      `00 ${String(run.book.state.approvalCodes.of(0, 2)).padStart(6, '0')}`,
    );
    expect(run.balances()).toEqual([0, 600, 99_400]);
    expect(play(run, 6, `0400 a stan=4 rrn=2 de38=${taken}`)).toBe('00 ');
    expect(run.balances()).toEqual([0, 600, 99_400]);
    expect(play(run, 7, `0400 a stan=5 rrn=1 de38=${taken}`)).toBe('00 ');
    expect(run.balances()).toEqual([0, 500, 99_500]);
  });

  test('that left the matchable time is free again, and a card without such advices is not searched', () => {
    const run = new Scenario();
    run.run(['account', 'A', 'limit=100000'], 1);
    run.run(['card', 'a'], 2);
    const taken = String(run.book.state.approvalCodes.of(0, 1)).padStart(6, '0');
    expect(run.book.state.cards.hasNetworkCode(0)).toBe(false);
    play(run, 3, `0120 a purchase 100 stan=1 why=S de38=${taken}`);
    expect(run.book.state.cards.hasNetworkCode(0)).toBe(true);
    run.run(['wait', '122d'], 4);
    expect(play(run, 5, '0100 a purchase 200 stan=2')).toBe(`00 ${taken}`);
  });
});

describe('an advice changes nothing', () => {
  scenario(
    'where a file has posted the authorization already',
    `
    account A limit=1000
    card a
    0100 a purchase 400 stan=1 net=N1               | 00 |   0 | 400 | 600
    clear a purchase 400 net=N1 arn=A               | posted networkId | 400 | 0 | 600
    wait 8d
    sweep                                           | 1  | 400 |   0 | 600
    hold 3                                          | none
    0120 a purchase 400 stan=2 rrn=1 why=C          | 00 | 400 |   0 | 600
    kind 8                                          | advice
  `,
    (run) => expect(run.outcomes.get(8)!.event.approvedAmount).toBe(0),
  );
});

describe('what was refused is no original', () => {
  scenario(
    'a message with the STAN of another and another amount',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1 net=N1               | 00 |   0 | 100 | 900
    0100 a purchase 200 stan=1 net=N2               | 94 |   0 | 100 | 900
    0120 a purchase 200 stan=2 rrn=9 orig=N2 why=S  | 00 |   0 | 300 | 700
    kind 5                                          | advice
    hold 5                                          | 200 of 200
  `,
  );
});

describe('only a hold that counts in windows says so', () => {
  const lines = `
    0100 a purchase 100 stan=1                      | 00 |   0 | 100 | 900
    0120 a purchase 100 stan=2 why=S                | 00 |   0 | 200 | 800
    0200 a purchase 100 stan=3                      | 00 | 100 | 200 | 700
    0220 a purchase 100 stan=4 why=S                | 00 | 200 | 200 | 600
  `;
  const flags = (run: Scenario, first: number): number[] =>
    [0, 1, 2, 3].map((i) => run.outcomes.get(first + i)!.event.holdFlags & HoldFlag.counted);
  const { counted } = HoldFlag;

  scenario('without controls nothing counts', `\n    account A limit=1000\n    card a${lines}`, (run) =>
    expect(flags(run, 3)).toEqual([0, 0, 0, 0]),
  );
  scenario(
    'with a window what is held does, and what is posted at once has no hold',
    `\n    account A limit=1000\n    card a\n    controls a {"velocity":[{"window":"day","amount":1000}]}${lines}`,
    (run) => expect(flags(run, 4)).toEqual([counted, counted, 0, 0]),
  );
});

describe('an increment that we approved, told by the network', () => {
  scenario(
    'with its own numbers: the hold has it already',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1                               | 00 | 0 | 100 | 900
    0100 a purchase 50 stan=2 fn=I rrn=1 de7=0520120100      | 00 | 0 | 150 | 850
    0120 a purchase 50 stan=2 fn=I rrn=1 de7=0520120100      | 00 | 0 | 150 | 850
    0120 a purchase 50 stan=3 fn=I rrn=1                     | 00 | 0 | 200 | 800   # another one
    0400 a stan=4 rrn=1                                      | 00 | 0 |   0 | 1000
  `,
  );

  scenario(
    'with its own numbers, and named by a reference of the hold',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1 hold=H                        | 00 | 0 | 100 | 900
    0100 a purchase 50 stan=2 fn=I hold=H de7=0520120100     | 00 | 0 | 150 | 850
    0120 a purchase 50 stan=2 fn=I hold=H de7=0520120100     | 00 | 0 | 150 | 850
  `,
  );

  scenario(
    'once it was declined or taken back it comes on top',
    `
    account A limit=1000
    card a
    0100 a purchase 900 stan=1                               | 00 | 0 | 900 | 100
    0100 a purchase 200 stan=2 fn=I rrn=1 de7=0520120100     | 51 | 0 | 900 | 100
    0120 a purchase 200 stan=2 fn=I rrn=1 de7=0520120100     | 00 | 0 | 1100 | -100
    0100 a purchase 10 stan=3 fn=R rrn=1                     | 00 | 0 | 10 | 990
    0100 a purchase 50 stan=4 fn=I rrn=1 de7=0520120200      | 00 | 0 | 60 | 940
    undelivered 7                                            | ok | 0 | 10 | 990
    0120 a purchase 50 stan=4 fn=I rrn=1 de7=0520120200      | 00 | 0 | 60 | 940
  `,
  );
});

describe('stand-in of an authorization that we approved as well', () => {
  scenario(
    'tells nothing new: what has become of the authorization stays',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1 de7=0520120000                | 00 | 0 | 100 | 900
    0100 a purchase 50 stan=2 fn=I rrn=1                     | 00 | 0 | 150 | 850
    0120 a purchase 100 stan=1 why=S de7=0520120000          | 00 | 0 | 150 | 850
    0400 a stan=3 rrn=1 de95=40                              | 00 | 0 |  40 | 960
    0120 a purchase 100 stan=4 why=S rrn=1                   | 00 | 0 |  40 | 960
    0120 a purchase 70 stan=5 why=C rrn=1                    | 00 | 0 |  70 | 930
    0120 a purchase 100 stan=6 why=S rrn=1                   | 00 | 0 |  70 | 930
    wait 8d
    sweep                                                    | 1  | 0 |   0 | 1000
    0120 a purchase 100 stan=7 why=S rrn=1                   | 00 | 0 |   0 | 1000
  `,
  );

  scenario(
    'another amount than ours: the difference, once',
    `
    account A limit=1000
    card a
    0100 a purchase 1500 stan=1 partial                      | 10 | 0 | 1000 |   0
    0120 a purchase 1500 stan=3 why=S rrn=1                  | 00 | 0 | 1500 | -500
    0120 a purchase 1500 stan=4 why=S rrn=1                  | 00 | 0 | 1500 | -500
    0120 a purchase 1200 stan=5 why=S rrn=1                  | 00 | 0 | 1200 | -200
    0120 a purchase 100 stan=6 fn=I rrn=1                    | 00 | 0 | 1300 | -300
    0120 a purchase 700 stan=7 why=S rrn=1                   | 00 | 0 |  800 | 200
    0100 a purchase 900 stan=8 fn=R rrn=1                    | 00 | 0 |  900 | 100
    0120 a purchase 1500 stan=9 why=S rrn=1                  | 00 | 0 |  900 | 100   # the replacement came later
  `,
  );

  scenario(
    'a single message that was reversed in part since then',
    `
    account A limit=1000
    card a
    0200 a purchase 100 stan=1 de7=0520120000                | 00 | 100 | 0 | 900
    0400 a stan=2 rrn=1 de95=30                              | 00 |  30 | 0 | 970
    0220 a purchase 100 stan=1 why=S de7=0520120000 de38=A1B2C3 | 00 | 30 | 0 | 970
    code 5                                                   | A1B2C3
    legs 5                                                   | none
    0220 a purchase 80 stan=3 why=S rrn=1                    | 00 |  30 | 0 | 970   # 30 stays of it too
    0220 a purchase 20 stan=5 why=S rrn=1                    | 00 |  20 | 0 | 980
    0420 a stan=4 rrn=1                                      | 00 |   0 | 0 | 1000
    totals 2026-05-20 link=1 acquirer=12345 cur=986          | debits 1 90, debit reversals 2 90
  `,
  );

  scenario(
    'after a decline it is held; told once more it is not held twice, nor beside what the final amount is',
    `
    account A limit=50
    card a
    0100 a purchase 100 stan=1                               | 51 | 0 |   0 |  50
    0120 a purchase 100 stan=2 why=S rrn=1                   | 00 | 0 | 100 | -50
    0120 a purchase 100 stan=3 why=S rrn=1                   | 00 | 0 | 100 | -50
    0100 a purchase 100 stan=4                               | 51 | 0 | 100 | -50
    0120 a purchase 80 stan=5 why=C rrn=4                    | 00 | 0 | 180 | -130
    0120 a purchase 100 stan=6 why=S rrn=4                   | 00 | 0 | 180 | -130
  `,
  );

  scenario(
    'after the reply could not be delivered it is held beside what has come on top',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1                               | 00 | 0 | 100 | 900
    undelivered 3                                            | ok | 0 |   0 | 1000
    0120 a purchase 100 stan=2 why=S rrn=1                   | 00 | 0 | 100 | 900
  `,
  );
});

describe('codes that the network gives', () => {
  scenario(
    'with letters and blanks: clearing and reversals find the authorization by them',
    `
    account A limit=1000
    card a
    0120 a purchase 100 stan=1 why=S de38=A1B2C3 rrn=-       | 00 |   0 | 100 | 900
    code 3                                                   | A1B2C3
    clear a 100 code=A1B2C3                                  | posted approvalCode | 100 | 0 | 900
    0120 a purchase 50 stan=2 why=S de38=zZ9 rrn=R           | 00 | 100 | 50 | 850
    0420 a stan=9 rrn=R de38=zZ8                             | 00 | 100 | 50 | 850
    0420 a stan=10 rrn=R de38=ZZ9                            | 00 | 100 | 50 | 850
    0420 a stan=11 rrn=R de38=zZ9                            | 00 | 100 |  0 | 900
  `,
  );

  scenario(
    'a reversal with letters does not mean an advice that had no code',
    `
    account A limit=1000
    card a
    0120 a purchase 50 stan=1 why=S rrn=R                    | 00 | 0 | 50 | 950
    0420 a stan=9 rrn=R de38=ABCDEF                          | 00 | 0 | 50 | 950
    0420 a stan=10 rrn=R                                     | 00 | 0 |  0 | 1000
  `,
  );
});

describe('what the network told stays when the reply of ours was not delivered', () => {
  scenario(
    'a single message, told in stand-in before and behind the roll-back; told once more it changes nothing',
    `
    account A limit=1000
    card a
    0200 a purchase 100 stan=1                               | 00 | 100 | 0 | 900
    0220 a purchase 100 stan=2 why=S rrn=1                   | 00 | 100 | 0 | 900
    undelivered 3                                            | ok | 100 | 0 | 900
    0220 a purchase 100 stan=3 why=S rrn=1                   | 00 | 100 | 0 | 900
    totals 2026-05-20 link=1 acquirer=12345 cur=986          | debits 1 100
    0200 a purchase 100 stan=11                              | 00 | 200 | 0 | 800
    undelivered 8                                            | ok | 100 | 0 | 900
    0220 a purchase 100 stan=12 why=S rrn=11                 | 00 | 200 | 0 | 800
    totals 2026-05-20 link=1 acquirer=12345 cur=986          | debits 2 200
    0420 a stan=4 rrn=1                                      | 00 | 100 | 0 | 900
    0420 a stan=13 rrn=11                                    | 00 |   0 | 0 | 1000
    totals 2026-05-20 link=1 acquirer=12345 cur=986          | debits 2 200, debit reversals 2 200
  `,
  );

  scenario(
    'a hold, with another amount, a final amount, and an increment',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1                               | 00 | 0 | 100 | 900
    0120 a purchase 120 stan=2 why=S rrn=1                   | 00 | 0 | 120 | 880
    undelivered 3                                            | ok | 0 | 120 | 880
    0120 a purchase 120 stan=3 why=S rrn=1                   | 00 | 0 | 120 | 880
    0400 a stan=4 rrn=1                                      | 00 | 0 |   0 | 1000
    0100 a purchase 100 stan=11                              | 00 | 0 | 100 | 900
    0120 a purchase 80 stan=12 why=C rrn=11                  | 00 | 0 |  80 | 920
    undelivered 8                                            | ok | 0 |  80 | 920
    0100 a purchase 50 stan=13 fn=I rrn=11 de7=0520120100    | 00 | 0 | 130 | 870
    0120 a purchase 60 stan=13 fn=I rrn=11 de7=0520120100    | 00 | 0 | 140 | 860   # it approved more
    undelivered 11                                           | ok | 0 | 140 | 860
    0400 a stan=14 rrn=11 de90=0100/13/0520120100/12345      | 00 | 0 |  80 | 920
  `,
  );
});

describe('stand-in, and what had set a total since the network decided', () => {
  scenario(
    'a reversal in part, a final amount, a replacement: each stays',
    `
    account A limit=100000
    card a
    0100 a purchase 10000 stan=1                             | 00 | 0 | 10000 | 90000
    0400 a stan=2 rrn=1 de95=4000                            | 00 | 0 |  4000 | 96000
    0120 a purchase 5000 stan=3 why=S rrn=1                  | 00 | 0 |  4000 | 96000
    0120 a purchase 3000 stan=4 why=S rrn=1                  | 00 | 0 |  3000 | 97000
    0100 a purchase 10000 stan=11                            | 00 | 0 | 13000 | 87000
    0120 a purchase 6000 stan=12 why=C rrn=11                | 00 | 0 |  9000 | 91000
    0120 a purchase 8000 stan=13 why=S rrn=11                | 00 | 0 |  9000 | 91000
    0100 a purchase 10000 stan=21                            | 00 | 0 | 19000 | 81000
    0100 a purchase 3000 stan=22 fn=R rrn=21                 | 00 | 0 | 12000 | 88000
    0120 a purchase 8000 stan=23 why=S rrn=21                | 00 | 0 | 12000 | 88000
  `,
  );

  scenario(
    'a partial approval; what was cleared is no amount of a decision',
    `
    account A limit=6000
    card a
    0100 a purchase 10000 stan=1 partial                     | 10 | 0 | 6000 | 0
    0400 a stan=2 rrn=1 de95=5000                            | 00 | 0 | 5000 | 1000
    0120 a purchase 10000 stan=3 why=S rrn=1                 | 00 | 0 | 5000 | 1000
    clear a 4000 rrn=1 terminal=T1 seq=1/2                   | posted rrn | 4000 | 1000 | 1000
    0120 a purchase 3000 stan=4 why=S rrn=1                  | 00 | 4000 |    0 | 2000
    0120 a purchase 4500 stan=5 why=S rrn=1                  | 00 | 4000 |  500 | 1500
  `,
  );

  scenario(
    'of what nobody had announced the final amount stays',
    `
    account A limit=100000
    card a
    0220 a purchase 8000 stan=1 why=C                        | 00 | 8000 | 0 | 92000
    0220 a purchase 10000 stan=2 why=S rrn=1                 | 00 | 8000 | 0 | 92000
    0120 a purchase 8000 stan=11 why=C                       | 00 | 8000 | 8000 | 84000
    0120 a purchase 10000 stan=12 why=S rrn=11               | 00 | 8000 | 8000 | 84000
    0200 a purchase 10000 stan=21                            | 00 | 18000 | 8000 | 74000
    0400 a stan=22 rrn=21 de95=4000                          | 00 | 12000 | 8000 | 80000
    0220 a purchase 12000 stan=23 why=S rrn=21               | 00 | 12000 | 8000 | 80000
  `,
  );

  scenario(
    'the status check of a fuel pump, told with its one unit, leaves what the program holds for it',
    `
    program fuel=17500
    account A limit=100000
    card a
    0100 a purchase 100 stan=1 mcc=5542                      | 00 | 0 | 17500 | 82500
    0120 a purchase 100 stan=2 mcc=5542 why=S rrn=1          | 00 | 0 | 17500 | 82500
    undelivered 4                                            | ok | 0 |   100 | 99900
  `,
  );

  scenario(
    'a replacement that is told in stand-in is no final amount at a fuel pump: that comes once, behind it',
    `
    program fuel=17500
    account A limit=100000
    card a
    0100 a purchase 100 stan=1 mcc=5542                      | 00 | 0 | 17500 | 82500
    0120 a purchase 9000 stan=2 mcc=5542 fn=R why=S rrn=1    | 00 | 0 |  9000 | 91000
    0120 a purchase 6000 stan=3 mcc=5542 why=C rrn=1         | 00 | 0 |  6000 | 94000
    0120 a purchase 7000 stan=4 mcc=5542 why=C rrn=1         | 00 | 0 |  6000 | 94000
  `,
  );
});

describe('an increment that is told', () => {
  scenario(
    'is recorded only once ours was reversed, once the hold has ended, and with a replacement that came before others',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1                               | 00 | 0 | 100 | 900
    0100 a purchase 50 stan=2 fn=I rrn=1 de7=0520120100      | 00 | 0 | 150 | 850
    0400 a stan=3 rrn=1 de90=0100/2/0520120100/12345         | 00 | 0 | 100 | 900
    0120 a purchase 50 stan=2 fn=I rrn=1 de7=0520120100      | 00 | 0 | 100 | 900
    0100 a purchase 200 stan=4 fn=R rrn=1 de7=0520120200     | 00 | 0 | 200 | 800
    0100 a purchase 50 stan=5 fn=I rrn=1 de7=0520120300      | 00 | 0 | 250 | 750
    0120 a purchase 200 stan=4 fn=R rrn=1 de7=0520120200     | 00 | 0 | 250 | 750
    wait 8d
    sweep                                                    | 1  | 0 |   0 | 1000
    0120 a purchase 50 stan=5 fn=I rrn=1 de7=0520120300      | 00 | 0 |   0 | 1000
  `,
  );

  scenario(
    'by the number of the replacing card, and its reversal by the code of the network',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1                               | 00 | 0 | 100 | 900
    0100 a purchase 50 stan=2 fn=I rrn=1 de7=0520120100      | 00 | 0 | 150 | 850
    card b replaces=a
    0120 b purchase 50 stan=2 fn=I rrn=1 de7=0520120100 de38=NX1234 | 00 | 0 | 150 | 850
    0400 b stan=3 rrn=1 de38=NX1234                          | 00 | 0 | 100 | 900
    0400 b stan=4 rrn=1                                      | 00 | 0 |   0 | 1000
  `,
  );
});
