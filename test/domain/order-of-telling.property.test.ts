/**
 * It makes no difference when the network tells what it decided itself, nor when it turns out that a reply of ours was not delivered: whatever
 * the place among the other messages of a purchase at which an advice of stand-in, a told increment or a roll-back arrives, the same is
 * posted and held in the end. All places are tried.
 *
 * A request is decided by what is known when it comes, so only orders in which requests had the same answers are compared; and a request
 * that finds no hold to change begins an authorization of its own, which DE37 cannot tell from the first.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AuthorizationFold } from '#src/domain/authorization-fold.js';
import { long } from '../support/long.js';
import { Scenario } from '../table/runner.js';

interface Step {
  kind:
    | 'increment'
    | 'replacement'
    | 'final'
    | 'financial final'
    | 'down to'
    | 'reversal'
    | 'reversal by DE37'
    | 'part'
    | 'told increment'
    | 'back';
  amount: number;
  isDeclined: boolean;
  /** Of `back`: which of the changes before it is reversed. */
  which: number;
  /** What the network tells of the increment or the replacement, and whether our reply was lost. */
  told: number | undefined;
  isLost: boolean;
}

interface Purchase {
  isSingle: boolean;
  /** The first request never came: what the network tells of it, and of what followed, is all that is known. */
  isUnknown: boolean;
  amount: number;
  isDeclined: boolean;
  steps: Step[];
  inStandIn: number | undefined;
  isLost: boolean;
}

/** A line of a scenario; what may come at any place has the line that it must come behind. */
interface Line {
  readonly id: number;
  readonly text: string;
  readonly behind?: number;
}

const amounts = fc.integer({ min: 1, max: 15 }).map((hundreds) => hundreds * 100);
const maybe = fc.option(amounts, { nil: undefined });
const rarely = fc.integer({ min: 0, max: 3 }).map((n) => n === 3);

const steps = (kinds: readonly Step['kind'][]): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.record({
      ...{ kind: fc.constantFrom(...kinds), amount: amounts, isDeclined: rarely, which: fc.nat(2) },
      ...{ told: maybe, isLost: rarely },
    }),
    { maxLength: 3 },
  );

const OF_SINGLE = ['financial final', 'down to', 'reversal', 'reversal by DE37', 'part', 'back'] as const;
const OF_HOLD = ['increment', 'replacement', 'final', 'told increment', ...OF_SINGLE] as const;
/** Whether single messages or holds are spoken of must be clear, and DE37 must not name two authorizations. */
const OF_UNKNOWN = [['increment', 'replacement', 'back'] as const, ['part', 'told increment', 'back'] as const];

const purchases: fc.Arbitrary<Purchase> = fc
  .record({ isSingle: fc.boolean(), isUnknown: rarely, family: fc.nat(1) })
  .chain(({ isSingle, isUnknown, family }) => {
    const ofUnknown = isSingle ? (['part', 'back'] as const) : OF_UNKNOWN[family]!;
    return fc.record({
      ...{ isSingle: fc.constant(isSingle), isUnknown: fc.constant(isUnknown), amount: amounts, isDeclined: rarely },
      ...{
        steps: steps(isUnknown ? ofUnknown : isSingle ? OF_SINGLE : OF_HOLD),
        inStandIn: maybe,
        isLost: fc.boolean(),
      },
    });
  });

const sentAt = (id: number): string => `de7=05201200${String(id).padStart(2, '0')}`;

function linesOf(purchase: Purchase): { fixed: Line[]; movable: Line[] } {
  const { isSingle, isUnknown, isDeclined, inStandIn } = purchase;
  const first = isSingle ? '02' : '01';
  const fixed: Line[] = [];
  const movable: Line[] = [];
  const increments: { id: number; mti: string }[] = [];
  const declined = (is: boolean): string => (is ? ' exp=2001' : '');
  const head = (id: number): string => `stan=${id} rrn=1 ${sentAt(id)}`;
  if (!isUnknown)
    fixed.push({ id: 1, text: `${first}00 a purchase ${purchase.amount} ${head(1)}${declined(isDeclined)}` });
  purchase.steps.forEach(({ kind, amount, isDeclined: isRefused, which, told, isLost }, i) => {
    const id = i + 2;
    const ofFirst = `de90=${first}00/1/${sentAt(1).slice(4)}/12345`;
    switch (kind) {
      case 'increment':
      case 'replacement': {
        const fn = kind === 'increment' ? 'I' : 'R';
        fixed.push({ id, text: `0100 a purchase ${amount} fn=${fn} ${head(id)}${declined(isRefused)}` });
        if (kind === 'increment') increments.push({ id, mti: '0100' });
        if (told !== undefined)
          movable.push({ id: id + 10, text: `0120 a purchase ${told} fn=${fn} ${head(id)}`, behind: id });
        if (isLost) movable.push({ id: id + 20, text: `undelivered ${id}`, behind: id });
        return;
      }
      case 'told increment':
        increments.push({ id, mti: '0100' });
        fixed.push({ id, text: `0120 a purchase ${amount} fn=I ${head(id)}` });
        return;
      case 'part':
        increments.push({ id, mti: '0200' });
        fixed.push({ id, text: `0220 a purchase ${amount} fn=I ${head(id)}` });
        return;
      case 'final':
        fixed.push({ id, text: `0120 a purchase ${amount} why=C ${head(id)}` });
        return;
      case 'financial final':
        fixed.push({ id, text: `0220 a purchase ${amount} why=C ${head(id)}` });
        return;
      case 'down to':
        fixed.push({ id, text: `0420 a de95=${amount} ${ofFirst} ${head(id)}` });
        return;
      case 'reversal':
        fixed.push({ id, text: `0420 a ${ofFirst} ${head(id)}` });
        return;
      case 'reversal by DE37':
        fixed.push({ id, text: `0420 a ${head(id)}` });
        return;
      case 'back': {
        const change = increments[which % Math.max(1, increments.length)];
        if (change === undefined) return;
        fixed.push({
          id,
          text: `0420 a de90=${change.mti}/${change.id}/${sentAt(change.id).slice(4)}/12345 ${head(id)}`,
        });
      }
    }
  });
  if (inStandIn !== undefined)
    movable.push({ id: 40, text: `${first}20 a purchase ${inStandIn} why=S ${head(1)}`, behind: isUnknown ? 0 : 1 });
  if (!isUnknown && purchase.isLost) movable.push({ id: 41, text: 'undelivered 1', behind: 1 });
  return { fixed, movable: movable.slice(-3) };
}

function ordersOf({ fixed, movable }: { fixed: Line[]; movable: Line[] }): Line[][] {
  let orders = [fixed];
  for (const line of movable) {
    orders = orders.flatMap((order) => {
      const first = line.behind! > 0 ? order.findIndex(({ id }) => id === line.behind) + 1 : 0;
      const places = Array.from({ length: order.length + 1 - first }, (_, i) => first + i);
      return places.map((place) => [...order.slice(0, place), line, ...order.slice(place)]);
    });
  }
  return orders;
}

const fold = new AuthorizationFold();

/** Plays one order: what is posted and held in the end, and how the requests were decided. */
function play(order: Line[]): { end: string; requests: string[]; begun: number } {
  const scenario = new Scenario();
  scenario.run(['account', 'A', 'limit=1000000'], 100);
  scenario.run(['card', 'a'], 101);
  const { book } = scenario;
  const requests: string[] = [];
  let begun = 0;
  for (const { id, text } of order) {
    const code = scenario.run(text.split(' '), id);
    const event = scenario.outcomes.get(id)?.event;
    if (/^0[12]00/.test(text)) {
      requests.push(`${id} ${code} ${event!.element} ${event!.originalSequence > 0}`);
      if (event!.originalSequence === 0) begun++;
    }
    // The hold is what the words amount to, at every moment.
    for (const { sequence } of book.history.events) {
      const slot = book.state.holds.find(sequence);
      if (slot >= 0)
        expect(fold.read(book.context, sequence).total, `hold of ${sequence} behind ${text}`).toBe(
          book.state.holds.authorized(slot),
        );
    }
  }
  const [posted, held] = scenario.balances();
  return { end: `posted ${posted}, held ${held}`, requests: requests.sort(), begun };
}

test('what the network tells, and what was not delivered, comes to the same whenever it arrives', {
  timeout: 120_000 * long,
}, () => {
  let compared = 0;
  fc.assert(
    fc.property(purchases, (purchase) => {
      const ends = new Map<string, Map<string, Line[]>>();
      for (const order of ordersOf(linesOf(purchase))) {
        const { end, requests, begun } = play(order);
        if (begun > 1) continue;
        const alike = ends.get(requests.join()) ?? new Map<string, Line[]>();
        ends.set(requests.join(), alike);
        if (alike.size > 0) compared++;
        if (!alike.has(end)) alike.set(end, order);
      }
      for (const alike of ends.values()) {
        const shown = [...alike].map(([end, order]) => [...order.map(({ text }) => text), end].join('\n'));
        if (shown.length > 1) throw new Error(shown.join('\n\n'));
      }
    }),
    { numRuns: 400 * long },
  );
  expect(compared, 'orders that were compared').toBeGreaterThan(400);
});
