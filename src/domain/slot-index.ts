/**
 * Open-addressing index of a row table: cells of 4 bytes with slot + 1, linear probing, at most three quarters full.
 * The keys stay in the table's rows; the owner compares them. Removal shifts the following entries back instead of
 * leaving tombstones, so a table with steady turnover (holds) never degrades.
 *
 *   for (let slot = index.first(hash); slot >= 0; slot = index.next()) if (key equal) return slot;
 *
 * It grows without a stop: at the limit a table of double size takes the additions, and every insertion moves a few cells
 * of the old one over, so that it is empty long before the new one is full. Until then a look-up that finds nothing in the
 * new table goes on in the old one. (Moving all cells at once took 8 ms at 100 000 entries, for all shards in one second.)
 * A moved cell is marked and keeps its place: emptying it would shift what follows, for which each of those rows is read.
 */
const NONE: Int32Array = new Int32Array(0);

/** A cell of the old table whose slot was moved to the new one: look-ups go on behind it. */
const MOVED = -1;

/** Old cells that one insertion moves: N old cells are gone after N / 8 insertions, the new table is full after N * 3 / 4. */
const MOVED_PER_INSERT = 8;

export class SlotIndex {
  #cells: Int32Array;
  #mask: number;
  #old: Int32Array = NONE;
  #oldMask = 0;
  /** Cells of the old table below this one are empty or moved. */
  #moved = 0;
  #count = 0;
  /** The look-up under way. */
  #hash = 0;
  #at = 0;
  #inOld = false;
  readonly #hashOf: (slot: number) => number;

  /** `hashOf` gives the hash of the key that the owner's rows hold for a slot; called when cells move. */
  constructor(hashOf: (slot: number) => number, initialBits = 10) {
    this.#hashOf = hashOf;
    this.#cells = new Int32Array(2 ** initialBits);
    this.#mask = this.#cells.length - 1;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#cells.byteLength + this.#old.byteLength;
  }

  /** First slot that may have a key of this hash, -1 when there is none. */
  first(hash: number): number {
    this.#hash = hash;
    this.#at = hash & this.#mask;
    this.#inOld = false;
    const cell = this.#cells[this.#at]!;
    return cell !== 0 ? cell - 1 : this.#firstOfOld();
  }

  /** The next candidate of the look-up begun by `first`, -1 at its end. */
  next(): number {
    if (this.#inOld) {
      this.#at = (this.#at + 1) & this.#oldMask;
      return this.#here();
    }
    this.#at = (this.#at + 1) & this.#mask;
    const cell = this.#cells[this.#at]!;
    return cell !== 0 ? cell - 1 : this.#firstOfOld();
  }

  #firstOfOld(): number {
    if (this.#old.length === 0) return -1;
    this.#inOld = true;
    this.#at = this.#hash & this.#oldMask;
    return this.#here();
  }

  /** The first slot of the old table from the place of the look-up on, -1 at an empty cell. */
  #here(): number {
    while (this.#old[this.#at] === MOVED) this.#at = (this.#at + 1) & this.#oldMask;
    return this.#old[this.#at]! - 1;
  }

  /** Adds a slot whose key is not in the index. */
  insert(slot: number): void {
    if ((this.#count + 1) * 4 > this.#cells.length * 3) this.#grow();
    if (this.#old.length > 0) this.#move(MOVED_PER_INSERT);
    this.#place(slot);
    this.#count++;
  }

  /** Removes a slot whose key is still in the rows. */
  remove(slot: number): void {
    if (
      !this.#take(this.#cells, this.#mask, slot) &&
      !(this.#old.length > 0 && this.#take(this.#old, this.#oldMask, slot))
    )
      throw new RangeError(`slot ${slot} is not in the index`);
    this.#count--;
  }

  /** Takes a slot out of one table; false when it is not there. */
  #take(cells: Int32Array, mask: number, slot: number): boolean {
    let hole = this.#hashOf(slot) & mask;
    while (cells[hole]! !== slot + 1) {
      if (cells[hole] === 0) return false;
      hole = (hole + 1) & mask;
    }
    this.#close(cells, mask, hole);
    return true;
  }

  /** Empties a cell and shifts back what may follow it. */
  #close(cells: Int32Array, mask: number, cell: number): void {
    let hole = cell;
    for (let i = (hole + 1) & mask; cells[i]! !== 0; i = (i + 1) & mask) {
      if (cells[i] === MOVED) continue;
      const home = this.#hashOf(cells[i]! - 1) & mask;
      // An entry may move into the hole unless its home lies behind the hole on the way to it.
      if (((i - home) & mask) >= ((i - hole) & mask)) {
        cells[hole] = cells[i]!;
        hole = i;
      }
    }
    cells[hole] = 0;
  }

  #place(slot: number): void {
    let position = this.#hashOf(slot) & this.#mask;
    while (this.#cells[position]! !== 0) position = (position + 1) & this.#mask;
    this.#cells[position] = slot + 1;
  }

  #grow(): void {
    this.#move(Number.POSITIVE_INFINITY);
    this.#old = this.#cells;
    this.#oldMask = this.#mask;
    this.#moved = 0;
    this.#cells = new Int32Array(this.#old.length * 2);
    this.#mask = this.#cells.length - 1;
  }

  /** Moves up to `limit` entries, or passes as many empty cells, of the old table. */
  #move(limit: number): void {
    const old = this.#old;
    for (let steps = 0; steps < limit && this.#moved < old.length; steps++) {
      const cell = old[this.#moved]!;
      if (cell === 0) {
        this.#moved++;
        continue;
      }
      old[this.#moved++] = MOVED;
      this.#place(cell - 1);
    }
    if (this.#moved >= old.length) this.#old = NONE;
  }
}
