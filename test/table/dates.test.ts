/** DE7 has no year: edges of the turn of the year and of 29 February (their scenarios: promises.test.ts). */
import { describe, scenario } from './runner.js';

describe('the turn of the year', () => {
  scenario(
    'an early reversal of 31 December meets its original on 1 January',
    `
    account A limit=1000
    card a
    at 2026-12-31T23:59:59
    0420 a stan=9 rrn=- de90=100/1/1231235958/00000012345/-   | 00 | 0 | 0 | 1000
    at 2027-01-01T00:00:01
    0100 a purchase 100 stan=1 de7=1231235958       | 68  | 0 | 0 | 1000
  `,
  );

  scenario(
    'the same numbers a year later are another message',
    `
    account A limit=1000
    card a expiry=3012
    at 2026-12-31T23:59:58
    0100 a purchase 100 stan=1                      | 00  | 0 | 100 | 900
    at 2027-12-31T23:59:58
    0100 a purchase 100 stan=1                      | 00  | 0 | 200 | 800
    0400 a stan=9 rrn=- de90=100/1/1231235958/00000012345/-   | 00 | 0 | 100 | 900   # the one of this year
    hold 4                                          | 100 of 100
    0400 a stan=10 rrn=- de90=100/1/1231235958/00000012345/-  | 00 | 0 | 100 | 900
  `,
  );

  scenario(
    'a card whose month ends with the year',
    `
    account A limit=1000
    card a expiry=2612
    at 2026-12-31T23:59:59
    0100 a purchase 100 stan=1                      | 00 | 0 | 100 | 900
    at 2027-01-01T00:00:00
    0100 a purchase 100 stan=2                      | 54 | 0 | 100 | 900
  `,
  );
});

describe('29 February', () => {
  scenario(
    'five days of a hold over the leap day, and over the end of a February without one',
    `
    account A limit=1000
    card a expiry=3012
    at 2028-02-27T12:00:00
    0100 a purchase 100 stan=1 mode=51              | 00 | 0 | 100 | 900
    at 2028-03-03T12:00:00
    ends 4                                          | 0d   # 28, 29, 1, 2, 3
    at 2027-02-27T12:00:00
    0100 a purchase 100 stan=2 mode=51              | 00 | 0 | 200 | 800
    at 2027-03-04T12:00:00
    ends 8                                          | 0d   # 28, 1, 2, 3, 4
  `,
  );
});
