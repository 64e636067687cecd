/** Rows of a table that are plain objects found by a number, and which of them the checkpoint lacks. Rows are never removed. */
import { DirtyList } from './columns.js';

export class KeyedRows<R extends { readonly key: number }> {
  readonly #rows: R[] = [];
  readonly #placeOf = new Map<number, number>();
  /** Places of rows whose latest content is not in the checkpoint. */
  readonly #dirty = new DirtyList();

  protected get rows(): readonly R[] {
    return this.#rows;
  }

  protected row(key: number): R | undefined {
    const place = this.#placeOf.get(key);
    return place === undefined ? undefined : this.#rows[place];
  }

  protected add<T extends R>(row: T): T {
    this.#placeOf.set(row.key, this.#rows.length);
    this.#rows.push(row);
    return row;
  }

  /** The checkpoint lacks the row's content. */
  protected changed(key: number): void {
    this.#dirty.push(this.#placeOf.get(key)!);
  }

  protected get dirtyBytes(): number {
    return this.#dirty.bytes;
  }

  get dirtyCount(): number {
    return this.#dirty.count;
  }

  takeDirty(limit: number, visit: (key: number) => void): number {
    return this.#dirty.take(limit, (place) => visit(this.#rows[place]!.key));
  }

  startPass(): void {
    this.#dirty.startPass();
  }

  get passDone(): boolean {
    return this.#dirty.passDone;
  }
}
