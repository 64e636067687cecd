/**
 * Card cryptography in software, through the port: the check of the request, the look-up of the key, the calculation, the comparison.
 * One thread, keys that live long; card numbers and values change from call to call, so that nothing can be remembered. What a
 * device would cost is not shown here.
 */
import { randomBytes } from 'node:crypto';
import { TdesKey } from '#src/vault/card/block-key.js';
import { digitsOf } from '#src/vault/card/bytes.js';
import { applicationCryptogram } from '#src/vault/card/emv-cryptogram.js';
import { counterValue, iccMasterKey, mchipValue, sessionKey } from '#src/vault/card/emv-keys.js';
import { profileOf } from '#src/vault/card/emv-profiles.js';
import { encodePinBlock } from '#src/vault/card/pin-block.js';
import type { HsmRequest } from '#src/vault/hsm/port.js';
import { SoftHsm } from '#src/vault/hsm/soft-hsm.js';
import { SoftKeys } from '#src/vault/hsm/soft-keys.js';
import { measure } from './measure.js';
import type { BenchRow } from './row.js';

const CARDS = 1024;
const ATC = Buffer.from('0123', 'hex');
const UN = Buffer.from('5EEDCAFE', 'hex');
/** Input of a cryptogram with the whole application data: 29 bytes of the message and 7 of the card. */
const SIGNED_BYTES = 36;

const keys = new SoftKeys();
const hsm = new SoftHsm(keys, { allowSoftwarePin: true, say: () => undefined });

function addKey(id: string, usage: string, algorithm: 'T' | 'A', mode: string, bytes = randomBytes(16)): Buffer {
  const verdict = keys.add(id, { usage, algorithm, mode }, bytes);
  if (verdict.outcome !== 'ok') throw new Error(JSON.stringify(verdict));
  return bytes;
}

/** One request per card, each of which is answered ok. */
function perCard<R extends HsmRequest>(make: (pan: Buffer, i: number) => R): R[] {
  const requests = Array.from({ length: CARDS }, (_, i) => make(digitsOf(`999999${String(i).padStart(9, '0')}7`), i));
  for (const request of requests) {
    const verdict = hsm.answer(request);
    if (verdict.outcome !== 'ok') throw new Error(`${request.op}: ${JSON.stringify(verdict)}`);
  }
  return requests;
}

/** The value of an operation that makes one. */
function valueIn(request: HsmRequest): Buffer {
  const verdict = hsm.answer(request);
  if (verdict.outcome !== 'ok' || verdict.value === undefined)
    throw new Error(`${request.op}: ${JSON.stringify(verdict)}`);
  return Buffer.from(verdict.value);
}

function row(name: string, operations: number, requests: readonly HsmRequest[]): BenchRow {
  let wrong = 0;
  const measured = measure('vault', name, operations, (i) => {
    if (hsm.answer(requests[i % CARDS]!).outcome !== 'ok') wrong++;
  });
  if (wrong > 0) throw new Error(`${name}: ${wrong} answers were not ok`);
  return measured;
}

function cvvRequests(): HsmRequest[] {
  const track = { expiry: '2912', serviceCode: '201' };
  return perCard((pan) => {
    const cvv = valueIn({ op: 'generate_cvv', key: 'cvk', pan, ...track });
    return { op: 'verify_cvv', key: 'cvk', pan, ...track, cvv };
  });
}

/** PIN blocks of format 0 (TDES), made as an acquirer makes them; of format 4 (AES) by translation. */
function pinRequests(zone: TdesKey, format: 0 | 4): HsmRequest[] {
  const method = { method: 'pvv', key: 'pvk', keyIndex: 1 } as const;
  return perCard((pan, i) => {
    const clear = encodePinBlock(0, digitsOf(String(1000 + i)), pan, () => undefined);
    const sent = { key: 'zpk', format: 0, block: zone.encrypt(clear) } as const;
    const reference = valueIn({ op: 'set_pin', pan, pin: sent, method });
    if (format === 0) return { op: 'verify_pin', pan, pin: sent, method, reference };
    const block = valueIn({ op: 'translate_pin', pan, pin: sent, toKey: 'zpk4', toFormat: 4 });
    return { op: 'verify_pin', pan, pin: { key: 'zpk4', format, block }, method, reference };
  });
}

function translations(zone: TdesKey): HsmRequest[] {
  return perCard((pan, i) => {
    const block = zone.encrypt(encodePinBlock(0, digitsOf(String(1000 + i)), pan, () => undefined));
    return { op: 'translate_pin', pan, pin: { key: 'zpk', format: 0, block }, toKey: 'zpk2', toFormat: 3 };
  });
}

/** Chip requests; the cards' side is played by the functions below the port. */
function chipRequests(version: 'visa_cvn10' | 'visa_cvn18' | 'mchip_cvn17', imk: TdesKey): HsmRequest[] {
  const profile = profileOf(version);
  const psn = digitsOf('01');
  const answer =
    profile.arpc === 1 ? { responseCode: Buffer.from('3030', 'hex') } : { cardStatus: Buffer.from('03920000', 'hex') };
  return perCard((pan) => {
    const master = new TdesKey(iccMasterKey(imk, pan, psn, profile.masterKey));
    const r = profile.session === 'mchip' ? mchipValue(ATC, UN) : counterValue(ATC);
    const session = profile.session === 'none' ? master : new TdesKey(sessionKey(master, r));
    const data = randomBytes(SIGNED_BYTES);
    const arqc = applicationCryptogram(session, data, profile.padding);
    return { op: 'verify_arqc', key: 'imk', version, pan, psn, atc: ATC, un: UN, data, arqc, ...answer };
  });
}

function macRequests(algorithm: 'retail' | 'cmac', bytes: number): HsmRequest[] {
  return perCard(() => {
    const mac = {
      key: algorithm === 'retail' ? 'mac' : 'cmac',
      algorithm,
      padding: 1,
      length: 8,
      data: randomBytes(bytes),
    } as const;
    return { op: 'verify_mac', ...mac, mac: valueIn({ op: 'generate_mac', ...mac }) };
  });
}

/** About 5 s. */
export function benchCrypto(): BenchRow[] {
  addKey('cvk', 'C0', 'T', 'C');
  addKey('pvk', 'V2', 'T', 'C');
  const zone = new TdesKey(addKey('zpk', 'P0', 'T', 'B'));
  addKey('zpk2', 'P0', 'T', 'B');
  addKey('zpk4', 'P0', 'A', 'B');
  const imk = new TdesKey(addKey('imk', 'E0', 'T', 'X'));
  addKey('mac', 'M3', 'T', 'C');
  addKey('cmac', 'M6', 'A', 'C');
  const rows = [
    row('CVV verified', 220_000, cvvRequests()),
    row('PIN block (format 0) deciphered, PVV verified', 220_000, pinRequests(zone, 0)),
    row('PIN block (format 4) deciphered, PVV verified', 110_000, pinRequests(zone, 4)),
    row('PIN block translated, format 0 to 3', 110_000, translations(zone)),
    row('ARQC verified, ARPC made: Visa 10', 44_000, chipRequests('visa_cvn10', imk)),
    row('ARQC verified, ARPC made: Visa 18', 44_000, chipRequests('visa_cvn18', imk)),
    row('ARQC verified, ARPC made: M/Chip 17', 44_000, chipRequests('mchip_cvn17', imk)),
    row('retail MAC of 200 bytes verified', 110_000, macRequests('retail', 200)),
    row('AES CMAC of 200 bytes verified', 110_000, macRequests('cmac', 200)),
  ];
  keys.clear();
  return rows;
}
