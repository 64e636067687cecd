import { Reason, Step, Verdict } from '#src/domain/codes.js';
import { describe, expect, scenario } from './runner.js';

describe('network tokens', () => {
  scenario(
    "a token has its own status and expiry, decided before the card; money and history are the card's",
    `
    account A limit=1000
    card a
    token t for=a expiry=2806
    0100 t purchase 100 stan=1 exp=2806   | 00 | 0 | 100 |  900
    0100 t purchase 100 stan=2 exp=2912   | 54 | 0 | 100 |  900   # the card's expiry, not the token's
    status t paused
    0100 t purchase 100 stan=3            | 62 | 0 | 100 |  900
    0100 a purchase 100 stan=4            | 00 | 0 | 200 |  800   # the card itself goes on
    status t inactive
    0100 t purchase 100 stan=5            | 78 | 0 | 200 |  800
    status t active
    status a paused
    0100 t purchase 100 stan=6            | 62 | 0 | 200 |  800
    status a active
    0101 a purchase 100 stan=1            | 00= | 0 | 200 | 800   # the same card: a repeat
    0400 a stan=7 rrn=1                   | 00 | 0 | 100 |  900   # reversed by the number of the card
    status t closed
    0100 t purchase 1 stan=8              | 14 | 0 | 100 |  900
  `,
    (run) => {
      const reason = (line: number) => run.outcomes.get(line)!.event.reason;
      const { expiryMismatch, tokenPaused, tokenInactive, cardPaused, tokenClosed } = Reason;
      expect([5, 7, 10, 13, 18].map(reason)).toEqual([
        expiryMismatch,
        tokenPaused,
        tokenInactive,
        cardPaused,
        tokenClosed,
      ]);
      const { event } = run.outcomes.get(4)!;
      expect([event.cardSlot, event.tokenSlot]).toEqual([0, 1]);
      expect(run.book.state.cardsOf(0)).toEqual([0]);
    },
  );

  scenario(
    'a token counts in the windows of its card, and is listed alone by a file update',
    `
    account A limit=1000
    card a
    token t for=a
    controls a {"velocity":[{"window":"day","amount":300}]}
    0100 a purchase 200                   | 00 | 0 | 200 | 800
    0100 t purchase 101                   | 61 | 0 | 200 | 800
    0302 t file=1 listing=41              | 00 | 0 | 200 | 800
    0100 t purchase 100                   | 14 | 0 | 200 | 800
    0100 a purchase 100                   | 00 | 0 | 300 | 700
    controls t {"per_transaction":1}      | not_a_card
    tries t 1                             | not_a_card
  `,
  );

  scenario(
    'no token of a token, nor of a card that is over; a card does not replace a token',
    `
    account A limit=1000
    card a
    token t for=a
    token u for=t                         | not_a_card
    card b of=A replaces=t                | card_not_found
    status a lost
    token v for=a                         | card_status_final
  `,
  );

  scenario(
    'a token past its own expiry date',
    `
    account A limit=1000
    card a
    token t for=a expiry=2604
    0100 t purchase 100                   | 54 | 0 | 0 | 1000
  `,
    (run) => expect(run.outcomes.get(4)!.event.reason).toBe(Reason.tokenExpired),
  );

  scenario(
    "a token's expiry goes before the card's status, whatever the message shows",
    `
    account A limit=1000
    card a
    token t for=a expiry=2604
    token u for=a expiry=2806
    status a lost
    0100 t purchase 100                   | 54 | 0 | 0 | 1000
    0100 u purchase 100 exp=2807          | 54 | 0 | 0 | 1000
    0100 u purchase 100 exp=2806          | 41 | 0 | 0 | 1000
    status u paused
    0100 u purchase 100 exp=2807          | 62 | 0 | 0 | 1000   # its status before its expiry
  `,
    (run) => {
      const trace = (line: number) => {
        const { reason, verdicts, verdictCount } = run.outcomes.get(line)!.event;
        return [reason, ...verdicts.slice((verdictCount - 1) * 2, verdictCount * 2)];
      };
      expect([6, 7, 8, 10].map(trace)).toEqual([
        [Reason.tokenExpired, Step.token, Verdict.fail],
        [Reason.expiryMismatch, Step.token, Verdict.fail],
        [Reason.cardLost, Step.cardStatus, Verdict.fail],
        [Reason.tokenPaused, Step.token, Verdict.fail],
      ]);
    },
  );
});

describe('PIN tries', () => {
  scenario(
    'a message with a PIN is answered 75 when the tries are used up, until they are given back',
    `
    account A limit=1000
    card a
    tries a 3
    0200 a cash 100 pin                   | 75 | 0   | 0 | 1000
    0100 a purchase 100                   | 00 | 0   | 100 | 900    # without a PIN it goes on
    tries a 0
    0200 a cash 100 pin                   | 00 | 100 | 100 | 800
  `,
    (run) => {
      const { event } = run.outcomes.get(4)!;
      expect(event.reason).toBe(Reason.pinTriesExceeded);
      const last = event.verdictCount - 1;
      expect([event.verdicts[last * 2], event.verdicts[last * 2 + 1]]).toEqual([Step.cryptography, Verdict.fail]);
    },
  );
});

describe('file updates', () => {
  scenario(
    'put a card on the list and take it off again; a final status stays',
    `
    account A limit=1000
    card a
    0302 a file=1 listing=62              | 00 | 0 | 0 | 1000
    0100 a purchase 1                     | 62 | 0 | 0 | 1000
    0302 a file=3                         | 00 | 0 | 0 | 1000
    0100 a purchase 1                     | 00 | 0 | 1 | 999
    0302 a file=2 listing=43              | 00 | 0 | 1 | 999
    0100 a purchase 1                     | 43 | 0 | 1 | 999
    0302 a file=3                         | 21 | 0 | 1 | 999
    0302 a file=1 listing=43              | 00 | 0 | 1 | 999    # the same again
    0302 ? file=1 listing=41              | 25 | 0 | 1 | 999
    0302 a file=9                         | 30 | 0 | 1 | 999
    0302 a                                | 30 | 0 | 1 | 999
    0302 a file=1 listing=99              | 30 | 0 | 1 | 999
  `,
    (run) => {
      const fields = [12, 13, 14].map((line) => run.outcomes.get(line)!.event.input.badField);
      expect(fields).toEqual([91, 91, 127]);
    },
  );
});
