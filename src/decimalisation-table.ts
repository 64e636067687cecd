/** Decimalisation tables of the IBM 3624 method: what programs name and every adapter asks of them. */

/** So many different digits a table has at least, and none of them more often than that. With fewer a thief who may choose the
 * table learns a PIN digit by digit. */
const DISTINCT_MIN = 8;
const REPEAT_MAX = 4;
const ZERO = 0x30;

/** True when a table is 16 ASCII digits that are mixed enough: at least 8 different ones, none more often than four times. */
export function isSoundTable(table: Uint8Array): boolean {
  if (table.length !== 16) return false;
  const times = new Array<number>(10).fill(0);
  for (const digit of table) {
    if (digit < ZERO || digit > ZERO + 9) return false;
    times[digit - ZERO]!++;
  }
  return times.filter((count) => count > 0).length >= DISTINCT_MIN && Math.max(...times) <= REPEAT_MAX;
}
