/** Keys of the port: one purpose each, and which are taken in. */
import { describe, expect, it } from 'vitest';
import { declineCode } from '#src/vault/hsm/decline.js';
import { keyRoles } from '#src/vault/hsm/key-policy.js';
import type { HsmRequest } from '#src/vault/hsm/port.js';
import { SoftKeys } from '#src/vault/hsm/soft-keys.js';
import { golden } from '../card/golden.js';
import { bytes, digits, keyring, nameOf, newHsm, newKeys, PAN, requests, verifyPin } from './support.js';

const hsm = newHsm();

describe('one purpose per key', () => {
  /** Fields that name a key, at any depth. */
  function keyFields(value: object, path: string[] = []): string[][] {
    return Object.entries(value).flatMap(([name, field]: [string, unknown]) => {
      if (['key', 'toKey', 'acKey', 'macKey', 'encipherKey', 'protection'].includes(name) && typeof field === 'string')
        return [[...path, name]];
      return typeof field === 'object' && field !== null && !(field instanceof Uint8Array)
        ? keyFields(field, [...path, name])
        : [];
    });
  }
  const withField = (value: object, [name, ...rest]: string[], key: string): object => ({
    ...value,
    [name!]: rest.length === 0 ? key : withField((value as Record<string, object>)[name!]!, rest, key),
  });
  const at = (value: object, [name, ...rest]: string[]): string => {
    const field = (value as Record<string, unknown>)[name!];
    return rest.length === 0 ? String(field) : at(field as object, rest);
  };
  const usageOf = (id: string): string => {
    const [, { usage, algorithm }] = keyring.find(([name]) => name === id)!;
    return usage + algorithm;
  };
  /** dCVV may come from either of two keys of a card, and a key block under either cipher is told apart by its version. */
  const alsoRight = new Map([['verify_dcvv', 'E4T']]);

  const cases = requests
    .filter(({ op }) => op !== 'describe_key')
    .flatMap((request) => keyFields(request).map((path) => [request.op, path.join('.'), request, path] as const));

  it.each(cases)('%s, %s: a key of every other usage or cipher is refused', (op, _name, request, path) => {
    for (const [id] of keyring) {
      if (usageOf(id) === usageOf(at(request, path)) || usageOf(id) === alsoRight.get(op)) continue;
      const verdict = newHsm().answer(withField(request, path, id) as HsmRequest);
      expect(op === 'import_key' && usageOf(id) === 'K1A' ? 'key_not_usable' : nameOf(verdict), id).toBe(
        'key_not_usable',
      );
      expect(declineCode(op, verdict)).toBe('96');
    }
    expect(nameOf(hsm.answer(withField(request, path, 'nobody') as HsmRequest))).toBe('key_not_usable');
  });

  it('a mode of use binds: a key that verifies makes nothing, a key that enciphers deciphers nothing', () => {
    const keys = new SoftKeys();
    keys.add('cvk', { usage: 'C0', algorithm: 'T', mode: 'V' }, bytes(golden.keys.cvk));
    keys.add('pvk', { usage: 'V2', algorithm: 'T', mode: 'V' }, bytes(golden.keys.pvk));
    keys.add('in', { usage: 'P0', algorithm: 'T', mode: 'D' }, bytes(golden.keys.zpk));
    keys.add('out', { usage: 'P0', algorithm: 'T', mode: 'E' }, bytes(golden.keys.zpk));
    const own = newHsm(keys);
    const pin = { ...verifyPin().pin, key: 'in' };
    expect(nameOf(own.answer({ ...verifyPin(), pin }))).toBe('ok');
    expect(nameOf(own.answer({ ...verifyPin(), pin: { ...pin, key: 'out' } }))).toBe('key_not_usable');
    expect(nameOf(own.answer({ op: 'set_pin', pan: digits(PAN), pin, method: verifyPin().method }))).toBe(
      'key_not_usable',
    );
    const translate = { op: 'translate_pin', pan: digits(PAN), pin, toFormat: 0 } as const;
    expect(nameOf(own.answer({ ...translate, toKey: 'out' }))).toBe('ok');
    expect(nameOf(own.answer({ ...translate, toKey: 'in' }))).toBe('key_not_usable');
  });

  it('a cipher binds: an AES key computes no CVV, a TDES key wraps no key', () => {
    const keys = newKeys();
    keys.add('cvk aes', { usage: 'C0', algorithm: 'A', mode: 'C' }, bytes(golden.keys.bdkAes));
    keys.add('wrap tdes', { usage: 'K1', algorithm: 'T', mode: 'B' }, bytes(golden.keys.cvk));
    keys.add('out', { usage: 'C0', algorithm: 'T', mode: 'C', exportability: 'E' }, bytes(golden.keys.mac));
    const own = newHsm(keys);
    expect(nameOf(own.answer({ ...requests[0]!, key: 'cvk aes' } as HsmRequest))).toBe('key_not_usable');
    expect(nameOf(own.answer({ op: 'export_key', protection: 'wrap tdes', key: 'out' }))).toBe('key_not_usable');
    expect(nameOf(own.answer({ op: 'export_key', protection: 'kbpk', key: 'out' }))).toBe('ok');
  });

  it.each([
    ['single DES', { usage: 'C0', algorithm: 'T', mode: 'C' }, '0123456789ABCDEF'],
    ['two equal halves', { usage: 'P0', algorithm: 'T', mode: 'B' }, '0123456789ABCDEF0123456789ABCDEF'],
    [
      'halves that differ in parity alone',
      { usage: 'P0', algorithm: 'T', mode: 'B' },
      '0123456789ABCDEF0022446688AACCEE',
    ],
    ['K2 = K3', { usage: 'P0', algorithm: 'T', mode: 'B' }, '0123456789ABCDEFFEDCBA9876543210FEDCBA9876543210'],
    [
      'three parts where two are defined',
      { usage: 'C0', algorithm: 'T', mode: 'C' },
      `${golden.keys.cvk}${golden.keys.pvk}`.slice(0, 48),
    ],
    ['an AES key of 8 bytes', { usage: 'P0', algorithm: 'A', mode: 'B' }, '0123456789ABCDEF'],
    ['an unknown usage', { usage: 'Z9', algorithm: 'T', mode: 'B' }, golden.keys.cvk],
    ['an unknown mode', { usage: 'C0', algorithm: 'T', mode: 'Q' }, golden.keys.cvk],
    ['an unknown exportability', { usage: 'C0', algorithm: 'T', mode: 'C', exportability: 'Q' }, golden.keys.cvk],
    ['a wrong check value', { usage: 'C0', algorithm: 'T', mode: 'C', kcv: 'A3A8F1' }, golden.keys.cvk],
    ['a check value of two digits', { usage: 'C0', algorithm: 'T', mode: 'C', kcv: 'A3' }, golden.keys.cvk],
  ] as const)('%s is not taken in', (_what, purpose, key) => {
    const keys = new SoftKeys();
    expect(nameOf(keys.add('k', purpose, bytes(key)))).toBe('key_not_usable');
    expect(keys.info('k')).toBeUndefined();
  });

  it('a key is not replaced, one without name or exportability stays, and a cleared table has none', () => {
    const keys = newKeys();
    expect(nameOf(keys.add('cvk', { usage: 'C0', algorithm: 'T', mode: 'C' }, bytes(golden.keys.mac)))).toBe(
      'not_allowed',
    );
    expect(nameOf(keys.add('', { usage: 'C0', algorithm: 'T', mode: 'C' }, bytes(golden.keys.mac)))).toBe(
      'bad_request',
    );
    expect(keys.info('cvk')?.kcv).toBe(golden.kcv.cvk);
    expect(nameOf(keys.wrap('kbpk', 'cvk'))).toBe('not_allowed');
    expect(nameOf(keys.wrap('kbpkt', 'cvk'))).toBe('key_not_usable');
    keys.clear();
    expect(nameOf(keys.wrap('kbpk', 'cvk'))).toBe('key_not_usable');
  });

  it('a block whose header tells another usage, or that is no block, does not come in', () => {
    const [, , block] = golden.keyBlocks[0];
    const take = (changed: string): string =>
      nameOf(newHsm().answer({ op: 'import_key', protection: 'kbpkt', block: changed, as: 'new' }));
    expect(take(block)).toBe('ok');
    expect(take(block.replace('C0TV', 'V2TV'))).toBe('key_not_usable');
    expect(take(block.slice(0, 40))).toBe('bad_request');
    expect(take(`A${block.slice(1)}`)).toBe('bad_request');
  });

  it('every usage of a role can come in', () => {
    const keys = new SoftKeys();
    for (const [role, { usages, algorithms, modes }] of Object.entries(keyRoles)) {
      for (const usage of usages)
        for (const algorithm of algorithms) {
          const id = `${role} ${usage} ${algorithm}`;
          expect(nameOf(keys.add(id, { usage, algorithm, mode: modes[0]! }, bytes(golden.keys.cvk))), id).toBe('ok');
        }
    }
  });
});
