/** Verification values and chip cryptograms of the software adapter. */
import { TdesKey } from '../card/block-key.js';
import { sameBytes, wipe } from '../card/bytes.js';
import { cvc3, cvv, dynamicCvv, staticTrackIv } from '../card/cvv.js';
import { applicationCryptogram, arpcMethod1, arpcMethod2, scriptMac } from '../card/emv-cryptogram.js';
import { counterValue, iccMasterKey, mchipValue, sessionKey, visaScriptKey } from '../card/emv-keys.js';
import { type CryptogramProfile, profileOf } from '../card/emv-profiles.js';
import { pinChangeCommand } from '../card/emv-scripts.js';
import {
  type AnswerArqc,
  done,
  failed,
  type GenerateCvv,
  type HsmVerdict,
  mismatch,
  type ScriptMac,
  type ScriptPinChange,
  type VerifyArqc,
  type VerifyCvc3,
  type VerifyCvv,
  type VerifyDynamicCvv,
  withValue,
} from './port.js';
import { isKey, type SoftKeys } from './soft-keys.js';
import type { SoftPins } from './soft-pins.js';

const none = new Uint8Array(0);

/** Compares in constant time and overwrites what was expected. */
function verdictOf(expected: Uint8Array, given: Uint8Array): HsmVerdict {
  const same = sameBytes(expected, given);
  wipe(expected);
  return same ? done : mismatch;
}

export class SoftCards {
  readonly #keys: SoftKeys;
  readonly #pins: SoftPins;

  constructor(keys: SoftKeys, pins: SoftPins) {
    this.#keys = keys;
    this.#pins = pins;
  }

  verifyCvv({ key: handle, pan, expiry, serviceCode, cvv: given }: VerifyCvv): HsmVerdict {
    const key = this.#keys.find<TdesKey>(handle, 'verify_cvv');
    return isKey(key) ? verdictOf(cvv(key, pan, expiry, serviceCode), given) : key;
  }

  generateCvv({ key: handle, pan, expiry, serviceCode }: GenerateCvv): HsmVerdict {
    const key = this.#keys.find<TdesKey>(handle, 'generate_cvv');
    return isKey(key) ? withValue(cvv(key, pan, expiry, serviceCode)) : key;
  }

  verifyDynamicCvv(request: VerifyDynamicCvv): HsmVerdict {
    const { pan, psn, expiry, serviceCode, atc } = request;
    const imk = this.#keys.find<TdesKey>(request.key, 'verify_dcvv');
    if (!isKey(imk)) return imk;
    const card = ownedKey(iccMasterKey(imk, pan, psn, request.masterKey));
    const verdict = verdictOf(dynamicCvv(card, pan, expiry, serviceCode, atc), request.cvv);
    card.destroy();
    return verdict;
  }

  verifyCvc3(request: VerifyCvc3): HsmVerdict {
    const { pan, psn, track, un, atc, cvc3: given } = request;
    const imk = this.#keys.find<TdesKey>(request.key, 'verify_cvc3');
    if (!isKey(imk)) return imk;
    const card = ownedKey(iccMasterKey(imk, pan, psn, request.masterKey));
    const iv = track.length === 2 ? track : staticTrackIv(card, track);
    const value = cvc3(card, iv, un, atc);
    card.destroy();
    const verdict = verdictOf(value.subarray(value.length - given.length), given);
    wipe(value);
    return verdict;
  }

  verifyArqc(request: VerifyArqc): HsmVerdict {
    const imk = this.#keys.find<TdesKey>(request.key, 'cryptogram');
    if (!isKey(imk)) return imk;
    const profile = profileOf(request.version);
    const master = ownedKey(iccMasterKey(imk, request.pan, request.psn, profile.masterKey));
    const session = cryptogramKey(profile, master, request);
    const verdict = verdictOf(applicationCryptogram(session, request.data, profile.padding), request.arqc);
    const answered = verdict.outcome === 'ok' ? arpc(profile, master, session, request) : verdict;
    if (session !== master) session.destroy();
    master.destroy();
    return answered;
  }

  answerArqc(request: AnswerArqc): HsmVerdict {
    const imk = this.#keys.find<TdesKey>(request.key, 'cryptogram');
    if (!isKey(imk)) return imk;
    const profile = profileOf(request.version);
    const master = ownedKey(iccMasterKey(imk, request.pan, request.psn, profile.masterKey));
    const session = profile.arpcKey === 'master' ? master : cryptogramKey(profile, master, request);
    const answered = arpc(profile, master, session, request);
    if (session !== master) session.destroy();
    master.destroy();
    return answered;
  }

  scriptMac(request: ScriptMac): HsmVerdict {
    const { header, atc, arqc, data } = request;
    const key = this.#scriptKey(request.key, 'script_integrity', request);
    if (!isKey(key)) return key;
    const mac = scriptMac(key, header, atc, arqc, data);
    key.destroy();
    return withValue(mac);
  }

  pinChange(request: ScriptPinChange): HsmVerdict {
    const { pan, psn, atc, arqc, currentBlock } = request;
    const profile = profileOf(request.version);
    if (currentBlock !== undefined && profile.pinChange !== 'visa')
      return failed('bad_request', 'script_pin_change: currentBlock is of Visa only');
    const acKey = this.#keys.find<TdesKey>(request.acKey, 'cryptogram');
    if (!isKey(acKey)) return acKey;
    const integrity = this.#scriptKey(request.macKey, 'script_integrity', request);
    if (!isKey(integrity)) return integrity;
    const confidentiality = this.#scriptKey(request.encipherKey, 'script_confidentiality', request);
    if (!isKey(confidentiality)) {
      integrity.destroy();
      return confidentiality;
    }
    const masterAc = iccMasterKey(acKey, pan, psn, profile.masterKey);
    const command = (pin: Uint8Array, currentPin?: Uint8Array): HsmVerdict =>
      withValue(
        pinChangeCommand({
          style: profile.pinChange,
          masterAc,
          integrity,
          confidentiality,
          atc,
          arqc,
          pin,
          currentPin,
        }),
      );
    const verdict =
      currentBlock === undefined
        ? this.#pins.withPin(request.pin, pan, (pin) => command(pin))
        : this.#pins.withPins(request.pin, currentBlock, pan, command);
    wipe(masterAc);
    integrity.destroy();
    confidentiality.destroy();
    return verdict;
  }

  #scriptKey(
    handle: string,
    role: 'script_integrity' | 'script_confidentiality',
    { version, pan, psn, atc, arqc }: ScriptMac | ScriptPinChange,
  ): TdesKey | HsmVerdict {
    const imk = this.#keys.find<TdesKey>(handle, role);
    if (!isKey(imk)) return imk;
    const profile = profileOf(version);
    const master = iccMasterKey(imk, pan, psn, profile.masterKey);
    if (profile.scripts === 'visa') {
      const key = ownedKey(visaScriptKey(master, atc));
      wipe(master);
      return key;
    }
    const masterKey = ownedKey(master);
    const key = ownedKey(sessionKey(masterKey, arqc));
    masterKey.destroy();
    return key;
  }
}

/** A key of bytes that nobody else needs any more. */
function ownedKey(bytes: Buffer): TdesKey {
  const key = new TdesKey(bytes);
  wipe(bytes);
  return key;
}

function cryptogramKey(profile: CryptogramProfile, master: TdesKey, { atc, un }: VerifyArqc | AnswerArqc): TdesKey {
  switch (profile.session) {
    case 'none':
      return master;
    case 'common':
      return ownedKey(sessionKey(master, counterValue(atc)));
    case 'mchip':
      return ownedKey(sessionKey(master, mchipValue(atc, un)));
  }
}

/** The issuer's answer, when one is asked for. */
function arpc(
  profile: CryptogramProfile,
  master: TdesKey,
  session: TdesKey,
  request: VerifyArqc | AnswerArqc,
): HsmVerdict {
  const key = profile.arpcKey === 'master' ? master : session;
  const { arqc, responseCode, cardStatus, proprietary } = request;
  if (responseCode !== undefined) return withValue(arpcMethod1(key, arqc, responseCode));
  if (cardStatus !== undefined) return withValue(arpcMethod2(key, arqc, cardStatus, proprietary ?? none));
  return done;
}
