/** What comes after a decline, and reversals that name their original in odd ways. */
import { describe, expect, scenario } from './runner.js';

describe('decline and retry', () => {
  scenario(
    'a retry is a new message under its own STAN; the declined one keeps its answer',
    `
    account A limit=500
    card a
    0100 a purchase 600 stan=1                      | 51  | 0 |   0 | 500
    0100 a purchase 600 stan=2                      | 51  | 0 |   0 | 500
    0100 a purchase 500 stan=3                      | 00  | 0 | 500 |   0   # less
    0400 a stan=4 rrn=3                             | 00  | 0 |   0 | 500
    pay A 100 ref=r                                 | ok  | -100 | 0 | 600
    0101 a purchase 600 stan=1                      | 51= | -100 | 0 | 600
    0100 a purchase 600 stan=5                      | 00  | -100 | 600 | 0
  `,
  );

  scenario(
    'a retry with the same RRN: the reversal means the one that was approved',
    `
    account A limit=500
    card a
    0100 a purchase 600 stan=1 rrn=R                | 51  | 0 |   0 | 500
    limit A 1000                                    | ok  | 0 |   0 | 1000
    0100 a purchase 600 stan=2 rrn=R                | 00  | 0 | 600 | 400
    0100 a purchase 600 stan=3 rrn=R                | 51  | 0 | 600 | 400
    0400 a stan=9 rrn=R                             | 00  | 0 |   0 | 1000
  `,
  );

  scenario(
    'after a wrong expiry date, with the right one',
    `
    account A limit=500
    card a expiry=2912
    0100 a purchase 100 stan=1 exp=2712             | 54  | 0 |   0 | 500
    0100 a purchase 100 stan=2 exp=2912             | 00  | 0 | 100 | 400
  `,
  );

  scenario(
    'after 30 and 12 the same numbers may be used again: nothing was decided',
    `
    account A limit=500
    card a
    0200 a purchase stan=1                          | 30  | 0 |   0 | 500
    0200 a 100 pc=400000 stan=1                     | 12  | 0 |   0 | 500
    0200 a purchase 100 stan=1                      | 00  | 100 | 0 | 400
    0400 a stan=9 rrn=1                             | 00  | 0 |   0 | 500
  `,
  );
});

describe('DE90 that says little', () => {
  scenario(
    'zero-filled behind the MTI: by RRN and terminal, in every class',
    `
    account A limit=1000
    card a
    0100 a purchase 100 stan=1                      | 00 |   0 | 100 | 900
    0200 a purchase 200 stan=2                      | 00 | 200 | 100 | 700
    0120 a purchase 300 stan=3 why=S                | 00 | 200 | 400 | 400
    0220 a purchase 50 stan=4                       | 00 | 250 | 400 | 350
    0420 a stan=11 rrn=1 de90=100/-/-/-/-           | 00 | 250 | 300 | 450
    0420 a stan=12 rrn=2 de90=200/-/-/-/-           | 00 |  50 | 300 | 650
    0420 a stan=13 rrn=3 de90=120/-/-/-/-           | 00 |  50 |   0 | 950
    0420 a stan=14 rrn=4 de90=220/-/-/-/-           | 00 |   0 |   0 | 1000
  `,
    (run) => expect(run.book.state.tombstones).toBe(0),
  );

  scenario(
    'zero-filled, and a tombstone: the late original is known by its RRN, in every class',
    `
    account A limit=1000
    card a
    0420 a stan=11 rrn=1 de90=100/-/-/-/-           | 00 | 0 | 0 | 1000
    0420 a stan=12 rrn=2 de90=200/-/-/-/-           | 00 | 0 | 0 | 1000
    0420 a stan=13 rrn=3 de90=120/-/-/-/-           | 00 | 0 | 0 | 1000
    0420 a stan=14 rrn=4 de90=220/-/-/-/-           | 00 | 0 | 0 | 1000
    0100 a purchase 100 stan=1                      | 68 | 0 | 0 | 1000
    0200 a purchase 100 stan=2                      | 68 | 0 | 0 | 1000
    0120 a purchase 100 stan=3 why=S                | 00 | 0 | 0 | 1000
    0220 a purchase 100 stan=4 why=S                | 00 | 0 | 0 | 1000
    why 7                                           | reversedBeforeArrival
  `,
    (run) => expect(run.book.state.tombstones).toBe(4),
  );
});
