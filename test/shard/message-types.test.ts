/** Every message type that four digits can say, in a shard: decided, answered 12, or dropped. */
import { expect, it } from 'vitest';
import { ShardState } from '#src/ring/control-block.js';
import { ReplyKind } from '#src/ring/kinds.js';
import { Harness, purchase } from './harness.js';

const DECIDED = ['0100', '0101', '0120', '0121', '0200', '0201', '0220', '0221', '0302', '0303'];
DECIDED.push('0400', '0401', '0420', '0421');

/** The reply that the standard has for a request or an advice, undefined for anything else. */
function replyTo(mti: string): string | undefined {
  const [version, group, kind, origin] = [...mti].map(Number) as [number, number, number, number];
  if (version !== 0 || group === 0 || group === 9 || origin > 5) return undefined;
  if (kind !== 0 && kind !== 2) return undefined;
  return `0${group}${kind + 1}${origin - (origin % 2)}`;
}

it('each has one outcome, none moves money that it should not, and the shard stays in service', () => {
  const h = new Harness();
  const card = h.open(0, 1, 1_000_000_000);
  const outcomes = new Map<string, string>();
  for (let first = 0; first < 10_000; first += 250) {
    const tokens = Array.from({ length: 250 }, (_, i) => {
      const mti = String(first + i).padStart(4, '0');
      const fields = purchase(first + i, 100, { 0: mti, 91: '3', 37: `RRN${String(first + i).padStart(9, '0')}` });
      return [mti, h.send(card, fields)] as const;
    });
    h.turn();
    for (const [mti, token] of tokens) {
      const { kind, fields } = h.answers.get(token)!;
      outcomes.set(mti, kind === ReplyKind.dropped ? 'dropped' : `${fields[0]} ${fields[39]}`);
    }
  }
  const expected = new Map<string, string>();
  for (let mti = 0; mti < 10_000; mti++) {
    const text = String(mti).padStart(4, '0');
    const reply = replyTo(text);
    if (reply === undefined) expected.set(text, 'dropped');
    else expected.set(text, `${reply} ${DECIDED.includes(text) ? '00' : '12'}`);
  }
  expect(outcomes).toEqual(expected);
  expect(h.control.shardState(0)).toBe(ShardState.up);
  expect(h.logs).toEqual([]);
  // Held: 0100, 0101, 0120 and 0121. Posted: 0200, 0201, 0220 and 0221. The reversals name none of them.
  expect(h.balances(0, card.account)).toEqual({ posted: 400, held: 400 });
  expect(new Harness({ journal: h.journal }).shard(0).digest).toEqual(h.shard(0).digest);
});
