/**
 * Helpers of the tables: growth by doubling for the small ones, and the lists of what a checkpoint has still to write.
 */
/** First capacity of a table, in rows. */
const FIRST_ROWS = 256;

/** The next capacity that holds `rows`. */
export function capacityFor(current: number, rows: number): number {
  let capacity = Math.max(FIRST_ROWS, current);
  while (capacity < rows) capacity *= 2;
  return capacity;
}

type Column = Float64Array | Uint32Array | Int32Array | Uint16Array | Uint8Array;

/** A copy of the column with more rows, the new ones zero. */
export function grown<C extends Column>(column: C, rows: number): C {
  const next = new (column.constructor as new (length: number) => C)(rows);
  next.set(column as never);
  return next;
}

/** Numbers (rows, blocks) whose latest content is not in the checkpoint yet; each stands in the list once. */
export class DirtyList {
  #keys = new Float64Array(64);
  #marks = new Uint8Array(64);
  #count = 0;
  #passLeft = 0;
  readonly #blockBits: number;

  /** `blockBits`: of the owner's blocks, for `pushRow`. */
  constructor(blockBits = 0) {
    this.#blockBits = blockBits;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#keys.byteLength + this.#marks.byteLength;
  }

  push(key: number): void {
    if (key >= this.#marks.length) this.#marks = grown(this.#marks, capacityFor(this.#marks.length, key + 1));
    if (this.#marks[key] === 1) return;
    this.#marks[key] = 1;
    if (this.#count === this.#keys.length) this.#keys = grown(this.#keys, this.#count * 2);
    this.#keys[this.#count++] = key;
  }

  /** Marks the block of a row. */
  pushRow(slot: number): void {
    this.push(slot >> this.#blockBits);
  }

  /** Hands out up to `limit` keys, oldest first, and forgets them. */
  take(limit: number, visit: (key: number) => void): number {
    const taken = Math.min(limit, this.#count);
    for (let i = 0; i < taken; i++) {
      this.#marks[this.#keys[i]!] = 0;
      visit(this.#keys[i]!);
    }
    this.#keys.copyWithin(0, taken, this.#count);
    this.#count -= taken;
    this.#passLeft = Math.max(0, this.#passLeft - taken);
    return taken;
  }

  /** Begins a pass over the keys that are in the list now. */
  startPass(): void {
    this.#passLeft = this.#count;
  }

  /** True when every key of the pass has been taken: keys leave in the order in which they came. */
  get passDone(): boolean {
    return this.#passLeft === 0;
  }
}

/** Reads and writes little-endian values one behind the other; reused, so that a row costs no object. */
export class RowCursor {
  at = 0;
  bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.bytes.buffer);

  attach(bytes: Uint8Array, at: number): this {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.at = at;
    return this;
  }

  putU8(value: number): void {
    this.#view.setUint8(this.at, value);
    this.at += 1;
  }
  putU32(value: number): void {
    this.#view.setUint32(this.at, value, true);
    this.at += 4;
  }
  putF64(value: number): void {
    this.#view.setFloat64(this.at, value, true);
    this.at += 8;
  }
  u8(): number {
    this.at += 1;
    return this.#view.getUint8(this.at - 1);
  }
  u32(): number {
    this.at += 4;
    return this.#view.getUint32(this.at - 4, true);
  }
  f64(): number {
    this.at += 8;
    return this.#view.getFloat64(this.at - 8, true);
  }
}
