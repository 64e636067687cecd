/** Known values through the port, in software. */
import { describe, expect, it } from 'vitest';
import { TdesKey } from '#src/vault/card/block-key.js';
import type { CryptogramVersion } from '#src/vault/card/emv-profiles.js';
import { golden } from '../card/golden.js';
import {
  answerOf,
  arqcOf,
  bytes,
  digits,
  hex,
  nameOf,
  newHsm,
  PAN,
  requests,
  text,
  valueIn,
  verifyPin,
} from './support.js';

const hsm = newHsm();
const zone = new TdesKey(bytes(golden.keys.zpk));
/** A clear block under the zone key. */
const encipher = (block: Buffer): Buffer => zone.encrypt(block);

describe('every operation', () => {
  it.each(requests.map((request) => [request.op, request] as const))('%s is answered ok', (_op, request) => {
    expect(nameOf(newHsm().answer(request))).toBe('ok');
  });
});

describe('verification values', () => {
  it.each(golden.cvv)('CVV of %s, %s, service code %s', (pan, expiry, serviceCode, cvv) => {
    const card = { key: 'cvk', pan: digits(pan), expiry, serviceCode };
    expect(text(valueIn(hsm.answer({ op: 'generate_cvv', ...card })))).toBe(cvv);
    expect(nameOf(hsm.answer({ op: 'verify_cvv', ...card, cvv: digits(cvv) }))).toBe('ok');
  });

  it('of stripe, print and chip differ', () => {
    expect(new Set(golden.cvv.slice(0, 3).map(([, , , cvv]) => cvv)).size).toBe(3);
  });

  it.each([3, 4, 5])('CVC3: its last %i digits, from track data or from its IV', (count) => {
    const request = requests.find(({ op }) => op === 'verify_cvc3')!;
    expect(request.op).toBe('verify_cvc3');
    if (request.op !== 'verify_cvc3') return;
    const cvc3 = digits(golden.cvc3[5].slice(-count));
    expect(nameOf(hsm.answer({ ...request, cvc3 }))).toBe('ok');
    expect(nameOf(hsm.answer({ ...request, cvc3, track: bytes(golden.cvc3[6]) }))).toBe('ok');
    cvc3[0]! ^= 1;
    expect(nameOf(hsm.answer({ ...request, cvc3 }))).toBe('mismatch');
  });
});

describe('PINs', () => {
  it.each(golden.pinBlocks)('block of format %i, card %s, PIN %s', (format, pan, pin, block) => {
    const found = golden.pvv.find((row) => row[0] === pan && row[2] === pin);
    const keyIndex = found?.[1] ?? 1;
    const method = { method: 'pvv', key: 'pvk', keyIndex } as const;
    const enciphered = { key: format === 4 ? 'zpk4' : 'zpk', format, block: bytes(block) };
    const reference = valueIn(hsm.answer({ op: 'set_pin', pan: digits(pan), pin: enciphered, method }));
    if (found !== undefined) expect(text(reference)).toBe(found[3]);
    const request = { op: 'verify_pin', pan: digits(pan), pin: enciphered, method, reference } as const;
    expect(nameOf(hsm.answer(request))).toBe('ok');
  });

  it.each(golden.ibm)(
    'IBM 3624 offset of %s from %i, %i digits, pad %s, PIN %s',
    (pan, start, length, pad, pin, offset) => {
      // The PIN comes in as a block that the adapter itself makes: format 1 binds no card.
      const block = bytes(`1${pin.length.toString(16)}${pin}`.padEnd(16, '0'));
      const keys = newHsm();
      const method = {
        method: 'ibm3624',
        key: 'ibm',
        table: digits(golden.table),
        validation: { start, length, pad },
      } as const;
      const enciphered = { key: 'zpk', format: 1, block: encipher(block) } as const;
      const request = { pan: digits(pan), pin: enciphered, method } as const;
      expect(text(valueIn(keys.answer({ op: 'set_pin', ...request })))).toBe(offset);
      expect(nameOf(keys.answer({ op: 'verify_pin', ...request, reference: digits(offset) }))).toBe('ok');
    },
  );

  it('a PIN change answers the new value when the PIN of now is right, and nothing else when it is not', () => {
    const newBlock = encipher(bytes('149999F0F0F0F0F0'));
    const request = { ...verifyPin(1), op: 'change_pin', newBlock } as const;
    const value = valueIn(hsm.answer(request));
    const next = { ...verifyPin(1), pin: { ...verifyPin(1).pin, block: newBlock }, reference: value };
    expect(nameOf(hsm.answer(next))).toBe('ok');
    expect(nameOf(hsm.answer({ ...next, reference: digits('4232') }))).toBe('mismatch');
    expect(hsm.answer({ ...request, reference: digits('4233') })).toEqual({ outcome: 'mismatch' });
  });

  it.each([
    ['bdk', 0, golden.dukptTdes],
    ['bdka', 4, golden.dukptAes],
  ] as const)('under a terminal key of %s', (key, format, { ksn, pinBlock }) => {
    const pin = { key, ksn: bytes(ksn), format, block: bytes(pinBlock) };
    expect(nameOf(hsm.answer({ ...verifyPin(), pin }))).toBe('ok');
    const next = bytes(ksn);
    next[next.length - 1]! ^= 1;
    expect(nameOf(hsm.answer({ ...verifyPin(), pin: { ...pin, ksn: next } }))).toBe('pin_unreadable');
  });
});

describe.each(golden.emv)('%s of card %s', (version, pan, _iad, arqc, arpc, mac, pinChange, withCurrent) => {
  const row = golden.emv.find((one) => one[0] === version && one[1] === pan)!;
  const card = {
    version: version as CryptogramVersion,
    pan: digits(pan),
    psn: digits('01'),
    atc: bytes('0123'),
    arqc: bytes(arqc),
  };
  const pinOf = (clear: string): Buffer => encipher(bytes(clear));

  it('cryptogram and answer', () => {
    const request = arqcOf(row);
    expect(hex(valueIn(hsm.answer(request)))).toBe(arpc);
    expect(hex(valueIn(hsm.answer(answerOf(row))))).toBe(arpc);
    const { responseCode: _code, cardStatus: _status, proprietary: _own, ...silent } = request;
    expect(hsm.answer(silent)).toEqual({ outcome: 'ok' });
  });

  it('scripts', () => {
    const header = bytes('8418000008');
    const scripted = hsm.answer({ op: 'script_mac', key: 'smi', ...card, header, data: new Uint8Array(0) });
    expect(hex(valueIn(scripted))).toBe(mac);
    const keys = { acKey: 'imk', macKey: 'smi', encipherKey: 'smc' };
    const pin = { key: 'zpk', format: 1, block: pinOf('149876FFFFFFFFFF') } as const;
    const change = { op: 'script_pin_change', ...keys, ...card, pin } as const;
    expect(hex(valueIn(hsm.answer(change)))).toBe(pinChange);
    const current = hsm.answer({ ...change, currentBlock: pinOf('144321FFFFFFFFFF') });
    if (withCurrent === '') expect(nameOf(current)).toBe('bad_request');
    else expect(hex(valueIn(current))).toBe(withCurrent);
  });
});

describe('MACs', () => {
  const data = bytes(golden.macs.data);
  it.each([
    ['mac', 'retail', 1, golden.macs.retail1],
    ['mac', 'retail', 2, golden.macs.retail2],
    ['mac1', 'cbc', 2, golden.macs.cbc2],
    ['cmac', 'cmac', 1, golden.macs.cmacAes],
    ['cmact', 'cmac', 1, golden.macs.cmacTdes],
  ] as const)('of %s: %s, padding %i', (key, algorithm, padding, mac) => {
    for (const length of [4, mac.length / 2]) {
      const request = { key, algorithm, padding, length, data } as const;
      expect(hex(valueIn(hsm.answer({ op: 'generate_mac', ...request })))).toBe(mac.slice(0, length * 2));
      const verified = hsm.answer({ op: 'verify_mac', ...request, mac: bytes(mac.slice(0, length * 2)) });
      expect(nameOf(verified)).toBe('ok');
    }
  });

  it.each([
    ['bdk', 'retail', 4, golden.dukptTdes],
    ['bdka', 'cmac', 16, golden.dukptAes],
  ] as const)('of a terminal, %s', (key, algorithm, length, { ksn, macRequest, macResponse }) => {
    const request = { key, ksn: bytes(ksn), algorithm, padding: 1, length, data } as const;
    const answer = { ...request, op: 'generate_mac', direction: 'response' } as const;
    expect(hex(valueIn(hsm.answer(answer)))).toBe(macResponse);
    const question = { ...request, op: 'verify_mac', direction: 'request', mac: bytes(macRequest) } as const;
    expect(nameOf(hsm.answer(question))).toBe('ok');
    expect(nameOf(hsm.answer({ ...question, mac: bytes(macResponse) }))).toBe('mismatch');
  });
});

describe('keys', () => {
  it('a key block comes in with what it is for, and goes out when it is exportable', () => {
    const [, , block, usage] = golden.keyBlocks[0];
    const own = newHsm();
    const imported = own.answer({ op: 'import_key', protection: 'kbpkt', block, as: 'new cvk' });
    expect(imported).toMatchObject({ outcome: 'ok', key: { id: 'new cvk', usage, bits: 128, kcv: golden.kcv.cvk } });
    const card = { pan: digits(PAN), expiry: '2912', serviceCode: '201' };
    const request = { op: 'verify_cvv', key: 'new cvk', ...card, cvv: digits('117') } as const;
    expect(nameOf(own.answer({ ...request, key: 'another' }))).toBe('key_not_usable');
    // The block says V: this key verifies and makes none.
    expect(nameOf(own.answer(request))).toBe('ok');
    expect(nameOf(own.answer({ ...request, op: 'generate_cvv' }))).toBe('key_not_usable');
    const exported = own.answer({ op: 'export_key', protection: 'kbpk', key: 'new cvk' });
    expect(exported.outcome === 'ok' && exported.block).toMatch(/^D0112C0TV00E0000[0-9A-F]{96}$/);
    const again = exported.outcome === 'ok' ? exported.block! : '';
    expect(own.answer({ op: 'import_key', protection: 'kbpk', block: again, as: 'again' })).toMatchObject({
      key: { id: 'again', kcv: golden.kcv.cvk, exportability: 'E' },
    });
  });
});
