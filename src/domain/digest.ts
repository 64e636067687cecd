/**
 * Running digest of a shard's state: two 32-bit sums over the hashes of all fields of all rows. A field's hash takes in
 * its table, its row's key, its number and its value, so a sum cannot hide a value that moved to another row; being a
 * sum, it does not depend on the order of changes, on slots of holds, or on whether a row came from a checkpoint or a
 * replay. A change costs two hashes per changed field instead of a pass over the row.
 */
export class StateDigest {
  /** Signed 32-bit sums; the getters give them unsigned. */
  #high = 0;
  #low = 0;

  get high(): number {
    return this.#high >>> 0;
  }

  get low(): number {
    return this.#low >>> 0;
  }

  /** Takes a field in. The value is a safe integer. */
  add(table: number, key: number, field: number, value: number): void {
    this.sum(table, key, field, value, 1);
  }

  /** Takes a field out, with the value it had. */
  remove(table: number, key: number, field: number, value: number): void {
    this.sum(table, key, field, value, -1);
  }

  change(table: number, key: number, field: number, before: number, after: number): void {
    if (before === after) return;
    this.sum(table, key, field, before, -1);
    this.sum(table, key, field, after, 1);
  }

  /** Takes a field in (`sign` 1) or out (-1). */
  sum(table: number, key: number, field: number, value: number, sign: number): void {
    const place = (table << 8) | field;
    // Both lanes mix the same four words with other constants, in another order and with other shifts.
    const keyLow = key | 0;
    const valueLow = value | 0;
    const high = highWord(key) ^ Math.imul(highWord(value), 0x27d4eb2f) ^ Math.imul(place, 0x2545f491);
    let a = Math.imul(high ^ keyLow, 0x9e3779b1);
    a = Math.imul(a ^ (a >>> 15) ^ valueLow, 0x85ebca6b);
    a = Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
    let b = Math.imul(high ^ valueLow ^ 0x6a09e667, 0xcc9e2d51);
    b = Math.imul(b ^ (b >>> 16) ^ keyLow, 0x1b873593);
    b = Math.imul(b ^ (b >>> 14), 0x165667b1);
    this.#high = (this.#high + Math.imul(a ^ (a >>> 16), sign)) | 0;
    this.#low = (this.#low + Math.imul(b ^ (b >>> 15), sign)) | 0;
  }
}

/** Upper word of a safe integer in two's complement. */
function highWord(value: number): number {
  return value >= 0 && value <= 0xffffffff ? 0 : Math.floor(value / 4_294_967_296) | 0;
}
