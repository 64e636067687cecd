/** What a single message posts: legs against what the model moved. */
import type { ModelAccount } from '../../domain/reference/entry.js';
import type { AuditedAccount } from './audited.js';
import { Gl } from './books.js';

/** Legs move each part of what an account owes as the model moved it; the other side is the network, and income of fees. */
export function checkPosted(
  legs: readonly { gl: number; amount: number }[],
  { model }: AuditedAccount,
  before: ModelAccount['owes'],
  lossMoved: number,
  check: (what: string, engine: unknown, expected: unknown) => void,
): void {
  if (legs.length === 0 && model.owes.purchases === before.purchases && model.owes.cash === before.cash) {
    if (model.owes.fees === before.fees && model.owes.credit === before.credit) return;
  }
  const sum = (gl: number): number => legs.reduce((all, leg) => all + (leg.gl === gl ? leg.amount : 0), 0);
  const after = model.owes;
  const moved = [after.purchases - before.purchases, after.cash - before.cash, after.fees - before.fees];
  const credit = after.credit - before.credit;
  check(
    'posted: purchases, cash, fees, credit',
    [sum(Gl.purchases), sum(Gl.cash), sum(Gl.fees), sum(Gl.credit)],
    [...moved, credit],
  );
  // What the network gives back of what a dispute had given already is a loss less.
  const loss = sum(Gl.disputeLoss);
  check('posted: dispute loss', loss + 0, lossMoved + 0);
  const network = 0 - (moved[0]! + moved[1]! + credit + loss);
  check('posted: network, income of fees', [sum(Gl.network) + 0, sum(Gl.feeIncome) + 0], [network + 0, 0 - moved[2]!]);
}
