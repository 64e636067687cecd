/** The reference vectors of card cryptography that lie beside the repository; each one is used, whatever it is of. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AesKey, setOddParity, TdesKey } from '#src/vault/card/block-key.js';
import { digitsOf } from '#src/vault/card/bytes.js';
import { cvc3, cvv, dynamicCvv, staticTrackIv } from '#src/vault/card/cvv.js';
import { aesDukptKey, aesInitialKey, aesTransactionKey } from '#src/vault/card/dukpt-aes.js';
import { tdesDukptKey, tdesTransactionKey } from '#src/vault/card/dukpt-tdes.js';
import { applicationCryptogram, arpcMethod1, arpcMethod2, scriptMac } from '#src/vault/card/emv-cryptogram.js';
import {
  counterValue,
  iccMasterKey,
  type MasterKeyOption,
  mchipValue,
  sessionKey,
  treeSessionKey,
  visaScriptKey,
} from '#src/vault/card/emv-keys.js';
import { type CryptogramVersion, cryptogramInput, profileOf, versionOf } from '#src/vault/card/emv-profiles.js';
import { pinChangeCommand } from '#src/vault/card/emv-scripts.js';
import { openKeyBlock } from '#src/vault/card/key-block.js';
import { cbcMac, cmac, keyCheckValue, type MacPadding, retailMac } from '#src/vault/card/mac.js';
import { decipherPinBlock4, decodePinBlock, encipherPinBlock4, encodePinBlock } from '#src/vault/card/pin-block.js';
import { ibmOffset, ibmPin, pvv } from '#src/vault/card/pin-reference.js';
import { sharedPath } from '../../support/shared.js';

/** Texts, and what Number() and an object of tags are asked of below. */
type Values = Readonly<Record<string, string>>;
interface Vector {
  readonly id: string;
  readonly algorithm: string;
  readonly inputs: Values;
  readonly expected: Values;
}
/** What a vector expects, computed anew; keys are those of `expected`. */
type Compute = (i: Values, expected: Values) => Record<string, string | number | undefined>;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex').toUpperCase();
const un = (text: string): Buffer => Buffer.from(text, 'hex');
const tdes = (text: string): TdesKey => new TdesKey(un(text));
const aes = (text: string): AesKey => new AesKey(un(text));
const text = (digits: Uint8Array): string => Buffer.from(digits).toString('latin1');
const noRandom = (): void => undefined;

/** PIN of a clear block, or undefined when it is unreadable. */
function pinOf(format: 0 | 1 | 3, block: Uint8Array, pan: string): string | undefined {
  const pin = Buffer.alloc(12);
  const length = decodePinBlock(format, block, digitsOf(pan), pin);
  return length === 0 ? undefined : text(pin.subarray(0, length));
}

const padded = (i: Values): MacPadding => (i.padding?.startsWith('zero') ? 1 : 2);
const cardKey = (imk: string, i: Values, option = i.option ?? i.masterKeyOption ?? 'A'): TdesKey =>
  new TdesKey(iccMasterKey(tdes(imk), digitsOf(i.pan!), digitsOf(i.psn!), option as MasterKeyOption));
/** One source derives by SHA-1 whatever the length of the PAN. */
const hashedKey = (imk: string, i: Values): TdesKey => cardKey(imk, i, i.masterKeyOption === 'B' ? 'B_always' : 'A');

function contactless(i: Values): Record<string, string> {
  const key = hashedKey(i.imkCvc3!, i);
  const iv = i.trackData!.length === 4 ? un(i.trackData!) : staticTrackIv(key, trackBytes(i.trackData!));
  const value = text(cvc3(key, iv, un(i.unpredictableNumber!), un(i.atc!)));
  return { cvc3: value, cvc3Last3: value.slice(-3) };
}
/** Track data as packed nibbles; an odd number of them ends with F. */
const trackBytes = (track: string): Buffer => un(track.length % 2 === 0 ? track : `${track}F`);

function cryptogram(i: Values, key: TdesKey, master: TdesKey): Record<string, string> {
  const arqc = applicationCryptogram(key, un(i.data!), padded(i));
  const arpcKey = i.arpcKey?.startsWith('ICC') ? master : key;
  const out: Record<string, string> = { arqc: hex(arqc) };
  if (i.csu !== undefined) {
    const two = hex(arpcMethod2(key, arqc, un(i.csu), un(i.proprietaryAuthData ?? '')));
    out.arpcMethod2 = two;
    out.arpc = two;
  }
  if (i.arc !== undefined) {
    out.arpcMethod1 = hex(arpcMethod1(arpcKey, arqc, un(i.arc)));
    out.arpc ??= out.arpcMethod1;
  }
  return out;
}

function commonSession(i: Values): Record<string, string> {
  const master = cardKey(i.imk!, i);
  return cryptogram(i, new TdesKey(sessionKey(master, un(i.r!))), master);
}

function namedSession(i: Values): Record<string, string> {
  const master = cardKey(i.imk!, i);
  const method = i.sessionKeyMethod!;
  if (method.startsWith('none')) return cryptogram(i, master, master);
  const skd = method.startsWith('M/Chip');
  const r = skd ? mchipValue(un(i.atc!), un(i.unpredictableNumber!)) : counterValue(un(i.atc!));
  const key = new TdesKey(sessionKey(master, r));
  // The key of the answer is the master key where the network has a session key of its own, else the session key.
  return cryptogram(skd ? { ...i, arpcKey: 'ICC' } : i, key, master);
}

function mchip(version: CryptogramVersion): Compute {
  return (i) => {
    const profile = profileOf(version);
    const cvn = { mchip_cvn17: '11', mchip_cvn20: '14', mchip_cvn21: '15' }[version as 'mchip_cvn17'];
    const results = i.cvrAndCounters!;
    const data = un(`01${cvn}${results.slice(0, 12)}BEEF${results.slice(12)}`);
    expect(versionOf('mchip', data)).toBe(version);
    const tags = Object.fromEntries(
      Object.entries(i.tags as unknown as Values).map(([tag, value]) => [tag, un(value)]),
    );
    const input = cryptogramInput(version, tags, data)!;
    const master = cardKey(i.imkAc!, i);
    const r = profile.session === 'mchip' ? mchipValue(un(i.atc!), tags['9F37']!) : counterValue(un(i.atc!));
    const session = new TdesKey(sessionKey(master, r));
    const arqc = applicationCryptogram(session, input, profile.padding);
    const script = (imk: string): TdesKey => new TdesKey(sessionKey(cardKey(imk, i), arqc));
    const integrity = script(i.imkSmi!);
    const command = pinChangeCommand({
      style: 'mchip',
      masterAc: master.bytes,
      integrity,
      confidentiality: script(i.imkSmc!),
      atc: un(i.atc!),
      arqc,
      pin: digitsOf(i.newPin!),
    });
    expect(hex(input)).toBe(i.acInput);
    return {
      arqc: hex(arqc),
      arpc: hex(arpcMethod1(profile.arpcKey === 'master' ? master : session, arqc, un(i.arc!))),
      scriptMac: hex(scriptMac(integrity, un(i.scriptHeader!), un(i.atc!), arqc, new Uint8Array(0))),
      pinChangeCommand: hex(command),
    };
  };
}

const ibm = (i: Values, value: string, compute: typeof ibmPin): string =>
  text(
    compute(
      tdes(i.pvk!),
      digitsOf(i.pan!),
      { start: Number(i.validationOffset), length: Number(i.validationLength), pad: i.padCharacter! },
      digitsOf(i.decimalisationTable!),
      digitsOf(value),
    ),
  );

function pinBlock0(i: Values): Record<string, string | undefined> {
  const key = tdes(i.key!);
  if (i.encryptedBlock !== undefined) return { pin: pinOf(0, key.decrypt(un(i.encryptedBlock)), i.pan!) };
  return { encryptedBlock: hex(key.encrypt(encodePinBlock(0, digitsOf(i.pin!), digitsOf(i.pan!), noRandom))) };
}

/** Both keys doubled, as one source gives them, are the two halves of one key. */
const macKey = (i: Values): TdesKey => tdes(i.k1!.slice(0, 16) + i.k2!.slice(0, 16));

function parity(i: Values): Record<string, string> {
  const key = un(i.key!);
  setOddParity(key);
  return { key: hex(key) };
}

function tdesDukpt(i: Values): Record<string, string | undefined> {
  const bdk = tdes(i.bdk!);
  const ksn = un(i.ksn!);
  const pinKey = tdesDukptKey(bdk, ksn, 'pin');
  if (i.encryptedPinBlock !== undefined) return { pin: pinOf(0, pinKey.decrypt(un(i.encryptedPinBlock)), i.pan!) };
  const mac = (use: 'mac_request' | 'mac_response'): string =>
    hex(retailMac(tdesDukptKey(bdk, ksn, use), un(i.macData!), 1).subarray(0, 4));
  return {
    transactionKey: hex(tdesTransactionKey(bdk, ksn)),
    encryptedPinBlock: hex(pinKey.encrypt(encodePinBlock(0, digitsOf(i.pin!), digitsOf(i.pan!), noRandom))),
    macRequest: mac('mac_request'),
    macResponse: mac('mac_response'),
  };
}

function aesDukpt(i: Values, expected: Values): Record<string, string> {
  const bdk = aes(i.bdk!);
  if (i.initialKeyId !== undefined) return { initialKey: hex(aesInitialKey(bdk, un(i.initialKeyId))) };
  const ksn = un(i.ksn!);
  const out: Record<string, string> = { transactionKey: hex(aesTransactionKey(bdk, ksn)) };
  const uses = { pinKey: 'pin', macGenKey: 'mac_request', dataEncryptKey: 'data_request' } as const;
  for (const [name, use] of Object.entries(uses)) {
    for (const bits of [128, 256] as const) {
      const key = `${name}Aes${bits}`;
      if (key in expected) out[key] = hex(aesDukptKey(bdk, ksn, use, bits).bytes);
    }
  }
  if (i.pin === undefined) return out;
  const random = (bytes: Uint8Array): void => bytes.set(un(i.pinFieldRandom!));
  const pan = digitsOf(i.pan!);
  out.encryptedPinBlockFormat4 = hex(
    encipherPinBlock4(aesDukptKey(bdk, ksn, 'pin', 128), digitsOf(i.pin), pan, random),
  );
  out.cmacRequest = hex(cmac(aesDukptKey(bdk, ksn, 'mac_request', 128), un(i.macData!)));
  out.cmacResponse = hex(cmac(aesDukptKey(bdk, ksn, 'mac_response', 128), un(i.macData!)));
  return out;
}

function keyBlock(i: Values): Record<string, string> {
  const version = i.keyBlock![0] as 'A' | 'B' | 'C' | 'D';
  const kbpk = version === 'D' ? aes(i.kbpk!) : tdes(i.kbpk!);
  const opened = openKeyBlock(kbpk, i.keyBlock!, ['A', 'B', 'C', 'D']);
  if (typeof opened === 'string') return { error: opened };
  return { key: hex(opened.key) };
}

/** By the beginning of the algorithm's name; the longest one that fits. */
const algorithms: Readonly<Record<string, Compute>> = {
  'CVV/CVC': (i) => ({ cvv: text(cvv(tdes(i.cvk!), digitsOf(i.pan!), i.expiry!, i.serviceCode!)) }),
  'CAVV digits': (i) => ({
    cavv: text(cvv(tdes(i.cvk!), digitsOf(i.pan!), i.unpredictableNumber!, `${i.authResultCode}${i.secondFactorCode}`)),
  }),
  dCVV: (i) => {
    const key = hashedKey(i.imkAc!, i);
    return { dcvv: text(dynamicCvv(key, digitsOf(i.pan!), i.expiry!, i.serviceCode!, un(i.atc!))) };
  },
  CVC3: contactless,
  'Visa PVV': (i) => ({ pvv: text(pvv(tdes(i.pvk!), digitsOf(i.pan!), Number(i.pvki), digitsOf(i.pin!))) }),
  'IBM 3624 PIN': (i) => ({ pin: ibm(i, i.offset!, ibmPin) }),
  'IBM 3624 offset': (i) => ({ offset: ibm(i, i.pin!, ibmOffset) }),
  'ISO 9564 format 0 (clear)': (i) => ({
    block: hex(encodePinBlock(0, digitsOf(i.pin!), digitsOf(i.pan!), noRandom)),
  }),
  'ISO 9564 format 0 under': pinBlock0,
  'ISO 9564 format 1 decode': (i) => ({ pin: pinOf(1, un(i.block!), '0000000000000') }),
  'ISO 9564 format 2': (i) => ({ block: hex(encodePinBlock(2, digitsOf(i.pin!), new Uint8Array(0), noRandom)) }),
  'ISO 9564 format 3 decode': (i) => ({ pin: pinOf(3, un(i.block!), i.pan!) }),
  'ISO 9564 format 4 decipher': (i) => {
    const pin = Buffer.alloc(12);
    const length = decipherPinBlock4(aes(i.key!), un(i.encryptedBlock!), digitsOf(i.pan!), pin);
    return { pin: text(pin.subarray(0, length)) };
  },
  'ISO 9564 format 0 decode must fail': (i) => ({ error: pinOf(0, un(i.block!), i.pan!) ?? 'refused' }),
  'KCV (DES/TDES)': (i) => ({ kcv: keyCheckValue(tdes(i.key!)) }),
  'ISO/IEC 9797-1 MAC algorithm 3': (i) => ({
    mac: hex(retailMac(macKey(i), un(i.data!), Number(i.paddingMethod) as MacPadding)),
  }),
  'ISO/IEC 9797-1 MAC algorithm 1': (i) => ({
    mac: hex(cbcMac(tdes(i.key!), un(i.data!), Number(i.paddingMethod) as MacPadding)),
  }),
  'AES-CMAC': (i) => ({ mac: hex(cmac(aes(i.key!), un(i.data!))) }),
  'TDES ECB': (i) => ({ ciphertext: hex(tdes(i.key!).encrypt(un(i.data!))) }),
  'DES odd parity': parity,
  'ICC master key': (i) => {
    const master = cardKey(i.imk!, i);
    const session = new TdesKey(sessionKey(master, un(i.r!)));
    return { iccMkKcv: keyCheckValue(master).slice(0, 4), sessionKeyKcv: keyCheckValue(session).slice(0, 4) };
  },
  'AC with common session key': commonSession,
  'AC/ARPC, session key method': namedSession,
  'Mastercard M/Chip CVN 17': mchip('mchip_cvn17'),
  'Mastercard M/Chip CVN 20': mchip('mchip_cvn20'),
  'Mastercard M/Chip CVN 21': mchip('mchip_cvn21'),
  'EMV2000 tree': (i) => ({
    sessionKey: hex(
      treeSessionKey(un(i.iccMk!), Number.parseInt(i.atc!, 16), Number(i.height), Number(i.branchFactor), un(i.iv!)),
    ),
  }),
  'Visa secure-messaging': (i) => ({ sessionKey: hex(visaScriptKey(un(i.iccMk!), un(i.atc!))) }),
  'issuer-script MAC': (i) => {
    const master = cardKey(i.imkSmi!, i);
    const key = i.method!.startsWith('Visa')
      ? visaScriptKey(master.bytes, un(i.atc!))
      : sessionKey(master, un(i.arqc!));
    // The command given holds ATC and ARQC between header and data already.
    return { mac: hex(retailMac(new TdesKey(key), un(i.apdu!), 2)) };
  },
  'TDES DUKPT': tdesDukpt,
  'AES DUKPT': aesDukpt,
  'TR-31': keyBlock,
  'unwrap must fail': keyBlock,
};

const compute = (algorithm: string): Compute | undefined => {
  const names = Object.keys(algorithms).filter((name) => algorithm.startsWith(name));
  return algorithms[names.sort((a, b) => b.length - a.length)[0] ?? ''];
};

const files = ['cvv', 'pin-verification', 'pinblock', 'kcv-mac', 'emv', 'dukpt-tdes', 'dukpt-aes', 'tr31'];

describe.skipIf(sharedPath('vectors', 'cvv.json') === undefined)(
  'reference vectors of card cryptography (skipped when ../shared is absent)',
  () => {
    let used = 0;
    for (const file of files) {
      const path = sharedPath('vectors', `${file}.json`);
      const { vectors } = (path === undefined ? { vectors: [] } : JSON.parse(readFileSync(path, 'utf8'))) as {
        vectors: Vector[];
      };
      it.each(vectors.map((vector) => [vector.id, vector.algorithm, vector] as const))(
        '%s %s',
        (_id, algorithm, vector) => {
          const run = compute(algorithm);
          expect(run, 'no code for this algorithm').toBeDefined();
          const actual = run!(vector.inputs, vector.expected);
          for (const [name, value] of Object.entries(vector.expected)) {
            // Why a block is refused is not told: only that it is.
            if (name === 'error') expect(['refused', 'authentication']).toContain(actual.error);
            else expect(actual[name], name).toBe(value);
          }
          used++;
        },
      );
    }
    it('are all there', () => expect(used).toBeGreaterThan(100));
  },
);
