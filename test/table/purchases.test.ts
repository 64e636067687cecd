import { currencyExponent } from '#src/domain/currencies.js';
import { describe, expect, scenario } from './runner.js';

describe('purchases and cash', () => {
  scenario(
    'an approval places a hold and leaves the posted balance alone',
    `
    account A limit=100000
    card a
    0100 a purchase     30000      | 00 | 0 |  30000 | 70000
    0100 a cash         20000      | 00 | 0 |  50000 | 50000
    0100 a disbursement 50000      | 00 | 0 | 100000 |     0   # down to the last cent
    0100 a purchase         1      | 51 | 0 | 100000 |     0
    limit A 100001                 | ok | 0 | 100000 |     1
    0100 a purchase         1      | 00 | 0 | 100001 |     0
  `,
  );

  scenario(
    'a partial approval takes what is left, where the terminal can; never for cash',
    `
    account A limit=10000
    card a
    0100 a purchase  9000          | 00 | 0 |  9000 | 1000
    0100 a cash      1500 partial  | 51 | 0 |  9000 | 1000
    0100 a purchase  1500          | 51 | 0 |  9000 | 1000
    0100 a purchase  1500 partial  | 10 | 0 | 10000 |    0
    0100 a purchase  1500 partial  | 51 | 0 | 10000 |    0   # nothing left to give
  `,
    (run) => {
      const { facts } = run.outcomes.get(6)!;
      expect(facts).toMatchObject({
        partial: true,
        partialAmount: 1000,
        partialBillingAmount: -1,
        originalAmount: 1500,
      });
    },
  );

  scenario(
    'a payment raises what is available, waterfall: all in credit as nothing is posted',
    `
    account A limit=1000
    card a
    0100 a purchase 1000           | 00 |    0 | 1000 |    0
    0100 a purchase  500           | 51 |    0 | 1000 |    0
    pay A 500 ref=r1               | ok | -500 | 1000 |  500
    pay A 500 ref=r1               | reference_exists | -500 | 1000 | 500
    0100 a purchase  500           | 00 | -500 | 1500 |    0
    pay A 0 ref=r2                 | amount_out_of_range | -500 | 1500 | 0
    pay A 1000000000000 ref=r2     | amount_out_of_range | -500 | 1500 | 0
    pay A 999999999999 ref=r2      | ok | -1000000000499 | 1500 | 999999999999
    pay A 5 ref=r3 cur=840         | currency_mismatch | -1000000000499 | 1500 | 999999999999
    pay B 5 ref=r3                 | account_not_found
  `,
  );

  scenario(
    'two cards of an account share what is available',
    `
    account A limit=1000
    card a
    card b of=A
    0100 a purchase 600            | 00 | 0 | 600 | 400
    0100 b purchase 600            | 51 | 0 | 600 | 400
    0100 b purchase 400            | 00 | 0 | 1000 | 0
  `,
    (run) => expect(run.book.state.cardsOf(0)).toEqual([0, 1]),
  );

  scenario(
    'a lowered limit makes available negative and declines, it takes no hold back',
    `
    account A limit=1000
    card a
    0100 a purchase 600            | 00 | 0 | 600 |  400
    limit A 500                    | ok | 0 | 600 | -100
    0100 a purchase 1 partial      | 51 | 0 | 600 | -100
    0100 a verify                  | 85 | 0 | 600 | -100
  `,
  );
});

describe('currencies', () => {
  scenario(
    'another currency is held in the billing currency: DE6 with DE51',
    `
    account A limit=100000
    card a
    0100 a purchase 10000 cur=840 bill=51234/986   | 00 | 0 | 51234 | 48766
    0100 a purchase 10000 cur=840                  | 30 | 0 | 51234 | 48766   # no DE6
    0100 a purchase 10000 cur=840 bill=51234       | 30 | 0 | 51234 | 48766   # no DE51
    0100 a purchase 10000 cur=840 bill=51234/978   | 30 | 0 | 51234 | 48766   # billed in a third currency
    0100 a purchase 10000 cur=840 bill=0/986       | 30 | 0 | 51234 | 48766
    0100 a purchase     1 bill=700/986             | 00 | 0 | 51235 | 48765   # own currency: DE4 counts
  `,
    (run) => {
      const fields = [4, 5, 6, 7].map((line) => run.outcomes.get(line)!.event.input);
      expect(fields.map((input) => [input.badField, input.badFieldMissing])).toEqual([
        [6, 1],
        [51, 1],
        [51, 0],
        [6, 0],
      ]);
    },
  );

  scenario(
    'a partial approval in another currency rounds the merchant amount down',
    `
    account A limit=1000
    card a
    0100 a purchase 700 cur=840 bill=3001/986 partial   | 10 | 0 | 1000 | 0
    pay A 4 ref=r                                       | ok | -4 | 1000 | 4
    0100 a purchase 1 cur=840 bill=5/986 partial        | 51 | -4 | 1000 | 4   # would be 0 cents
  `,
    (run) => {
      // floor(700 x 1000 / 3001) = 233
      expect(run.outcomes.get(3)!.facts).toMatchObject({
        partialAmount: 233,
        partialBillingAmount: 1000,
        originalAmount: 700,
      });
    },
  );

  scenario(
    'accounts without and with three decimals',
    `
    account J limit=5000 cur=392
    card j
    0100 j purchase 4999 cur=392   | 00 | 0 | 4999 | 1
    account K limit=2000 cur=414
    card k
    0100 k purchase 1999 cur=414   | 00 | 0 | 1999 | 1
    0400 j stan=9 rrn=3            | 00 | 0 | 0 | 5000
  `,
    () => expect([392, 986, 414].map(currencyExponent)).toEqual([0, 2, 3]),
  );

  scenario(
    'dinars billed to an account in yen, and yen to one in dinars: in part, and then down to DE95',
    `
    account J limit=1000 cur=392
    card j
    0100 j purchase 5000 cur=414 bill=2437/392 partial stan=1   | 10 | 0 | 1000 |   0
    0400 j stan=2 rrn=1 de95=2051 cur=414                       | 00 | 0 | 1000 |   0   # floor(5000 x 1000 / 2437): what was approved
    0400 j stan=3 rrn=1 de95=2000 cur=414                       | 00 | 0 |  975 |  25   # 974.8
    0400 j stan=4 rrn=1 de95=1 cur=414                          | 00 | 0 |    0 | 1000   # 0.49 yen: nothing stays
    account K limit=20000 cur=414
    card k
    0200 k purchase 10000 cur=392 bill=20517/414 partial stan=5 | 10 | 20000 | 0 |    0
    0400 k stan=6 rrn=5 de95=9748 cur=392                       | 00 | 20000 | 0 |    0   # floor(10000 x 20000 / 20517)
    0400 k stan=7 rrn=5 de95=3 cur=392                          | 00 |     6 | 0 | 19994   # 6.16
  `,
    (run) => {
      const parts = [3, 9].map((line) => run.outcomes.get(line)!.facts.partialAmount);
      expect(parts).toEqual([2051, 9748]);
    },
  );
});

describe('inquiries and verifications', () => {
  scenario(
    'a balance inquiry tells ledger and available and changes nothing',
    `
    account A limit=10000
    card a
    0100 a purchase 3000           | 00 | 0 | 3000 | 7000
    pay A 500 ref=r                | ok | -500 | 3000 | 7500
    0100 a inquiry                 | 00 | -500 | 3000 | 7500
    0100 a available 0             | 00 | -500 | 3000 | 7500
    0100 ? inquiry                 | 14 | -500 | 3000 | 7500
  `,
    (run) => {
      for (const line of [5, 6]) {
        expect(run.outcomes.get(line)!.facts).toMatchObject({
          balances: true,
          ledgerBalance: 500,
          availableBalance: 7500,
          currency: 986,
        });
      }
      expect(run.outcomes.get(7)!.facts.balances).toBe(false);
    },
  );

  scenario(
    'a repeated inquiry tells the balances of then',
    `
    account A limit=10000
    card a
    0100 a inquiry stan=77         | 00  | 0 | 0 | 10000
    0100 a purchase 3000           | 00  | 0 | 3000 | 7000
    0100 a inquiry stan=77         | 00= | 0 | 3000 | 7000
  `,
    (run) => expect(run.outcomes.get(5)!.facts.availableBalance).toBe(10_000),
  );

  scenario(
    'a verification (38, or an amount of zero) is answered 85 and holds nothing, whatever is available',
    `
    account A limit=0
    card a
    0100 a verify                  | 85 | 0 | 0 | 0
    0100 a verify 0                | 85 | 0 | 0 | 0
    0100 a purchase 0              | 85 | 0 | 0 | 0
    0100 a purchase 0 cur=840      | 85 | 0 | 0 | 0   # no amount, so no currency to convert
    0100 a cash 0                  | 85 | 0 | 0 | 0
    status a paused
    0100 a verify                  | 62 | 0 | 0 | 0
  `,
  );
});

describe('hold life', () => {
  scenario(
    'the first row of the table that fits gives the days',
    `
    account A limit=10000
    card a
    0100 a purchase 1 mcc=5542 mode=51          | 00 | 0 | 1 | 9999
    0100 a purchase 1 mcc=7011 mode=51          | 00 | 0 | 2 | 9998
    0100 a purchase 1 mcc=3441 mode=812         | 00 | 0 | 3 | 9997
    0100 a purchase 1 mcc=5812 mode=51 fn=E     | 00 | 0 | 4 | 9996
    0100 a purchase 1 mcc=5968 mode=100         | 00 | 0 | 5 | 9995
    0100 a purchase 1 mcc=5968 mode=812         | 00 | 0 | 6 | 9994
    0100 a purchase 1 mcc=5812 mode=71          | 00 | 0 | 7 | 9993
    0100 a purchase 1 mcc=5812                  | 00 | 0 | 8 | 9992
  `,
    (run) => {
      const days = [3, 4, 5, 6, 7, 8, 9, 10].map((line) => {
        const { event } = run.outcomes.get(line)!;
        return (event.holdExpiresMs - event.timeMs) / 86_400_000;
      });
      expect(days).toEqual([2, 30, 30, 30, 5, 10, 5, 7]);
    },
  );

  scenario(
    'cash of one major unit at a fuel pump is no status check',
    `
    account A limit=50000
    card a
    0100 a cash 100 mcc=5542                    | 00 | 0 |   100 | 49900
    0100 a purchase 100 mcc=5542                | 00 | 0 | 17600 | 32400
  `,
  );
});
