/**
 * JSON with integers of any size. JSON itself knows no limit; `JSON.stringify` refuses big integers, and rounding them to
 * doubles would lose cents of a turnover beyond 2^53.
 */

/** As `JSON.stringify` for plain objects, arrays, strings, numbers, booleans and null; a big integer is its digits. */
export function exactJson(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map(exactJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${exactJson(member)}`).join(',')}}`;
}
