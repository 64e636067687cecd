/**
 * Messages at the edges, all of them: cut off at every byte, and with every length that a prefix can say. What must be true of each is
 * said by the fuzz target of the decoder; random bytes are its business (test/fuzz).
 */
import { describe, expect, it } from 'vitest';
import { dialectNames } from '#src/iso8583/dialects.js';
import { pack } from '#src/iso8583/message.js';
import { isoSeeds } from '../fuzz/iso-messages.js';
import { DecoderTarget } from '../fuzz/targets/iso8583.js';

describe.each(dialectNames)('%s', (name) => {
  const target = new DecoderTarget(name);

  it('meets messages cut off at every byte, and with a byte more', () => {
    for (const fields of isoSeeds) {
      const bytes = pack(name, fields);
      expect(target.run(bytes)).toBe('accepted');
      for (let length = 0; length < bytes.length; length++) {
        expect(target.run(bytes.subarray(0, length)), `${length} bytes`).toBe('refused');
      }
      for (const more of [0x00, 0x30, 0xff]) expect(target.run(Uint8Array.of(...bytes, more))).toBe('refused');
    }
  });

  it('meets lying lengths', () => {
    const variable = [2, 32, 33, 34, 35, 36, 44, 45, 48, 54, 55, 63, 99, 102, 127];
    for (const field of variable) {
      const bytes = pack(name, { 0: '0100', [field]: field === 55 ? 'hex:3132' : '12' });
      const bcd = name === 'iso87-bcd';
      const value = bcd && [2, 32, 33, 35, 99].includes(field) ? 1 : 2;
      const prefix = [2, 32, 33, 34, 35, 44, 45, 99, 102].includes(field) ? 2 : 3;
      const wide = bcd ? (prefix + 1) >> 1 : prefix;
      for (let lie = 0; lie < 10 ** prefix; lie++) {
        const lying = Uint8Array.from(bytes);
        const digits = String(lie).padStart(bcd ? wide * 2 : wide, '0');
        lying.set(Buffer.from(digits, bcd ? 'hex' : 'latin1'), bytes.length - value - wide);
        expect(target.run(lying)).toBe(lie === 2 ? 'accepted' : 'refused');
      }
    }
  });
});
