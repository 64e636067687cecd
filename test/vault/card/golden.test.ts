/** Known values of what lies below the port; those of operations are in ../hsm/golden.test.ts. */
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSoundTable } from '#src/decimalisation-table.js';
import { AesKey, TdesKey } from '#src/vault/card/block-key.js';
import { decimalise } from '#src/vault/card/bytes.js';
import { isAesKsn } from '#src/vault/card/dukpt-aes.js';
import { isTdesKsn } from '#src/vault/card/dukpt-tdes.js';
import { cryptogramInput, cryptogramVersions, versionOf } from '#src/vault/card/emv-profiles.js';
import { openKeyBlock, wrapKeyBlock } from '#src/vault/card/key-block.js';
import { cmac, keyCheckValue, pad, retailMac } from '#src/vault/card/mac.js';
import { decipherPinBlock4, decodePinBlock } from '#src/vault/card/pin-block.js';
import { fitsPan } from '#src/vault/card/pin-reference.js';
import { bytes, digits, hex, tags, text } from '../hsm/support.js';
import { golden } from './golden.js';

const tdes = (key: string): TdesKey => new TdesKey(bytes(key));
const aes = (key: string): AesKey => new AesKey(bytes(key));

describe('CMAC', () => {
  const message =
    '6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E5130C81C46A35CE411E5FBC1191A0A52EFF69F2445DF4F9B17AD2B417BE66C3710';
  // RFC 4493, section 4, and NIST SP 800-38B, appendix D.
  it.each([
    ['2B7E151628AED2A6ABF7158809CF4F3C', 0, 'BB1D6929E95937287FA37D129B756746'],
    ['2B7E151628AED2A6ABF7158809CF4F3C', 16, '070A16B46B4D4144F79BDD9DD04A287C'],
    ['2B7E151628AED2A6ABF7158809CF4F3C', 40, 'DFA66747DE9AE63030CA32611497C827'],
    ['2B7E151628AED2A6ABF7158809CF4F3C', 64, '51F0BEBF7E3B9D92FC49741779363CFE'],
    ['603DEB1015CA71BE2B73AEF0857D77811F352C073B6108D72D9810A30914DFF4', 0, '028962F61B7BF89EFC6B551F4667D983'],
    ['603DEB1015CA71BE2B73AEF0857D77811F352C073B6108D72D9810A30914DFF4', 64, 'E1992190549F6ED5696A2C056C315410'],
  ])('AES %s over %i bytes', (key, length, mac) => {
    expect(hex(cmac(aes(key), bytes(message).subarray(0, length)))).toBe(mac);
  });

  it('TDES over a text', () => {
    expect(hex(cmac(tdes(golden.keys.mac), bytes(golden.macs.data)))).toBe(golden.macs.cmacTdes);
  });
});

describe('keys', () => {
  it.each(Object.entries(golden.kcv))('check value of %s', (name, kcv) => {
    const key = golden.keys[name as keyof typeof golden.keys];
    expect(keyCheckValue(name === 'zpkAes' ? aes(key) : tdes(key))).toBe(kcv);
  });

  it('show nothing of themselves and do nothing once destroyed', () => {
    const key = tdes(golden.keys.cvk);
    expect(inspect(key)).toBe('TdesKey(128)');
    expect(JSON.stringify({ key })).toBe('{"key":"TdesKey(128)"}');
    const memory = key.bytes;
    key.left.encrypt(Buffer.alloc(8));
    key.destroy();
    expect(memory.every((byte) => byte === 0)).toBe(true);
    expect(() => key.encrypt(Buffer.alloc(8))).toThrow('destroyed');
  });

  it('refuse other lengths and parts of blocks', () => {
    expect(() => new TdesKey(Buffer.alloc(12))).toThrow(RangeError);
    expect(() => new AesKey(Buffer.alloc(8))).toThrow(RangeError);
    for (const work of ['encrypt', 'decrypt', 'chain'] as const) {
      expect(() => tdes(golden.keys.cvk)[work](Buffer.alloc(9))).toThrow('whole blocks');
      expect(() => aes(golden.keys.bdkAes)[work](Buffer.alloc(0))).toThrow('whole blocks');
    }
  });

  it('chain from zero each time, whatever was chained before', () => {
    const key = tdes(golden.keys.mac);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), fc.constantFrom(1, 2, 3), (data, padding) => {
        const fresh = tdes(golden.keys.mac);
        expect(hex(retailMac(key, data, padding as 1))).toBe(hex(retailMac(fresh, data, padding as 1)));
        expect(hex(cmac(key, data))).toBe(hex(cmac(fresh, data)));
      }),
      { numRuns: 50 },
    );
  });
});

describe('padding (ISO/IEC 9797-1)', () => {
  it.each([
    [1, '', '0000000000000000'],
    [1, '0102030405060708', '0102030405060708'],
    [1, '010203040506070809', '01020304050607080900000000000000'],
    [2, '', '8000000000000000'],
    [2, '01020304050607', '0102030405060780'],
    [2, '0102030405060708', '01020304050607088000000000000000'],
    [3, '0102', '00000000000000100102000000000000'],
  ] as const)('method %i of %s', (method, data, padded) => expect(hex(pad(bytes(data), method, 8))).toBe(padded));
});

describe('decimalisation', () => {
  it.each([
    ['0A1B2C3D', 3, '012'],
    ['ABCDEF12', 4, '1201'],
    ['FFFFFFFF', 3, '555'],
  ])('%s to %i digits', (block, count, result) => expect(text(decimalise(bytes(block), count))).toBe(result));

  it.each([
    ['1234567890123456', true],
    ['8351296477461538', true],
    ['0123456701234567', true],
    ['0123456012345601', false],
    ['0000012345678901', false],
    ['0000000000000000', false],
    ['012345678901234', false],
    ['01234567890123 5', false],
  ])('table %s is sound: %s', (table, sound) => expect(isSoundTable(digits(table))).toBe(sound));

  it.each([
    [0, 16, 'F', true],
    [4, 11, '0', true],
    [1, 16, 'F', false],
    [-1, 4, 'F', false],
    [0, 0, 'F', false],
    [0.5, 4, 'F', false],
    [0, 4, 'G', false],
    [0, 4, '', false],
  ])('validation data from %d, %d digits, pad %s, of 16 digits: %s', (start, length, pad, fits) =>
    expect(fitsPan({ start, length, pad }, 16)).toBe(fits),
  );
});

describe('clear PIN blocks', () => {
  /** With a card number of zeros the blocks of formats 0 and 3 stand as they are. */
  const zeros = digits('0000000000000000');
  it.each([
    [0, '041234FFFFFFFFFF', '1234'],
    [0, '0C123456789012FF', '123456789012'],
    [0, '041234FFFFFFFFFE', ''],
    [0, '041234AFFFFFFFFF', ''],
    [0, '0412345FFFFFFFFF', ''],
    [0, '03123FFFFFFFFFFF', ''],
    [0, '0D1234567890123F', ''],
    [0, '0F12345678901234', ''],
    [0, '04123AFFFFFFFFFF', ''],
    [0, '141234FFFFFFFFFF', ''],
    [0, '341234FFFFFFFFFF', ''],
    [1, '1412340123456789', '1234'],
    [1, '141234FFFFFFFFFF', '1234'],
    [1, '041234FFFFFFFFFF', ''],
    [1, '14123BFFFFFFFFFF', ''],
    [1, '1D12345678901234', ''],
    [3, '341234ABCDEFABCD', '1234'],
    [3, '3412349BCDEFABCD', ''],
    [3, '341234ABCDEFABC0', ''],
    [3, '3C123456789012AF', '123456789012'],
    [3, '041234FFFFFFFFFF', ''],
  ] as const)('format %i, %s holds %s', (format, block, expected) => {
    const pin = Buffer.alloc(12);
    const length = decodePinBlock(format, bytes(block), zeros, pin);
    expect(text(pin.subarray(0, length))).toBe(expected);
    if (length === 0) expect(pin.every((byte) => byte === 0)).toBe(true);
  });

  /** Without a PAN part format 4 is two encipherments; a card number of zeros still has its length in front. */
  it.each([
    ['441234AAAAAAAAAA', '1234'],
    ['4C123456789012AA', '123456789012'],
    ['441234AAAAAAAAAB', ''],
    ['441234FAAAAAAAAA', ''],
    ['43123AAAAAAAAAAA', ''],
    ['4D1234567890123A', ''],
    ['44123AAAAAAAAAAA', ''],
    ['341234AAAAAAAAAA', ''],
  ])('format 4, %s holds %s', (field, expected) => {
    const key = aes(golden.keys.zpkAes);
    const inner = key.encrypt(bytes(`${field}0011223344556677`));
    inner[0]! ^= 0x40;
    const pin = Buffer.alloc(12);
    const length = decipherPinBlock4(key, key.encrypt(inner), zeros, pin);
    expect(text(pin.subarray(0, length))).toBe(expected);
  });
});

describe('cryptogram versions', () => {
  it.each(golden.emv.filter(([, pan]) => pan.length === 16))(
    '%s is read from the application data',
    (version, _pan, iad) => {
      expect(versionOf(version.startsWith('visa') ? 'visa' : 'mchip', bytes(iad))).toBe(version);
    },
  );

  it('there is a known value of each', () => {
    expect(new Set(golden.emv.map(([version]) => version))).toEqual(new Set(cryptogramVersions));
  });

  it('others are none', () => {
    expect(versionOf('visa', bytes('06010B03A00000'))).toBeUndefined();
    expect(versionOf('mchip', bytes('0130A40003220000BEEF'))).toBeUndefined();
    expect(versionOf('visa', bytes(''))).toBeUndefined();
  });

  it('an input with a missing or odd element is none', () => {
    const iad = bytes('06010A03A4B000');
    expect(cryptogramInput('visa_cvn10', tags, iad)).toBeDefined();
    expect(cryptogramInput('visa_cvn10', { ...tags, '95': bytes('00') }, iad)).toBeUndefined();
    const { '9F37': _un, ...others } = tags;
    expect(cryptogramInput('visa_cvn10', others, iad)).toBeUndefined();
    expect(cryptogramInput('visa_cvn10', tags, iad.subarray(0, 6))).toBeUndefined();
    expect(cryptogramInput('visa_cvn18', tags, Buffer.alloc(33))).toBeUndefined();
  });
});

describe('key serial numbers', () => {
  it.each([
    ['FFFF9876543210E00001', true],
    ['FFFF9876543210E00000', false],
    ['FFFF9876543210EFF801', true],
    ['FFFF9876543210FFF801', false],
    ['FFFF9876543210E001', false],
  ])('TDES %s: %s', (ksn, sound) => expect(isTdesKsn(bytes(ksn))).toBe(sound));

  it.each([
    ['112233445566778800000001', true],
    ['112233445566778800000000', false],
    ['1122334455667788FFFF0000', true],
    ['1122334455667788FFFF0001', false],
    ['1122334455667788', false],
  ])('AES %s: %s', (ksn, sound) => expect(isAesKsn(bytes(ksn))).toBe(sound));
});

describe('key blocks', () => {
  const kbpkOf = (version: string, key: string): TdesKey | AesKey => (version === 'D' ? aes(key) : tdes(key));

  it.each(golden.keyBlocks)(
    'version %s is opened',
    (version, kbpk, block, usage, algorithm, mode, exportability, key) => {
      const opened = openKeyBlock(kbpkOf(version, kbpk), block);
      expect(opened).toMatchObject({ blockVersion: version, usage, algorithm, mode, exportability });
      expect(typeof opened === 'object' && hex(opened.key)).toBe(key);
    },
  );

  it('optional blocks are read', () => {
    const [version, kbpk, block] = golden.keyBlocks[1];
    const opened = openKeyBlock(kbpkOf(version, kbpk), block);
    expect(typeof opened === 'object' && opened.options).toEqual([
      ['KS', '1234ABCD'],
      ['PB', '00000000'],
    ]);
  });

  it.each(golden.keyBlocks)('version %s: each flipped bit of each character is refused', (version, kbpk, block) => {
    const key = kbpkOf(version, kbpk);
    for (let at = 0; at < block.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = String.fromCharCode(block.charCodeAt(at) ^ (1 << bit));
        const opened = openKeyBlock(key, block.slice(0, at) + changed + block.slice(at + 1), ['A', 'B', 'C', 'D']);
        expect(['malformed', 'authentication', 'weak_protection'], `character ${at}, bit ${bit}`).toContain(opened);
      }
    }
  });

  it('a key in the block of another one, cut blocks and other protection keys are refused', () => {
    const [version, kbpk, block] = golden.keyBlocks[2];
    const key = aes(kbpk);
    const other = wrapKeyBlock(
      key,
      { usage: 'P0', algorithm: 'A', mode: 'B', version: '00', exportability: 'E' },
      bytes(golden.keys.mac),
    );
    expect(version).toBe('D');
    expect(other).toHaveLength(112);
    // The other key's ciphertext under this header, and its MAC under this ciphertext.
    expect(openKeyBlock(key, `D0112${other.slice(5, 16)}${block.slice(16, 80)}${other.slice(80)}`)).toBe(
      'authentication',
    );
    expect(openKeyBlock(key, block.slice(0, -2))).toBe('malformed');
    expect(openKeyBlock(key, `${block}00`)).toBe('malformed');
    expect(openKeyBlock(key, '')).toBe('malformed');
    expect(openKeyBlock(aes(golden.keys.zpkAes), block)).toBe('authentication');
    expect(openKeyBlock(tdes(golden.keys.cvk), block)).toBe('malformed');
  });

  it.each(golden.oldKeyBlocks)('version %s is read only when it is asked for', (version, kbpk, block, key) => {
    const opened = openKeyBlock(tdes(kbpk), block, [version]);
    expect(typeof opened === 'object' && hex(opened.key)).toBe(key);
    expect(openKeyBlock(tdes(kbpk), block)).toBe('malformed');
    expect(openKeyBlock(tdes(kbpk), block.replace('M3TC', 'M3TG'), [version])).toBe('authentication');
  });

  it('no key is wrapped under a weaker one', () => {
    const weak = aes(golden.keys.bdkAes);
    const attributes = { usage: 'P0', algorithm: 'A', mode: 'B', version: '00', exportability: 'E' };
    expect(wrapKeyBlock(weak, attributes, bytes(golden.keys.zpkAes))).toBe('weak_protection');
  });

  it('what is wrapped is opened again, and no two blocks of a key are equal', () => {
    const arbitraryKey = fc.oneof(
      ...[16, 24, 32].map((length) => fc.uint8Array({ minLength: length, maxLength: length })),
    );
    const kbpk = aes(golden.keyBlocks[2][1]);
    fc.assert(
      fc.property(
        arbitraryKey,
        fc.constantFrom('C0', 'P0', 'E0'),
        fc.constantFrom('B', 'X', 'N'),
        (key, usage, mode) => {
          const attributes = { usage, algorithm: 'A', mode, version: '01', exportability: 'S' };
          const block = wrapKeyBlock(kbpk, attributes, key);
          const opened = openKeyBlock(kbpk, block);
          expect(opened).toMatchObject(attributes);
          expect(typeof opened === 'object' && hex(opened.key)).toBe(hex(key));
          expect(wrapKeyBlock(kbpk, attributes, key)).not.toBe(block);
        },
      ),
      { numRuns: 50 },
    );
  });
});
