/**
 * The port in software, on node:crypto. For development, tests, simulations, and for what PCI does not keep out of software; keys
 * and PINs are in the memory of this process, which nothing protects. PIN operations are therefore refused unless they are allowed
 * by name (PCI PIN, requirement 1: a PIN is processed in a secure cryptographic device), and either is said at the start.
 */
import type { AesKey } from '../card/block-key.js';
import { done, failed, type HsmOp, type HsmRequest, type HsmVerdict, type InlineHsm, withValue } from './port.js';
import { requestFault } from './request-checks.js';
import { SoftCards } from './soft-cards.js';
import { isKey, type SoftKeys, unknownKey } from './soft-keys.js';
import { answerMac } from './soft-macs.js';
import { SoftPins } from './soft-pins.js';

export interface SoftHsmOptions {
  /** Deciphers PIN blocks in this process. Never for the PINs of real cardholders. */
  readonly allowSoftwarePin?: boolean;
  /** Takes the line that is said at the start. */
  readonly say: (line: string) => void;
}

/** Operations that have a clear PIN in memory. */
const pinOps: ReadonlySet<HsmOp> = new Set([
  'verify_pin',
  'change_pin',
  'set_pin',
  'translate_pin',
  'script_pin_change',
]);

export class SoftHsm implements InlineHsm {
  readonly name = 'software';
  readonly #keys: SoftKeys;
  readonly #pins: SoftPins;
  readonly #cards: SoftCards;
  readonly #pinAllowed: boolean;

  constructor(keys: SoftKeys, { allowSoftwarePin = false, say }: SoftHsmOptions) {
    this.#keys = keys;
    this.#pins = new SoftPins(keys);
    this.#cards = new SoftCards(keys, this.#pins);
    this.#pinAllowed = allowSoftwarePin;
    say(
      allowSoftwarePin
        ? 'card cryptography runs in software WITH PIN operations: for tests and simulations only, never for PINs of cardholders'
        : 'card cryptography runs in software: PIN operations are refused (they need a device, or to be allowed for tests)',
    );
  }

  supports(op: HsmOp): boolean {
    return this.#pinAllowed || !pinOps.has(op);
  }

  submit(request: HsmRequest): Promise<HsmVerdict> {
    return Promise.resolve(this.answer(request));
  }

  answer(request: HsmRequest): HsmVerdict {
    if (!this.supports(request.op))
      return failed('not_allowed', `${request.op}: PIN operations in software are not allowed`);
    return requestFault(request) ?? this.#dispatch(request);
  }

  /** Overwrites a key; nothing when there is none. */
  forget(key: string): void {
    this.#keys.remove(key);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #dispatch(request: HsmRequest): HsmVerdict {
    switch (request.op) {
      case 'verify_cvv':
        return this.#cards.verifyCvv(request);
      case 'generate_cvv':
        return this.#cards.generateCvv(request);
      case 'verify_dcvv':
        return this.#cards.verifyDynamicCvv(request);
      case 'verify_cvc3':
        return this.#cards.verifyCvc3(request);
      case 'verify_pin':
        return this.#pins.verify(request);
      case 'change_pin':
        return this.#pins.change(request);
      case 'set_pin':
        return this.#pins.set(request);
      case 'translate_pin':
        return this.#pins.translate(request);
      case 'verify_arqc':
        return this.#cards.verifyArqc(request);
      case 'answer_arqc':
        return this.#cards.answerArqc(request);
      case 'script_mac':
        return this.#cards.scriptMac(request);
      case 'script_pin_change':
        return this.#cards.pinChange(request);
      case 'generate_mac':
      case 'verify_mac':
        return answerMac(this.#keys, request);
      case 'encipher_kek':
      case 'decipher_kek': {
        const key = this.#keys.find<AesKey>(request.key, request.op);
        if (!isKey(key)) return key;
        const { iv, data } = request;
        return withValue(request.op === 'encipher_kek' ? key.encryptCbc(iv, data) : key.decryptCbc(iv, data));
      }
      case 'describe_key': {
        const key = this.#keys.info(request.key);
        return key === undefined ? unknownKey(request.key) : { outcome: 'ok', key };
      }
      case 'import_key':
        return this.#keys.open(request.protection, request.block, request.as);
      case 'export_key':
        return this.#keys.wrap(request.protection, request.key);
      case 'echo':
        return done;
    }
  }
}
