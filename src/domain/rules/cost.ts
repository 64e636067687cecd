/**
 * What the nodes of a rule cost at most, in units of one comparison of two numbers. The figures follow the measurement of
 * decision record NNNN; they only have to be right within a small factor, because their purpose is a bound.
 */
import { type Field, hasBitMap } from './fields.js';

export const costs = {
  constant: 1,
  compare: 1,
  arithmetic: 1,
  /** One comparison of two identifiers of up to 40 characters. */
  text: 4,
  /** A search within a text of 40 characters. */
  contains: 16,
} as const;

/** A list of `count` items behind a value: a bit map where the field has one, else the halving of a sorted list. */
export function listCost(field: Field | undefined, count: number): number {
  if (field !== undefined && hasBitMap(field)) return costs.compare;
  const steps = Math.ceil(Math.log2(count + 1));
  return field?.type === 'text' ? costs.text * steps : costs.compare * (1 + steps);
}
