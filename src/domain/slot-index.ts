/**
 * Open-addressing index of a column table: cells of 4 bytes with slot + 1, linear probing, at most three quarters full.
 * The keys stay in the table's columns; the owner compares them. Removal shifts the following entries back instead of
 * leaving tombstones, so a table with steady turnover (holds) never degrades.
 *
 *   for (let p = index.start(hash); ; p = index.next(p)) {
 *     const slot = index.slotAt(p);
 *     if (slot < 0) return -1;
 *     if (key equal) return slot;
 *   }
 */
export class SlotIndex {
  #cells: Int32Array;
  #mask: number;
  #count = 0;
  readonly #hashOf: (slot: number) => number;

  /** `hashOf` gives the hash of the key that the owner's columns hold for a slot; called when cells move. */
  constructor(hashOf: (slot: number) => number, initialBits = 10) {
    this.#hashOf = hashOf;
    this.#cells = new Int32Array(2 ** initialBits);
    this.#mask = this.#cells.length - 1;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#cells.byteLength;
  }

  start(hash: number): number {
    return hash & this.#mask;
  }

  next(position: number): number {
    return (position + 1) & this.#mask;
  }

  /** The slot in a cell, -1 for a free cell: the end of the probe. */
  slotAt(position: number): number {
    return this.#cells[position]! - 1;
  }

  /** Adds a slot whose key is not in the index. */
  insert(slot: number): void {
    if ((this.#count + 1) * 4 > this.#cells.length * 3) this.#grow();
    this.#place(slot);
    this.#count++;
  }

  /** Removes a slot whose key is still in the columns. */
  remove(slot: number): void {
    const cells = this.#cells;
    const mask = this.#mask;
    let hole = this.#hashOf(slot) & mask;
    while (cells[hole]! !== slot + 1) {
      if (cells[hole] === 0) throw new RangeError(`slot ${slot} is not in the index`);
      hole = (hole + 1) & mask;
    }
    for (let i = (hole + 1) & mask; cells[i]! !== 0; i = (i + 1) & mask) {
      const home = this.#hashOf(cells[i]! - 1) & mask;
      // An entry may move into the hole unless its home lies behind the hole on the way to it.
      if (((i - home) & mask) >= ((i - hole) & mask)) {
        cells[hole] = cells[i]!;
        hole = i;
      }
    }
    cells[hole] = 0;
    this.#count--;
  }

  #place(slot: number): void {
    let position = this.#hashOf(slot) & this.#mask;
    while (this.#cells[position]! !== 0) position = (position + 1) & this.#mask;
    this.#cells[position] = slot + 1;
  }

  #grow(): void {
    const old = this.#cells;
    this.#cells = new Int32Array(old.length * 2);
    this.#mask = this.#cells.length - 1;
    for (const cell of old) if (cell !== 0) this.#place(cell - 1);
  }
}
