/** Lists of merchant categories: codes, ranges and names of groups, the built-in ones from docs/reference/controls.md. */

/** Codes and ranges by the name of a group. */
export type MccGroups = Readonly<Record<string, readonly (string | number)[]>>;

const BUILT_IN: MccGroups = {
  airlines: ['3000-3299', '4511'],
  alcohol: ['5813', '5921'],
  atm: ['6011'],
  car_rental: ['3351-3441', '7512'],
  cash: ['6010', '6011'],
  charity: ['8398'],
  cruise: ['4411'],
  crypto: ['6051'],
  dating: ['7273'],
  digital_goods: ['5815-5818'],
  direct_marketing: ['5960', '5962-5969'],
  fuel: ['5541', '5542', '5552'],
  gambling: ['7800-7802', '7995'],
  groceries: ['5411', '5422', '5441', '5451', '5462', '5499'],
  lodging: ['3501-3999', '7011'],
  money_transfer: ['4829', '6540'],
  pharmacies: ['5122', '5912'],
  quasi_cash: ['6050', '6051'],
  restaurants: ['5812-5814'],
  taxes: ['9311'],
  tobacco: ['5993'],
  transit: ['4111', '4112', '4121', '4131', '4789'],
};

/** True when the list has the category; false without one. @param own groups of the program, which go first */
export function hasMcc(list: readonly (string | number)[], mcc: string | number | undefined, own: MccGroups): boolean {
  if (mcc === undefined || mcc === '') return false;
  const code = Number(mcc);
  return list.some((entry) => {
    const text = String(entry);
    if (!/^\d/.test(text)) return hasMcc(own[text] ?? BUILT_IN[text]!, code, {});
    const [from, to = from] = text.split('-').map(Number);
    return code >= from! && code <= to!;
  });
}
