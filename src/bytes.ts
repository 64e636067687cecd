/**
 * Copying short runs of bytes without garbage. `target.set(source.subarray(...))` makes a view each time; a loop over bytes
 * makes none and is three times slower. Four bytes at a time over two DataViews is the fastest of the three up to some 300
 * bytes (190 bytes: 80 ns, against 110 with a view and 290 byte by byte), and the views of the few long-lived buffers that
 * messages pass through are made once.
 */
const views = new WeakMap<Uint8Array, DataView>();

/** The DataView of an array, made once per array; the one asked for last is at hand. */
export class Views {
  #array = new Uint8Array(0) as Uint8Array;
  #view = new DataView(this.#array.buffer);

  of(array: Uint8Array): DataView {
    return array === this.#array ? this.#view : this.#other(array);
  }

  #other(array: Uint8Array): DataView {
    let view = views.get(array);
    if (view === undefined) {
      view = new DataView(array.buffer, array.byteOffset, array.length);
      views.set(array, view);
    }
    this.#array = array;
    this.#view = view;
    return view;
  }
}

/** From here on the processor's own copy beats the loop. */
const LONG_BYTES = 512;

const sources = new Views();
const targets = new Views();

/**
 * Copies `count` bytes between two arrays, which must not be the same memory. For arrays that live long: an array seen for
 * the first time costs a view.
 */
export function copyBytes(source: Uint8Array, from: number, target: Uint8Array, to: number, count: number): void {
  if (count >= LONG_BYTES) {
    target.set(new Uint8Array(source.buffer, source.byteOffset + from, count), to);
    return;
  }
  const read = sources.of(source);
  const write = targets.of(target);
  const words = count & ~3;
  let i = 0;
  for (; i < words; i += 4) write.setInt32(to + i, read.getInt32(from + i));
  for (; i < count; i++) write.setUint8(to + i, read.getUint8(from + i));
}
