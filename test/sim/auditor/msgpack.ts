/** A reader of MessagePack, as far as the journal uses it: written from docs/internals/journal-format.md and the public format. */

const CHUNK = 4_294_967_296;

/** Bytes that are not what the format says. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
}

export class Cursor {
  at = 0;
  end = 0;
  #bytes: Buffer = Buffer.alloc(0);

  /** Looks at the bytes from `at` up to `end`. */
  point(bytes: Buffer, at: number, end: number): this {
    this.#bytes = bytes;
    this.at = at;
    this.end = end;
    return this;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  integer(): number {
    const value = this.value();
    if (typeof value !== 'number') throw new FormatError(`a ${typeof value} where a number belongs, byte ${this.at}`);
    if (!Number.isSafeInteger(value)) throw new FormatError(`${value} is no safe integer, byte ${this.at}`);
    return value;
  }

  text(): string {
    const value = this.value();
    if (typeof value !== 'string') throw new FormatError(`a ${typeof value} where a text belongs, byte ${this.at}`);
    return value;
  }

  binary(): Buffer {
    const value = this.value();
    if (!Buffer.isBuffer(value)) throw new FormatError(`a ${typeof value} where bytes belong, byte ${this.at}`);
    return value;
  }

  /** Bytes of a wire message, one character each, without the spaces behind them. */
  wireText(): string {
    const bytes = this.binary();
    return bytes.length === 0 ? '' : bytes.toString('latin1').trimEnd();
  }

  /** Members of the array that begins here. */
  array(): number {
    const head = this.#byte();
    if ((head & 0xf0) === 0x90) return head & 0x0f;
    if (head === 0xdc) return this.#unsigned(2);
    throw new FormatError(`byte ${this.at - 1} begins no array: ${head.toString(16)}`);
  }

  numbers(): number[] {
    return Array.from({ length: this.array() }, () => this.integer());
  }

  /** Whatever stands here: number, text, bytes, array or object. */
  value(): unknown {
    const head = this.#byte();
    if (head < 0x80) return head;
    if (head >= 0xe0) return head - 0x100;
    if (head < 0x90) return this.#map(head & 0x0f);
    if (head < 0xa0) return this.#list(head & 0x0f);
    if (head < 0xc0) return this.#text(head & 0x1f);
    switch (head) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#bytesOf(this.#unsigned(1));
      case 0xc5:
        return this.#bytesOf(this.#unsigned(2));
      case 0xc6:
        return this.#bytesOf(this.#unsigned(4));
      case 0xcb:
        return this.#bytes.readDoubleBE(this.#take(8));
      case 0xcc:
        return this.#unsigned(1);
      case 0xcd:
        return this.#unsigned(2);
      case 0xce:
        return this.#unsigned(4);
      case 0xcf:
        return this.#unsigned(4) * CHUNK + this.#unsigned(4);
      case 0xd0:
        return this.#bytes.readInt8(this.#take(1));
      case 0xd1:
        return this.#bytes.readInt16BE(this.#take(2));
      case 0xd2:
        return this.#bytes.readInt32BE(this.#take(4));
      case 0xd9:
        return this.#text(this.#unsigned(1));
      case 0xda:
        return this.#text(this.#unsigned(2));
      case 0xdb:
        return this.#text(this.#unsigned(4));
      case 0xdc:
        return this.#list(this.#unsigned(2));
      case 0xdd:
        return this.#list(this.#unsigned(4));
      case 0xde:
        return this.#map(this.#unsigned(2));
      case 0xdf:
        return this.#map(this.#unsigned(4));
      default:
        throw new FormatError(`byte ${this.at - 1} is of no kind that the journal has: ${head.toString(16)}`);
    }
  }

  #take(count: number): number {
    const { at } = this;
    this.at += count;
    if (this.at > this.end) throw new FormatError(`${this.at - this.end} bytes are missing behind byte ${this.end}`);
    return at;
  }

  #byte(): number {
    return this.#bytes[this.#take(1)]!;
  }

  #unsigned(bytes: 1 | 2 | 4): number {
    return this.#bytes.readUIntBE(this.#take(bytes), bytes);
  }

  #text(length: number): string {
    const at = this.#take(length);
    return this.#bytes.toString('utf8', at, at + length);
  }

  #bytesOf(length: number): Buffer {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  #list(length: number): unknown[] {
    return Array.from({ length }, () => this.value());
  }

  #map(length: number): Record<string, unknown> {
    const entries = Array.from({ length }, () => [this.text(), this.value()] as const);
    return Object.fromEntries(entries);
  }
}
