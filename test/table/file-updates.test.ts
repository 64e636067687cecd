/** File updates (0302): the network puts a card on its list of hot cards (DE91 = 1 or 2, DE127 the code) or takes it off (3). */
import { describe, expect, scenario } from './runner.js';

describe('hot cards', () => {
  scenario(
    'a listing decides how the card is answered from then on; what it holds stays',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1                      | 00 | 0 | 100 | 900
    0302 a stan=2 file=1 listing=41                 | 00 | 0 | 100 | 900
    is a                                            | lost
    kind 4                                          | fileUpdate
    code 4                                          | none
    0100 a purchase 100 stan=3                      | 41 | 0 | 100 | 900
    0400 a stan=4 rrn=1                             | 00 | 0 |   0 | 1000   # a reversal is accepted all the same
    card b of=A
    0302 b stan=5 file=2 listing=43                 | 00 | 0 | 0 | 1000
    0200 b purchase 100 stan=6                      | 43 | 0 | 0 | 1000
    why 12                                          | cardStolen
    card c of=A
    0302 c stan=7 file=1 listing=46                 | 00 | 0 | 0 | 1000
    0100 c purchase 100 stan=8                      | 14 | 0 | 0 | 1000
  `,
  );

  scenario(
    'lost, stolen and closed are final: taking off or listing otherwise is answered 21, the same again 00',
    `
    account A limit=1000
    card a
    0302 a stan=1 file=1 listing=41                 | 00 | 0 | 0 | 1000
    0302 a stan=2 file=3                            | 21 | 0 | 0 | 1000
    why 4                                           | cardStatusFinal
    0302 a stan=3 file=2 listing=43                 | 21 | 0 | 0 | 1000
    0302 a stan=4 file=1 listing=62                 | 21 | 0 | 0 | 1000
    0302 a stan=5 file=2 listing=41                 | 00 | 0 | 0 | 1000
    is a                                            | lost
    0100 a purchase 1 stan=6                        | 41 | 0 | 0 | 1000
  `,
  );

  scenario(
    'a restricted card is answered 62 until it is taken off the list',
    `
    account A limit=1000
    card a
    0302 a stan=1 file=1                            | 00 | 0 | 0 | 1000   # without a code: restricted
    0100 a purchase 100 stan=2                      | 62 | 0 |   0 | 1000
    0302 a stan=3 file=3                            | 00 | 0 | 0 | 1000
    is a                                            | active
    0100 a purchase 100 stan=4                      | 00 | 0 | 100 |  900
    0302 a stan=5 file=2 listing=36                 | 00 | 0 | 100 | 900
    0100 a purchase 100 stan=6                      | 62 | 0 | 100 |  900
    0302 a stan=7 file=2 listing=54                 | 00 | 0 | 100 | 900
    0100 a purchase 100 stan=8                      | 54 | 0 | 100 |  900
    0302 a stan=9 file=3                            | 00 | 0 | 100 | 900
    0302 a stan=10 file=3                           | 00 | 0 | 100 | 900   # not on the list
    0100 a purchase 100 stan=11                     | 00 | 0 | 200 |  800
  `,
  );

  scenario(
    'never activate a card: listed and taken off again, an inactive one is still inactive',
    `
    account A limit=1000
    card a status=inactive
    0302 a stan=1 file=3                            | 00 | 0 | 0 | 1000
    0302 a stan=2 file=1 listing=62                 | 00 | 0 | 0 | 1000
    is a                                            | inactive
    0302 a stan=3 file=3                            | 00 | 0 | 0 | 1000
    0100 a purchase 100 stan=4                      | 78 | 0 | 0 | 1000
    0302 a stan=5 file=1 listing=43                 | 00 | 0 | 0 | 1000
    0100 a purchase 100 stan=6                      | 43 | 0 | 0 | 1000
  `,
  );

  scenario(
    'the listing and our own status are two causes: each is lifted by who set it',
    `
    account A limit=1000
    card a
    status a paused
    0302 a stan=1 file=3                            | 00 | 0 |   0 | 1000   # not on the list
    0100 a purchase 100 stan=2                      | 62 | 0 |   0 | 1000   # our pause stands
    0302 a stan=3 file=1 listing=62                 | 00 | 0 |   0 | 1000
    0302 a stan=4 file=3                            | 00 | 0 |   0 | 1000
    0100 a purchase 100 stan=5                      | 62 | 0 |   0 | 1000
    0302 a stan=6 file=1 listing=54                 | 00 | 0 |   0 | 1000
    status a active
    0100 a purchase 100 stan=7                      | 54 | 0 |   0 | 1000   # the network's listing stands
    is a                                            | expired
    0302 a stan=8 file=3                            | 00 | 0 |   0 | 1000
    0100 a purchase 100 stan=9                      | 00 | 0 | 100 |  900
    0302 a stan=10 file=1 listing=05                | 00 | 0 | 100 |  900
    status a paused
    0302 a stan=11 file=3                           | 00 | 0 | 100 |  900
    0100 a purchase 100 stan=12                     | 62 | 0 | 100 |  900
    status a active
    0100 a purchase 100 stan=13                     | 00 | 0 | 200 |  800
  `,
  );

  scenario(
    'a listing that came before the activation counts after it; a listed card that is reported stolen is stolen for ever',
    `
    account A limit=1000
    card a status=inactive
    0302 a stan=1 file=1 listing=62                 | 00 | 0 | 0 | 1000
    0100 a purchase 100 stan=2                      | 78 | 0 | 0 | 1000
    status a active
    0100 a purchase 100 stan=3                      | 62 | 0 | 0 | 1000
    status a stolen
    0302 a stan=4 file=3                            | 21 | 0 | 0 | 1000
    0100 a purchase 100 stan=5                      | 43 | 0 | 0 | 1000
  `,
  );

  scenario(
    'of a network token the same: its card and its own pause are not touched',
    `
    account A limit=1000
    card a
    token t for=a
    status t paused
    0302 t stan=1 file=1 listing=62                 | 00 | 0 | 0 | 1000
    0302 t stan=2 file=3                            | 00 | 0 | 0 | 1000
    is t                                            | paused
    0100 t purchase 100 stan=3                      | 62 | 0 |   0 | 1000
    why 8                                           | tokenPaused
    0100 a purchase 100 stan=4                      | 00 | 0 | 100 |  900
  `,
  );

  scenario(
    'a card that we do not know is answered 25; what cannot be understood 30',
    `
    account A limit=1000
    card a
    0302 ? stan=1 file=1 listing=41                 | 25 | 0 | 0 | 1000
    why 3                                           | unknownCard
    0302 a stan=2 file=5 listing=41                 | 30 | 0 | 0 | 1000   # an inquiry
    0302 a stan=3 listing=41                        | 30 | 0 | 0 | 1000   # no DE91
    0302 a stan=4 file=1 listing=77                 | 30 | 0 | 0 | 1000
    0302 ? stan=5 file=1 listing=77                 | 30 | 0 | 0 | 1000
    is a                                            | active
  `,
    (run) => {
      const fields = [5, 6, 7].map((line) => run.outcomes.get(line)!.event.input);
      const named = fields.map(({ badField, badFieldMissing }) => [badField, badFieldMissing]);
      expect(named).toEqual([
        [91, 0],
        [91, 1],
        [127, 0],
      ]);
    },
  );

  scenario(
    'a repeat gets the stored answer and changes nothing, whatever has come between',
    `
    account A limit=1000
    card a
    0302 a stan=1 file=1 listing=62                 | 00 | 0 | 0 | 1000
    0302 a stan=2 file=3                            | 00 | 0 | 0 | 1000
    0303 a stan=1 file=1 listing=62                 | 00= | 0 | 0 | 1000
    0302 a stan=1 file=1 listing=62                 | 00= | 0 | 0 | 1000
    is a                                            | active
  `,
  );

  scenario(
    'a listing is no original: a reversal with its numbers stands alone',
    `
    account A limit=1000
    card a
    0302 a stan=1 file=1 listing=62                 | 00 | 0 | 0 | 1000
    0400 a stan=1 rrn=1                             | 00 | 0 | 0 | 1000
  `,
    (run) => expect(run.book.state.tombstones).toBe(1),
  );

  scenario(
    'a frozen account answers 62 for every card, and the listing of one of them comes first',
    `
    account A limit=1000
    card a
    card b of=A
    status A frozen
    0302 a stan=1 file=1 listing=43                 | 00 | 0 | 0 | 1000
    0100 a purchase 100 stan=2                      | 43 | 0 | 0 | 1000
    0100 b purchase 100 stan=3                      | 62 | 0 | 0 | 1000
    why 7                                           | accountFrozen
  `,
  );
});
