/**
 * Named groups of merchant category codes (ISO 18245) that controls may use instead of numbers. A program may bring more, or
 * others under the same names. A group is resolved when controls are compiled, so a changed group changes what existing
 * controls mean; the counters of their windows go on, because a counter knows its window's group by name.
 */

import { assert } from '../../errors.js';

/** A category code, an inclusive range, or the name of a group. */
export type MccEntry = number | readonly [from: number, to: number] | string;

/** Single codes or inclusive ranges. */
export type MccCodes = readonly (number | readonly [from: number, to: number])[];
export type MccGroups = Readonly<Record<string, MccCodes>>;

export const defaultMccGroups: MccGroups = {
  airlines: [[3000, 3299], 4511],
  alcohol: [5813, 5921],
  atm: [6011],
  car_rental: [[3351, 3441], 7512],
  cash: [6010, 6011],
  charity: [8398],
  cruise: [4411],
  crypto: [6051],
  dating: [7273],
  digital_goods: [[5815, 5818]],
  direct_marketing: [5960, [5962, 5969]],
  fuel: [5541, 5542, 5552],
  gambling: [[7800, 7802], 7995],
  groceries: [5411, 5422, 5441, 5451, 5462, 5499],
  lodging: [[3501, 3999], 7011],
  money_transfer: [4829, 6540],
  pharmacies: [5122, 5912],
  quasi_cash: [6050, 6051],
  restaurants: [[5812, 5814]],
  taxes: [9311],
  tobacco: [5993],
  transit: [4111, 4112, 4121, 4131, 4789],
};

/** What a group's name looks like. */
export const MCC_GROUP_NAME = /^[a-z][a-z0-9_]{0,39}$/;

/** The inclusive ranges that entries stand for. A program never loses a group, so what names one finds it. */
export function mccRanges(entries: readonly MccEntry[], groups: MccGroups): (readonly [number, number])[] {
  return entries.flatMap((entry) => {
    if (typeof entry === 'number') return [[entry, entry] as const];
    if (typeof entry !== 'string') return [entry];
    const codes = Object.hasOwn(groups, entry) ? groups[entry] : undefined;
    assert(codes !== undefined, `a program keeps the category group ${entry} while controls name it`);
    return codes.map((code) => (typeof code === 'number' ? ([code, code] as const) : code));
  });
}
