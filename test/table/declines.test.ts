import { Reason, Step, Verdict } from '#src/domain/codes.js';
import { describe, expect, scenario } from './runner.js';

describe('declines', () => {
  scenario(
    'the status of the card',
    `
    account A limit=1000
    card a status=inactive
    0100 a purchase 1              | 78 | 0 | 0 | 1000
    status a active
    0100 a purchase 1              | 00 | 0 | 1 | 999
    status a paused
    0100 a purchase 1              | 62 | 0 | 1 | 999
    status a expired
    0100 a purchase 1              | 54 | 0 | 1 | 999
    status a active
    status a lost
    0100 a purchase 1              | 41 | 0 | 1 | 999
    status a active                | card_status_final
    status a stolen                | card_status_final
    status a lost                  | ok                    # the same again is no change
    card b of=A
    status b stolen
    0100 b purchase 1              | 43 | 0 | 1 | 999
    card c of=A
    status c closed
    0100 c purchase 1              | 14 | 0 | 1 | 999
  `,
  );

  scenario(
    'a card is replaced once: the next one replaces its replacement',
    `
    account A limit=1000
    card a
    status a lost
    card b of=A replaces=a         | ok
    card c of=A replaces=a         | card_replaced
    status b stolen
    card d of=A replaces=a         | card_replaced
    card e of=A replaces=b         | ok
    0100 e purchase 1              | 00 | 0 | 1 | 999
  `,
  );

  scenario(
    'the status of the account comes after that of the card',
    `
    account A limit=1000
    card a
    card b of=A status=paused
    status A frozen
    0100 a purchase 1              | 62 | 0 | 0 | 1000
    status A open
    0100 a purchase 1              | 00 | 0 | 1 | 999
    status A closed
    0100 a purchase 1              | 14 | 0 | 1 | 999
    0100 b purchase 1              | 62 | 0 | 1 | 999
    status A open                  | account_closed
    limit A 5                      | account_closed
    card z of=A                    | account_closed
    pay A 1 ref=late               | ok | -1 | 1 | 1000    # money owed is taken all the same
    0400 a rrn=7 stan=99           | 00 | -1 | 0 | 1001    # and a hold is released all the same
  `,
    (run) => {
      const reasons = [5, 9, 10].map((line) => run.outcomes.get(line)!.event.reason);
      expect(reasons).toEqual([Reason.accountFrozen, Reason.accountClosed, Reason.cardPaused]);
    },
  );

  scenario(
    'the expiry date: as the message says it, and by the calendar (May 2026)',
    `
    account A limit=1000
    card a expiry=2605
    0100 a purchase 1 exp=2605     | 00 | 0 | 1 | 999
    0100 a purchase 1 exp=2705     | 54 | 0 | 1 | 999
    wait 11d                                             # 31 May, noon
    0100 a purchase 1              | 00 | 0 | 2 | 998
    wait 12h                                             # 1 June, midnight
    0100 a purchase 1              | 54 | 0 | 2 | 998
    0100 a purchase 1 exp=2605     | 54 | 0 | 2 | 998
  `,
    (run) => {
      const reasons = [4, 8, 9].map((line) => run.outcomes.get(line)!.event.reason);
      expect(reasons).toEqual([Reason.expiryMismatch, Reason.cardExpired, Reason.cardExpired]);
    },
  );

  scenario(
    'an unknown card is answered 14, again when repeated',
    `
    0100 ? purchase 100 stan=5     | 14
    0101 ? purchase 100 stan=5     | 14=
    0100 ? purchase 200 stan=5     | 94
  `,
  );

  scenario(
    'what cannot be understood is answered 30 or 12 and is no decision to repeat',
    `
    account A limit=1000
    card a
    0100 a purchase 100 bad=18 stan=1   | 30 | 0 |   0 | 1000
    0100 a purchase 100 stan=1          | 00 | 0 | 100 |  900   # sent again, corrected
    0100 a purchase                     | 30 | 0 | 100 |  900   # no DE4
    0100 a 100                          | 30 | 0 | 100 |  900   # no DE3
    0100 a purchase 100 stan=-1         | 30 | 0 | 100 |  900
    0100 a purchase 100 de7=-1          | 30 | 0 | 100 |  900
    0100 a purchase 100 cur=-1          | 30 | 0 | 100 |  900
    0100 a purchase 1000000000000       | 30 | 0 | 100 |  900   # 13 digits
    0100 a 100 pc=210000                | 12 | 0 | 100 |  900   # a deposit
    0100 a 100 pc=400000                | 12 | 0 | 100 |  900   # a transfer
    0100 a 100 pc=990000                | 12 | 0 | 100 |  900
    0140 a purchase 100                 | 12 | 0 | 100 |  900
    0204 a purchase 100                 | 12 | 0 | 100 |  900
    0402 a stan=1                       | 12 | 0 | 100 |  900
    0322 a                              | 12 | 0 | 100 |  900   # another type need not carry what ours must
    0620 ? stan=-1 de7=-1               | 12 | 0 | 100 |  900
    0600 a 5000000000000                | 12 | 0 | 100 |  900
    0600 a purchase 100 bad=11          | 30 | 0 | 100 |  900   # format comes first
  `,
    (run) => {
      const fields = [5, 6, 7, 8, 9, 10].map((line) => run.outcomes.get(line)!.event.input.badField);
      expect(fields).toEqual([4, 3, 11, 7, 49, 4]);
      expect(run.outcomes.get(11)!.event.reason).toBe(Reason.unsupportedProcessingCode);
      expect(run.outcomes.get(14)!.event.reason).toBe(Reason.unsupportedMessage);
    },
  );

  scenario(
    'a currency that ISO 4217 does not have is answered 30, also in a reversal',
    `
    account A limit=1000
    card a
    0100 a purchase 100 cur=0                    | 30 | 0 |   0 | 1000
    0100 a purchase 100 cur=999                  | 30 | 0 |   0 | 1000   # no currency
    0100 a purchase 100 cur=987 bill=100/986     | 30 | 0 |   0 | 1000
    0100 a verify 0 cur=1                        | 30 | 0 |   0 | 1000
    0100 a purchase 100 cur=840 bill=100/987     | 30 | 0 |   0 | 1000
    0100 a purchase 100 bill=100/0               | 30 | 0 |   0 | 1000
    0100 a purchase 100                          | 00 | 0 | 100 |  900
    0400 a stan=99 rrn=9 cur=1                   | 30 | 0 | 100 |  900
    0100 ? purchase 100 cur=1                    | 30 | 0 | 100 | 900
    0600 a purchase 100 cur=1                    | 12 | 0 | 100 |  900
  `,
    (run) => {
      const fields = [3, 4, 5, 6, 7, 8, 10, 11].map((line) => run.outcomes.get(line)!.event.input.badField);
      expect(fields).toEqual([49, 49, 49, 49, 51, 51, 49, 49]);
      expect(run.outcomes.get(3)!.event.reason).toBe(Reason.malformedField);
    },
  );

  scenario(
    'a time, a date or an expiry that cannot be is answered 30, also in a reversal',
    `
    account A limit=1000
    card a expiry=2912
    0100 a purchase 100 de12=240000         | 30 | 0 |   0 | 1000   # hour 24
    0100 a purchase 100 de12=6000           | 30 | 0 |   0 | 1000   # minute 60
    0100 a purchase 100 de12=60             | 30 | 0 |   0 | 1000   # second 60
    0100 a purchase 100 de13=0              | 30 | 0 |   0 | 1000
    0100 a purchase 100 de13=1301           | 30 | 0 |   0 | 1000   # month 13
    0100 a purchase 100 de13=431            | 30 | 0 |   0 | 1000   # 31 April
    0100 a purchase 100 exp=2913            | 30 | 0 |   0 | 1000   # month 13, and no other expiry than the card's
    0100 a purchase 100 exp=2900            | 30 | 0 |   0 | 1000
    0200 a purchase 100 exp=2900            | 30 | 0 |   0 | 1000
    0100 ? purchase 100 exp=2900            | 30 | 0 | 0 | 1000   # before it is asked whose card it is
    0120 a purchase 100 de12=240000         | 30 | 0 |   0 | 1000
    0100 a purchase 100 de12=235959 de13=229 exp=2912 | 00 | 0 | 100 | 900
    0400 a stan=14 rrn=14 de13=1301         | 30 | 0 | 100 |  900
    0400 a stan=14 rrn=14                   | 00 | 0 |   0 | 1000
    0600 a purchase 100 exp=2900            | 12 | 0 |   0 | 1000
  `,
    (run) => {
      const fields = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15].map((line) => run.outcomes.get(line)!.event.input);
      expect(fields.map(({ badField }) => badField)).toEqual([12, 12, 12, 13, 13, 13, 14, 14, 14, 14, 12, 13]);
      expect(new Set(fields.map(({ badFieldMissing }) => badFieldMissing))).toEqual(new Set([0]));
    },
  );

  scenario(
    'cash back that is not told is answered 30: 09 needs DE54',
    `
    account A limit=1000
    card a
    0100 a cashback 100                     | 30 | 0 |   0 | 1000
    0200 a cashback 100                     | 30 | 0 |   0 | 1000
    0100 a cashback 100 back=0 stan=9       | 00 | 0 | 100 |  900   # told: none
    0100 a cashback 20 fn=I rrn=9 stan=10   | 00 | 0 | 120 |  880   # adds to what was told
    0100 a cashback 20 fn=I rrn=8 stan=11   | 30 | 0 | 120 |  880   # of nothing: a new authorization, and tells nothing
    0100 a cashback 20 fn=R rrn=8 stan=12   | 30 | 0 | 120 |  880
    0101 a cashback 20 fn=I rrn=8 stan=11 back=5 | 00 | 0 | 140 | 860   # the one without was no decision to repeat
    kind 9                                  | authorization
    0120 a cashback 100 why=S stan=20       | 00 | 0 | 240 |  760   # what the network decided is recorded
  `,
    (run) => {
      for (const line of [3, 4, 7, 8]) {
        const { input, reason, verdicts, verdictCount } = run.outcomes.get(line)!.event;
        expect([line, input.badField, input.badFieldMissing, reason]).toEqual([line, 54, 1, Reason.missingField]);
        expect(verdicts[verdictCount * 2 - 1]).toBe(Verdict.fail);
      }
    },
  );

  scenario(
    'a DE7 that is no time is answered 30, also in a reversal',
    `
    account A limit=1000
    card a
    0100 a purchase 100 de7=1301000000      | 30 | 0 |   0 | 1000   # month 13
    0100 a purchase 100 de7=230120000       | 30 | 0 |   0 | 1000   # 30 February
    0100 a purchase 100 de7=431120000       | 30 | 0 |   0 | 1000   # 31 April
    0100 a purchase 100 de7=520240000       | 30 | 0 |   0 | 1000   # hour 24
    0100 a purchase 100 de7=520126000       | 30 | 0 |   0 | 1000   # minute 60
    0100 a purchase 100 de7=520120060       | 30 | 0 |   0 | 1000   # second 60
    0100 a purchase 100 de7=0               | 30 | 0 |   0 | 1000
    0100 a purchase 100 de7=229235959       | 00 | 0 | 100 |  900   # 29 February: of the nearest leap year
    0400 a stan=99 rrn=10 de7=0             | 30 | 0 | 100 |  900
  `,
    (run) => {
      for (const line of [3, 4, 5, 6, 7, 8, 9, 11]) {
        const { input, reason } = run.outcomes.get(line)!.event;
        expect([line, input.badField, input.badFieldMissing, reason]).toEqual([line, 7, 0, Reason.malformedField]);
      }
    },
  );

  scenario(
    'every decision keeps its verdicts in the order of the steps, up to the one that failed',
    `
    account A limit=1000
    card a
    0100 a purchase 1000           | 00 | 0 | 1000 | 0
    0100 a purchase 1 exp=2912     | 51 | 0 | 1000 | 0
    status a lost
    0100 a purchase 1              | 41 | 0 | 1000 | 0
    0420 a stan=98 rrn=3           | 00 | 0 | 0 | 1000
    0420 a stan=99 rrn=99          | 00 | 0 | 0 | 1000
  `,
    (run) => {
      const names = Object.fromEntries(Object.entries(Step).map(([name, step]) => [step, name]));
      const words = Object.fromEntries(Object.entries(Verdict).map(([name, verdict]) => [verdict, name]));
      const verdictsOf = (line: number): string[] => {
        const { verdicts, verdictCount } = run.outcomes.get(line)!.event;
        return Array.from(
          { length: verdictCount },
          (_, i) => `${names[verdicts[i * 2]!]} ${words[verdicts[i * 2 + 1]!]}`,
        );
      };
      const head = ['format pass', 'messageType pass', 'duplicate notFound'];
      const checks = ['cryptography notPresent', 'controls notApplicable', 'rules notApplicable'];
      const card = ['tombstone notFound', 'cardKnown pass', 'cardStatus pass'];
      const before = [...head, ...card, 'expiryDate notPresent', 'accountStatus pass', ...checks];
      expect(verdictsOf(3)).toEqual([...before, 'funds pass', 'approve pass']);
      expect(verdictsOf(4)).toEqual([...before, 'funds fail'].map((v) => v.replace(/(expiryDate) .*/, '$1 pass')));
      expect(verdictsOf(6)).toEqual([...head, 'tombstone notFound', 'cardKnown pass', 'cardStatus fail']);
      expect(verdictsOf(7)).toEqual([...head, 'original matched']);
      expect(verdictsOf(8)).toEqual([...head, 'original notFound', 'tombstone laid']);
    },
  );
});
