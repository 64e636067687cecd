import { expect, test } from 'vitest';
import { ControlBook } from '#src/domain/controls/control-book.js';
import { ControlLevel } from '#src/domain/controls/spec.js';
import { defaultTables, Policies, Policy, PolicyBook } from '#src/domain/program/policy.js';
import { ShardState } from '#src/domain/shard-state.js';
import { WindowClock } from '#src/domain/velocity/window-clock.js';
import { IntlZoneCalendar } from '#src/intl-zone-calendar.js';

test('controls are those of the card and of the policy that are asked for, whichever was asked for before', () => {
  const policies = [1, 2].map(() =>
    new Policies(new ShardState(0, 1, [1, 2, 3, 4]).programs, new PolicyBook([])).of(0),
  );
  const [standard, other] = [
    policies[0]!,
    new Policy(1, defaultTables, { ...policies[1]!.limits, controls: { perTransaction: 7 } }),
  ];
  const book = new ControlBook(new WindowClock(new IntlZoneCalendar()));
  const { card, account } = ControlLevel;
  const limit = (level: typeof card | typeof account, text: string, policy: Policy) =>
    book.of(level, text, policy)?.perTransaction?.value;
  const asked = [standard, other, standard].flatMap((policy) => [
    limit(card, '', policy),
    limit(card, '{"per_transaction":1}', policy),
    limit(account, '{"per_transaction":2}', policy),
    limit(card, '', policy),
  ]);
  expect(asked).toEqual([undefined, 1, 2, undefined, 7, 1, 2, 7, undefined, 1, 2, undefined]);
});

test('compiled controls are shared, and dropped all together when there are too many', () => {
  const policy: Policy = new Policies(new ShardState(0, 1, [1, 2, 3, 4]).programs, new PolicyBook([])).of(0);
  const book = new ControlBook(new WindowClock(new IntlZoneCalendar()), 2);
  const of = (limit: number) => book.of(ControlLevel.card, `{"per_transaction":${limit}}`, policy);
  const [one, two] = [of(1), of(2)];
  expect([of(1), of(2)]).toEqual([one, two]);
  expect(of(1)).toBe(one);
  expect(of(3)?.perTransaction?.value).toBe(3);
  const again = of(1);
  expect(again).not.toBe(one);
  expect(again?.perTransaction).toEqual(one?.perTransaction);
});
