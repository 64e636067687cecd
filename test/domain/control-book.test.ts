import { expect, test } from 'vitest';
import { ControlBook } from '../../src/domain/controls/control-book.js';
import { ControlLevel } from '../../src/domain/controls/spec.js';
import { Policies, type Policy, PolicyBook } from '../../src/domain/program/policy.js';
import { ShardState } from '../../src/domain/shard-state.js';
import { WindowClock } from '../../src/domain/velocity/window-clock.js';
import { IntlZoneCalendar } from '../../src/intl-zone-calendar.js';

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
