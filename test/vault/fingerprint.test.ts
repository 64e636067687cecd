import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PanFingerprinter } from '#src/vault/fingerprint.js';

function reference(key: Uint8Array, pan: string): [number, number, number] {
  const mac = createHmac('sha256', key).update(pan, 'latin1').digest();
  return [mac.readUInt32BE(0), mac.readUInt32BE(4), mac.readUInt32BE(8)];
}

describe('PAN fingerprint', () => {
  it('is HMAC-SHA256 cut to 96 bits, for every key and length', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 64 }),
        fc.stringMatching(/^[0-9]{1,19}$/),
        fc.nat(30),
        (key, pan, at) => {
          const print = new PanFingerprinter(key);
          const buffer = new Uint8Array(at + pan.length + 3).fill(0x39);
          buffer.set(Buffer.from(pan, 'latin1'), at);
          print.compute(buffer, at, pan.length);
          expect([print.f0, print.f1, print.f2]).toEqual(reference(key, pan));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('does not depend on what was computed before', () => {
    const key = Buffer.alloc(32, 7);
    const print = new PanFingerprinter(key);
    for (const pan of ['9999990000000000017', '9999990000008', '9999990000000017', '1']) {
      const { f0, f1, f2 } = print.of(pan);
      expect([f0, f1, f2]).toEqual(reference(key, pan));
    }
  });

  it('changes with the key and with the last digit', () => {
    const a = new PanFingerprinter(Buffer.alloc(32, 1));
    const b = new PanFingerprinter(Buffer.alloc(32, 2));
    expect(a.of('9999990000000017')).not.toEqual(b.of('9999990000000017'));
    expect(a.of('9999990000000017')).not.toEqual(a.of('9999990000000018'));
  });

  it('refuses no digits and more than 19', () => {
    const print = new PanFingerprinter(Buffer.alloc(32, 1));
    expect(() => print.compute(new Uint8Array(30), 0, 0)).toThrow(RangeError);
    expect(() => print.compute(new Uint8Array(30), 0, 20)).toThrow(RangeError);
    expect(() => new PanFingerprinter(new Uint8Array(0))).toThrow(RangeError);
  });
});
