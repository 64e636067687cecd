/** What must be refused, and with which answer to the network. */
import { inspect } from 'node:util';
import fc from 'fast-check';
import { pack, unpack } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { counterVerdict, highestCounter } from '#src/domain/chip-counter.js';
import { AesKey, TdesKey } from '#src/vault/card/block-key.js';
import { encipherPinBlock4, encodePinBlock, mayTranslate, type PinBlockFormat } from '#src/vault/card/pin-block.js';
import { countsPinTry, declineCode } from '#src/vault/hsm/decline.js';
import { type HsmRequest, type HsmVerdict, hsmFailures, type VerifyPin, wipeRequest } from '#src/vault/hsm/port.js';
import { SoftHsm } from '#src/vault/hsm/soft-hsm.js';
import { SoftPins } from '#src/vault/hsm/soft-pins.js';
import { golden } from '../card/golden.js';
import {
  answerOf,
  arqcOf,
  bytes,
  digits,
  hex,
  nameOf,
  newHsm,
  newKeys,
  OTHER_PAN,
  PAN,
  PAN19,
  requests,
  text,
  valueIn,
  verifyPin,
} from './support.js';

const hsm = newHsm();
const codeOf = (request: HsmRequest): string | undefined => declineCode(request.op, hsm.answer(request));
const flipped = (value: Uint8Array, bit: number): Buffer => {
  const copy = Buffer.from(value);
  copy[bit >> 3]! ^= 0x80 >> (bit & 7);
  return copy;
};

describe('changed bits', () => {
  it.each(golden.emv)('%s of card %s: every bit of the cryptogram and of what was signed, 88', (version, pan) => {
    const request = arqcOf(golden.emv.find((row) => row[0] === version && row[1] === pan)!);
    expect(codeOf(request)).toBeUndefined();
    for (let bit = 0; bit < 64; bit++) expect(codeOf({ ...request, arqc: flipped(request.arqc, bit) })).toBe('88');
    for (let bit = 0; bit < request.data.length * 8; bit++)
      expect(codeOf({ ...request, data: flipped(request.data, bit) })).toBe('88');
  });

  it.each([0, 1, 3, 4] as const)('PIN block of format %i: every bit is 81 or 55, never right', (format) => {
    const request = verifyPin(format);
    const codes = new Map<string | undefined, number>();
    for (let bit = 0; bit < request.pin.block.length * 8; bit++) {
      const code = codeOf({ ...request, pin: { ...request.pin, block: flipped(request.pin.block, bit) } });
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    expect([...codes.keys()].every((code) => code === '81' || code === '55')).toBe(true);
    expect(codes.get('81')).toBeGreaterThan(request.pin.block.length * 7);
  });

  it('MAC: every bit of it and of its data', () => {
    const data = bytes(golden.macs.data);
    const request = { op: 'verify_mac', key: 'mac', algorithm: 'retail', padding: 1, length: 8 } as const;
    const mac = bytes(golden.macs.retail1);
    expect(nameOf(hsm.answer({ ...request, data, mac }))).toBe('ok');
    for (let bit = 0; bit < 64; bit++)
      expect(nameOf(hsm.answer({ ...request, data, mac: flipped(mac, bit) }))).toBe('mismatch');
    for (let bit = 0; bit < data.length * 8; bit++)
      expect(nameOf(hsm.answer({ ...request, data: flipped(data, bit), mac }))).toBe('mismatch');
  });

  it('CVV: each other value of three digits', () => {
    const request = { op: 'verify_cvv', key: 'cvk', pan: digits(PAN), expiry: '2912', serviceCode: '201' } as const;
    const right = Array.from({ length: 1000 }, (_, i) => String(i).padStart(3, '0')).filter(
      (cvv) => codeOf({ ...request, cvv: digits(cvv) }) === undefined,
    );
    expect(right).toEqual(['117']);
    expect(codeOf({ ...request, cvv: digits('118') })).toBe('82');
    expect(codeOf({ ...request, expiry: '1229', cvv: digits('117') })).toBe('82');
  });
});

describe('what belongs to another card or another transaction', () => {
  it('a PIN block of another card', () => {
    for (const format of [0, 3] as const)
      expect(codeOf({ ...verifyPin(format), pan: digits(OTHER_PAN) })).toMatch(/^(55|81)$/);
    expect(codeOf({ ...verifyPin(4), pan: digits(OTHER_PAN) })).toBe('81');
  });

  it('PIN blocks of two cards, swapped: neither is right', () => {
    // PIN 4321 of the other card, enciphered under the same key.
    const swapped = new TdesKey(bytes(golden.keys.zpk)).encrypt(
      encodePinBlock(0, digits('1234'), digits('9999990000099925'), () => undefined),
    );
    expect(codeOf({ ...verifyPin(), pin: { ...verifyPin().pin, block: swapped } })).toBe('81');
    expect(codeOf({ ...verifyPin(), pin: { ...verifyPin().pin, key: 'zpk2' } })).toBe('81');
  });

  it('a cryptogram sent again with another counter, amount, number or card', () => {
    for (const row of golden.emv) {
      const request = arqcOf(row);
      const session = !['visa_cvn10', 'visa_cvn17'].includes(request.version);
      // Where there is no session key the counter is in the signed data alone.
      if (session) expect(codeOf({ ...request, atc: bytes('0124') })).toBe('88');
      expect(codeOf({ ...request, pan: digits(OTHER_PAN) })).toBe('88');
      expect(codeOf({ ...request, psn: digits('02') })).toBe('88');
      expect(codeOf({ ...request, key: 'smi' })).toBe('96');
    }
    for (const version of ['mchip_cvn16', 'mchip_cvn17'] as const) {
      const request = arqcOf(golden.emv.find((row) => row[0] === version)!);
      expect(codeOf({ ...request, un: bytes('5EEDCAFF') })).toBe('88');
    }
  });

  it('the same cryptogram again is genuine; the counter tells that it is not new', () => {
    const request = arqcOf(golden.emv[0]);
    let highest = -1;
    for (const verdict of ['fresh', 'replayed', 'replayed'] as const) {
      expect(codeOf(request)).toBeUndefined();
      const counter = Buffer.from(request.atc).readUInt16BE();
      expect(counterVerdict(counter, highest, 100)).toBe(verdict);
      highest = highestCounter(counter, highest);
    }
    // An older one that was kept back, and a counter that was changed to look new.
    expect(counterVerdict(0x0122, highest, 100)).toBe('behind');
    for (const row of golden.emv.filter(([version]) => !/cvn1[07]$/.test(version) || version.startsWith('mchip')))
      expect(codeOf({ ...arqcOf(row), atc: bytes('0125') })).toBe('88');
  });

  it('a PIN that is longer or shorter than its offset is another PIN', () => {
    const offset = requests[8] as VerifyPin;
    expect(codeOf(offset)).toBeUndefined();
    expect(codeOf({ ...offset, reference: digits('64780') })).toBe('55');
    const zone = new TdesKey(bytes(golden.keys.zpk));
    for (const pin of ['12345', '123', '1234'])
      expect(
        codeOf({
          ...offset,
          pin: { ...offset.pin, format: 1, block: zone.encrypt(bytes(`1${pin.length}${pin}`.padEnd(16, '7'))) },
        }),
      ).toBe({ '12345': '55', '123': '81', '1234': undefined }[pin]);
  });

  it('a cryptogram under another version, unless keys and padding are the same', () => {
    const csk = ['visa_cvn18', 'visa_cvn22', 'mchip_cvn20', 'mchip_cvn21'];
    for (const row of golden.emv) {
      const { responseCode: _code, cardStatus: _status, proprietary: _own, ...request } = arqcOf(row);
      const same = golden.emv
        .filter(([, pan]) => pan === row[1])
        .map(([version]) => version)
        .filter((version) => codeOf({ ...request, version } as HsmRequest) === undefined);
      // What is signed differs between the versions of a group, and is given here. Visa's master key is another one for
      // long card numbers only.
      const groups = [
        ['visa_cvn10', 'visa_cvn17'],
        ['mchip_cvn16', 'mchip_cvn17'],
        ...(row[1] === PAN ? [csk] : [csk.slice(0, 2), csk.slice(2)]),
      ];
      expect(same).toEqual(groups.find((group) => group.includes(row[0])));
    }
  });
});

describe('translation of PIN blocks (PCI PIN 3-3)', () => {
  const formats = [0, 1, 3, 4] as const;
  const pairs = formats.flatMap((from) => formats.map((to) => [from, to] as const));
  const zone = new TdesKey(bytes(golden.keys.zpk));
  const zone4 = new AesKey(bytes(golden.keys.zpkAes));
  const randomize = (target: Uint8Array): void =>
    void target.forEach((_, i) => {
      target[i] = (i * 37 + 11) & 255;
    });
  const encipher = (format: PinBlockFormat, pin: string, pan: string): Buffer =>
    format === 4
      ? encipherPinBlock4(zone4, digits(pin), digits(pan), randomize)
      : zone.encrypt(encodePinBlock(format, digits(pin), digits(pan), randomize));

  it('is what the standard says', () => {
    const allowed = pairs.filter(([from, to]) => mayTranslate(from, to)).map((pair) => pair.join(' to '));
    expect(allowed).toEqual([
      ...['0 to 0', '0 to 3', '0 to 4'],
      ...['1 to 0', '1 to 1', '1 to 3', '1 to 4'],
      ...['3 to 0', '3 to 3', '3 to 4'],
      ...['4 to 0', '4 to 3', '4 to 4'],
    ]);
  });

  it.each(pairs)('%i to %i', (from, to) => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9]{4,12}$/), fc.constantFrom(PAN, OTHER_PAN, PAN19), (pin, pan) => {
        const request = {
          op: 'translate_pin',
          pan: digits(pan),
          pin: { key: from === 4 ? 'zpk4' : 'zpk', format: from, block: encipher(from, pin, pan) },
          toKey: to === 4 ? 'zpk4b' : 'zpk2',
          toFormat: to,
        } as const;
        const verdict = hsm.answer(request);
        if (to === 1 && from !== 1) {
          expect(nameOf(verdict)).toBe('not_allowed');
          expect(declineCode('translate_pin', verdict)).toBe('96');
          return;
        }
        const block = valueIn(verdict);
        const method = {
          method: 'ibm3624',
          key: 'ibm',
          table: digits(golden.table),
          validation: { start: 0, length: 12, pad: 'D' },
        } as const;
        const offset = (
          moved: typeof request.pin | { key: string; format: PinBlockFormat; block: Uint8Array },
        ): string => text(valueIn(hsm.answer({ op: 'set_pin', pan: digits(pan), pin: moved, method })));
        // The same PIN on the other side: as many digits, and the same offset.
        expect(offset({ key: request.toKey, format: to, block })).toBe(offset(request.pin));
        // And the key of the one side opens nothing of the other.
        const crossed = hsm.answer({
          op: 'set_pin',
          pan: digits(pan),
          pin: { ...request.pin, format: to, key: request.toKey === 'zpk4b' ? 'zpk4' : 'zpk', block },
          method,
        });
        if (nameOf(crossed) !== 'pin_unreadable') expect(text(valueIn(crossed))).not.toBe(offset(request.pin));
      }),
      { numRuns: 15 },
    );
  });

  it('a key of the wrong cipher is refused on either side', () => {
    const request = { op: 'translate_pin', pan: digits(PAN), pin: verifyPin().pin, toFormat: 4 } as const;
    expect(nameOf(hsm.answer({ ...request, toKey: 'zpk' }))).toBe('key_not_usable');
    expect(nameOf(hsm.answer({ ...request, toFormat: 3, toKey: 'zpk4' }))).toBe('key_not_usable');
    expect(nameOf(hsm.answer({ ...verifyPin(4), pin: { ...verifyPin(4).pin, key: 'zpk' } }))).toBe('key_not_usable');
  });

  it('damaged blocks are unreadable, and say not why', () => {
    const pin = verifyPin(3).pin;
    const details = new Set<string>();
    for (let i = 0; i < 500; i++) {
      const block = Buffer.alloc(8);
      block.writeUInt32BE((i * 2654435761) % 2 ** 32);
      const verdict = hsm.answer({
        op: 'translate_pin',
        pan: digits(PAN),
        pin: { ...pin, block },
        toKey: 'zpk2',
        toFormat: 0,
      });
      if (verdict.outcome === 'failed') details.add(`${verdict.failure}: ${verdict.detail}`);
    }
    expect(details.size).toBe(1);
  });
});

describe('malformed requests', () => {
  const [cvv] = requests;
  const pin = verifyPin();
  const arqc = arqcOf(golden.emv[0]);
  const mac = requests.find(({ op }) => op === 'verify_mac')!;
  const cases: readonly (readonly [string, object])[] = [
    ['pan', { ...cvv, pan: digits('99999900000') }],
    ['pan', { ...cvv, pan: digits('99999900000000000017') }],
    ['pan', { ...pin, pan: digits('999999000000001x') }],
    ['expiry', { ...cvv, expiry: '291' }],
    ['serviceCode', { ...cvv, serviceCode: '2O1' }],
    ['cvv', { ...cvv, cvv: digits('1234') }],
    ['psn', { ...arqc, psn: digits('1') }],
    ['pin.block', { ...pin, pin: { ...pin.pin, block: Buffer.alloc(16) } }],
    ['pin.format', { ...pin, pin: { ...pin.pin, format: 2 } }],
    ['pin.ksn', { ...pin, pin: { ...pin.pin, ksn: Buffer.alloc(10) } }],
    ['pin.ksn', { ...pin, pin: { ...pin.pin, ksn: bytes(golden.dukptAes.ksn) } }],
    ['reference', { ...pin, reference: digits('423') }],
    ['method.keyIndex', { ...pin, method: { ...pin.method, keyIndex: 10 } }],
    [
      'method.table',
      {
        ...requests[8],
        method: {
          method: 'ibm3624',
          key: 'ibm',
          table: digits('0000000000000000'),
          validation: { start: 0, length: 16, pad: 'F' },
        },
      },
    ],
    [
      'method.validation',
      {
        ...requests[8],
        method: {
          method: 'ibm3624',
          key: 'ibm',
          table: digits(golden.table),
          validation: { start: 8, length: 16, pad: 'F' },
        },
      },
    ],
    ['atc', { ...arqc, atc: bytes('01') }],
    ['un', { ...arqc, un: bytes('01') }],
    ['arqc', { ...arqc, arqc: bytes('01') }],
    ['data', { ...arqc, data: Buffer.alloc(0) }],
    ['data', { ...arqc, data: Buffer.alloc(5000) }],
    ['version is unknown', { ...arqc, version: 'toString' }],
    ['version is unknown', { ...requests.find(({ op }) => op === 'script_mac')!, version: 'valueOf' }],
    ['ARPC method 1', { ...arqc, cardStatus: bytes('00000000') }],
    ['proprietary', { ...arqc, proprietary: bytes('00') }],
    ['nothing is to be answered', { ...answerOf(golden.emv[0]), responseCode: undefined }],
    ['ARPC method 1', { ...answerOf(golden.emv[0]), cardStatus: bytes('00000000') }],
    ['length', { ...mac, length: 3 }],
    ['mac', { ...mac, length: 4 }],
    ['ksn', { ...mac, ksn: bytes(golden.dukptTdes.ksn) }],
    ['newBlock', { ...pin, op: 'change_pin', newBlock: Buffer.alloc(4) }],
    ['header', { ...requests.find(({ op }) => op === 'script_mac')!, header: Buffer.alloc(4) }],
    ['toFormat', { ...requests[12], toFormat: 2 }],
  ];
  it.each(cases)('%s', (field, request) => {
    const verdict = hsm.answer(request as HsmRequest);
    expect(nameOf(verdict)).toBe('bad_request');
    expect(verdict.outcome === 'failed' && verdict.detail).toContain(field);
    expect(declineCode((request as HsmRequest).op, verdict)).toBe('96');
  });
});

describe('answers to the network', () => {
  const failure = (kind: keyof typeof hsmFailures): HsmVerdict => ({ outcome: 'failed', failure: kind, detail: '' });
  it.each([
    ['pin_unreadable', '81'],
    ['key_not_usable', '96'],
    ['bad_request', '96'],
    ['not_allowed', '96'],
    ['unsupported', '96'],
    ['device_down', '91'],
    ['device_busy', '91'],
    ['timeout', '91'],
    ['device_error', '91'],
  ] as const)('%s: %s, and no PIN try', (kind, code) => {
    expect(declineCode('verify_pin', failure(kind))).toBe(code);
    expect(countsPinTry('verify_pin', failure(kind))).toBe(false);
    expect(code === '91').toBe(hsmFailures[kind].retryable);
  });

  it('a wrong PIN is 55 and a try, a wrong CVV 82 and none', () => {
    const wrong: HsmVerdict = { outcome: 'mismatch' };
    expect([declineCode('verify_pin', wrong), countsPinTry('verify_pin', wrong)]).toEqual(['55', true]);
    expect([declineCode('change_pin', wrong), countsPinTry('change_pin', wrong)]).toEqual(['55', true]);
    expect([declineCode('verify_cvv', wrong), countsPinTry('verify_cvv', wrong)]).toEqual(['82', false]);
    expect([declineCode('verify_arqc', wrong), countsPinTry('verify_arqc', wrong)]).toEqual(['88', false]);
    expect(declineCode('verify_pin', { outcome: 'ok' })).toBeUndefined();
  });
});

describe('PINs in software', () => {
  it('are refused unless they are allowed, and either is said', () => {
    const lines: string[] = [];
    const refusing = new SoftHsm(newKeys(), { say: (line) => lines.push(line) });
    const allowing = new SoftHsm(newKeys(), { allowSoftwarePin: true, say: (line) => lines.push(line) });
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('PIN operations are refused');
    expect(lines[1]).toContain('never for PINs of cardholders');
    const refused = requests
      .filter((request) => nameOf(refusing.answer(request)) === 'not_allowed')
      .map(({ op }) => op);
    const withPin = ['verify_pin', 'change_pin', 'set_pin', 'translate_pin', 'script_pin_change'];
    expect(new Set(refused)).toEqual(new Set(withPin));
    expect(requests.every(({ op }) => refusing.supports(op) === !withPin.includes(op))).toBe(true);
    expect(requests.every(({ op }) => allowing.supports(op))).toBe(true);
  });

  it('are overwritten in memory when the call is over', () => {
    const pins = new SoftPins(newKeys());
    let seen: Uint8Array | undefined;
    let second: Uint8Array | undefined;
    const { pin, pan } = verifyPin();
    pins.withPins(pin, pin.block, pan, (one, two) => {
      expect([text(one), text(two)]).toEqual(['1234', '1234']);
      seen = one;
      second = two;
      return { outcome: 'ok' };
    });
    expect([hex(seen!), hex(second!)]).toEqual(['00000000', '00000000']);
  });
});

describe('secrets', () => {
  it('are in no verdict that goes to a log, and no key shows itself', () => {
    const own = newHsm();
    const secrets = [PAN, PAN19, OTHER_PAN, '4232', '6478', ...Object.values(golden.keys), hex(verifyPin().pin.block)];
    const texts: string[] = [inspect(own, { depth: 9, showHidden: true }), JSON.stringify(own)];
    for (const request of requests) {
      const wrong: object = {
        ...request,
        key: 'nobody',
        pan: digits('1'),
        acKey: 'nobody',
        protection: 'nobody',
      };
      for (const verdict of [
        own.answer(wrong as HsmRequest),
        own.answer({ ...request, pan: digits(OTHER_PAN) } as HsmRequest),
      ])
        if (verdict.outcome !== 'ok') texts.push(inspect(verdict), JSON.stringify(verdict));
    }
    for (const secret of secrets) for (const line of texts) expect(line.toUpperCase()).not.toContain(secret);
  });

  it('of an answered request are overwritten', () => {
    const request = verifyPin();
    wipeRequest(request);
    expect(hex(request.pan) + hex(request.pin.block) + hex(request.reference)).toMatch(/^0+$/);
  });

  it.each(requests.map((request) => [request.op, request] as const))(
    '%s is plain data: it crosses rings and ports',
    (_op, request) => {
      const direct = newHsm().answer(request);
      for (const copy of [structuredClone(request), unpack(pack(request)) as HsmRequest]) {
        const verdict = newHsm().answer(copy);
        expect(nameOf(verdict)).toBe(nameOf(direct));
        expect(nameOf(unpack(pack(verdict)) as HsmVerdict)).toBe(nameOf(direct));
      }
    },
  );
});

it('whatever bytes a request has, there is a verdict, and the next request is answered as before', () => {
  const names = new Set(['ok', 'mismatch', ...Object.keys(hsmFailures)]);
  const blurred = (value: unknown, change: (bytes: Uint8Array) => Uint8Array): unknown => {
    if (value instanceof Uint8Array) return change(value);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, blurred(field, change)]));
  };
  const pick = fc.constantFrom(...requests.filter(({ op }) => op !== 'import_key'));
  fc.assert(
    fc.property(pick, fc.uint8Array({ maxLength: 40 }), fc.nat(7), (request, noise, which) => {
      let n = 0;
      const changed = blurred(request, (value) => (n++ % 8 === which ? noise : value)) as HsmRequest;
      expect(names).toContain(nameOf(hsm.answer(changed)));
      expect(nameOf(hsm.answer(request))).toBe('ok');
    }),
    { numRuns: 400 },
  );
});

it('answers a promise of the same verdict', async () => {
  expect(await hsm.submit(verifyPin())).toEqual({ outcome: 'ok' });
  expect(hsm.name).toBe('software');
  await hsm.close();
});
