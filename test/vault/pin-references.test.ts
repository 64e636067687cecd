/** Seals of PIN references: bound to the card and to the key file. */
import { describe, expect, it } from 'vitest';
import { PIN_REFERENCE_BYTES } from '#src/domain/pin-table.js';
import { digitsOf } from '#src/vault/card/bytes.js';
import { PinReferences, pinReferenceKeyOf } from '#src/vault/pin-references.js';

const card = { f0: 1, f1: 2, f2: 3 };
const seals = new PinReferences(pinReferenceKeyOf({ bytes: new Uint8Array(32).fill(1) }));

describe('sealed PIN references', () => {
  it.each([
    ['pvv', 6, '0042'],
    ['offset', 0, '123456789012'],
  ] as const)('%s comes back', (method, keyIndex, digits) => {
    const sealed = seals.seal(card, { method, keyIndex, digits: digitsOf(digits) });
    expect(sealed.length).toBe(PIN_REFERENCE_BYTES);
    const opened = seals.open(card, sealed);
    expect({ ...opened, digits: Buffer.from(opened.digits).toString() }).toEqual({ method, keyIndex, digits });
  });

  it('does not open for another card, with another key, or with a flipped bit; and no two are alike', () => {
    const reference = { method: 'pvv', keyIndex: 1, digits: digitsOf('4232') } as const;
    const sealed = seals.seal(card, reference);
    expect(() => seals.open({ ...card, f2: 4 }, sealed)).toThrow();
    const others = new PinReferences(pinReferenceKeyOf({ bytes: new Uint8Array(32).fill(2) }));
    expect(() => others.open(card, sealed)).toThrow();
    const flipped = Uint8Array.from(sealed);
    flipped[20]! ^= 1;
    expect(() => seals.open(card, flipped)).toThrow();
    expect(Buffer.from(seals.seal(card, reference)).equals(sealed)).toBe(false);
    expect(() => seals.seal(card, { ...reference, digits: digitsOf('1234567890123') })).toThrow(RangeError);
  });
});
