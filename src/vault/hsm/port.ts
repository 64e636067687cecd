/**
 * The port to card cryptography, by what an issuer wants to know or to have, not by algorithm: is this PIN the cardholder's, did
 * this card make this cryptogram, what is the answer for it. Behind it are the software adapter (`soft-hsm.ts`) and devices
 * (`../payshield/payshield-hsm.ts`).
 *
 * Requests and verdicts are plain data, so that a request can wait while its message is parked, go over a ring or a message port,
 * and come back as a verdict. No request carries a key and no verdict a clear PIN or a clear key, but for the
 * vault's own key-encrypting key, which a device seals and opens: keys are opaque handles.
 *
 * Card numbers and everything secret are byte arrays (digits as ASCII), so that whoever made a request can overwrite them when it
 * is answered (`wipeRequest`).
 */
import type { CryptogramVersion } from '../card/emv-profiles.js';
import type { MacPadding } from '../card/mac.js';
import type { PinBlockFormat } from '../card/pin-block.js';
import type { ValidationData } from '../card/pin-reference.js';
import type { KeyInfo } from './key-policy.js';

/** Name of a key; what is behind it only the adapter knows. */
export type KeyHandle = string;
/** Decimal digits as ASCII bytes. */
export type Digits = Uint8Array;

/** A PIN as it travels: the block and the key it is enciphered under, a zone's or (with `ksn`) one of a terminal's DUKPT. */
export interface EncipheredPin {
  readonly key: KeyHandle;
  /** Key serial number: 10 bytes (TDES) or 12 (AES); `key` is then the base derivation key. */
  readonly ksn?: Uint8Array;
  readonly format: PinBlockFormat;
  /** 8 bytes, of format 4 16. */
  readonly block: Uint8Array;
}

/** How a reference value comes from a PIN. */
export type PinMethod =
  | {
      readonly method: 'pvv';
      readonly key: KeyHandle;
      /** PVKI, 0 to 9. */
      readonly keyIndex: number;
    }
  | {
      readonly method: 'ibm3624';
      readonly key: KeyHandle;
      /** Decimalisation table: 16 digits. */
      readonly table: Digits;
      readonly validation: ValidationData;
    };

interface Card {
  /** 12 to 19 digits. */
  readonly pan: Digits;
}
interface ChipCard extends Card {
  /** PAN sequence number, 2 digits. */
  readonly psn: Digits;
}
interface TrackData {
  /** Expiry as the value was made with: 4 digits in the issuer's order. */
  readonly expiry: string;
  /** 3 digits: the card's own code for CVV, 000 for CVV2, 999 for iCVV. */
  readonly serviceCode: string;
}
interface Cryptogram extends ChipCard {
  readonly key: KeyHandle;
  readonly version: CryptogramVersion;
  /** 2 bytes. */
  readonly atc: Uint8Array;
  /** 4 bytes. */
  readonly un: Uint8Array;
  /** 8 bytes. */
  readonly arqc: Uint8Array;
  /** Versions with ARPC method 1: response code, 2 bytes. */
  readonly responseCode?: Uint8Array;
  /** Versions with ARPC method 2: card status update, 4 bytes, and 0 to 8 bytes of the issuer's. */
  readonly cardStatus?: Uint8Array;
  readonly proprietary?: Uint8Array;
}
type Op<Name extends string, Fields> = { readonly op: Name } & Fields;

export type VerifyCvv = Op<'verify_cvv', Card & TrackData & { readonly key: KeyHandle; readonly cvv: Digits }>;
export type GenerateCvv = Op<'generate_cvv', Card & TrackData & { readonly key: KeyHandle }>;
/** A card's contactless stripe value: `cvv` is dCVV (3 digits). */
export type VerifyDynamicCvv = Op<
  'verify_dcvv',
  ChipCard &
    TrackData & {
      readonly key: KeyHandle;
      readonly masterKey: 'A' | 'B' | 'B_always';
      readonly atc: Uint8Array;
      readonly cvv: Digits;
    }
>;
export type VerifyCvc3 = Op<
  'verify_cvc3',
  ChipCard & {
    readonly key: KeyHandle;
    readonly masterKey: 'A' | 'B' | 'B_always';
    /** The static track data, or its IVCVC3 (2 bytes) when the issuer keeps that. */
    readonly track: Uint8Array;
    /** 4 bytes. */
    readonly un: Uint8Array;
    /** 2 bytes. */
    readonly atc: Uint8Array;
    /** The last 3 to 5 digits of the value: as many as the card sends. */
    readonly cvc3: Digits;
  }
>;
export type VerifyPin = Op<
  'verify_pin',
  Card & {
    readonly pin: EncipheredPin;
    readonly method: PinMethod;
    /** PVV (4 digits) or offset (as many as the PIN has). */
    readonly reference: Digits;
  }
>;
/** The PIN of now and a new one under the same key: the new reference value, when the PIN of now is right. */
export type ChangePin = Op<
  'change_pin',
  Card & {
    readonly pin: EncipheredPin;
    readonly method: PinMethod;
    readonly reference: Digits;
    /** Block of the new PIN: key, KSN and format as of `pin`. */
    readonly newBlock: Uint8Array;
  }
>;
/** The reference value of a chosen PIN. */
export type SetPin = Op<'set_pin', Card & { readonly pin: EncipheredPin; readonly method: PinMethod }>;
/** The same PIN under another key, in another format: PCI PIN 3-3 says which. */
export type TranslatePin = Op<
  'translate_pin',
  Card & {
    readonly pin: EncipheredPin;
    readonly toKey: KeyHandle;
    readonly toFormat: PinBlockFormat;
  }
>;
/** Whether the card made the cryptogram, and the issuer's answer when it did and one is asked for. */
export type VerifyArqc = Op<
  'verify_arqc',
  Cryptogram & {
    /** What the card signed, not padded (`cryptogramInput`). */
    readonly data: Uint8Array;
  }
>;
/**
 * The issuer's answer to a cryptogram that was found right before, when the response was not known yet. It verifies nothing: whoever
 * asks has had the verdict.
 */
export type AnswerArqc = Op<'answer_arqc', Cryptogram>;
/** MAC of a script command for the card. */
export type ScriptMac = Op<
  'script_mac',
  ChipCard & {
    readonly key: KeyHandle;
    readonly version: CryptogramVersion;
    readonly atc: Uint8Array;
    readonly arqc: Uint8Array;
    /** Command header, 5 bytes. */
    readonly header: Uint8Array;
    readonly data: Uint8Array;
  }
>;
/** The whole PIN CHANGE command for the card. */
export type ScriptPinChange = Op<
  'script_pin_change',
  ChipCard & {
    /** The issuer's keys for cryptograms, script MACs and script confidentiality. */
    readonly acKey: KeyHandle;
    readonly macKey: KeyHandle;
    readonly encipherKey: KeyHandle;
    readonly version: CryptogramVersion;
    readonly atc: Uint8Array;
    readonly arqc: Uint8Array;
    /** The new PIN. */
    readonly pin: EncipheredPin;
    /** Block of the PIN of now, when Visa's card must know it: key, KSN and format as of `pin`. */
    readonly currentBlock?: Uint8Array;
  }
>;
interface MacParameters {
  readonly key: KeyHandle;
  /** The key is a base derivation key, and this the serial number of the transaction. */
  readonly ksn?: Uint8Array;
  /** Of DUKPT: what the terminal sent, or what it gets. */
  readonly direction?: 'request' | 'response';
  readonly algorithm: 'retail' | 'cbc' | 'cmac';
  /** Of retail and CBC MAC. */
  readonly padding: MacPadding;
  /** Bytes of the MAC, 4 to a block. */
  readonly length: number;
  readonly data: Uint8Array;
}
export type GenerateMac = Op<'generate_mac', MacParameters>;
export type VerifyMac = Op<'verify_mac', MacParameters & { readonly mac: Uint8Array }>;
interface SealedBytes {
  /** A key for data (D0) that never leaves the device. */
  readonly key: KeyHandle;
  /** 16 bytes. */
  readonly iv: Uint8Array;
  /** 32 bytes. */
  readonly data: Uint8Array;
}
/** The key-encrypting key of the vault as it lies in its file, and back (AES-CBC). */
export type EncipherKek = Op<'encipher_kek', SealedBytes>;
export type DecipherKek = Op<'decipher_kek', SealedBytes>;
export type DescribeKey = Op<'describe_key', { readonly key: KeyHandle }>;
/** Takes in a key block (X9.143, versions B and D) under the name `as`. */
export type ImportKey = Op<
  'import_key',
  { readonly protection: KeyHandle; readonly block: string; readonly as: KeyHandle }
>;
/** The key as a key block of version D. */
export type ExportKey = Op<'export_key', { readonly protection: KeyHandle; readonly key: KeyHandle }>;
/** Whether anybody is there. */
export type Echo = Op<'echo', object>;

export type HsmRequest =
  | VerifyCvv
  | GenerateCvv
  | VerifyDynamicCvv
  | VerifyCvc3
  | VerifyPin
  | ChangePin
  | SetPin
  | TranslatePin
  | VerifyArqc
  | AnswerArqc
  | ScriptMac
  | ScriptPinChange
  | GenerateMac
  | VerifyMac
  | EncipherKek
  | DecipherKek
  | DescribeKey
  | ImportKey
  | ExportKey
  | Echo;
export type HsmOp = HsmRequest['op'];

/**
 * Why there is no answer. None of them says anything about the cardholder, except `pin_unreadable`: the block is none of this
 * card under this key.
 */
export const hsmFailures = {
  /** The PIN block cannot be read: wrong key, wrong card, damaged. */
  pin_unreadable: { retryable: false },
  /** The key is unknown, or of another usage, mode or kind than the operation needs. */
  key_not_usable: { retryable: false },
  /** The request is malformed. */
  bad_request: { retryable: false },
  /** A rule forbids it: PIN work in software, a translation that PCI PIN forbids, a key that is not exportable. */
  not_allowed: { retryable: false },
  /** This adapter or this device cannot do it. */
  unsupported: { retryable: false },
  /** No device can be reached, or the connection ended before the answer came. */
  device_down: { retryable: true },
  /** Every device has as much to do as it may have. */
  device_busy: { retryable: true },
  /** No answer in time. */
  timeout: { retryable: true },
  /** The device reports a fault of its own. */
  device_error: { retryable: true },
} as const satisfies Record<string, { readonly retryable: boolean }>;
export type HsmFailure = keyof typeof hsmFailures;

export type HsmVerdict =
  /** It is so, or it is done. */
  | {
      readonly outcome: 'ok';
      /** CVV, reference value, PIN block, ARPC, MAC or command. */
      readonly value?: Uint8Array;
      /** Of `describe_key` and `import_key`. */
      readonly key?: KeyInfo;
      /** Of `export_key`. */
      readonly block?: string;
    }
  /** It is not so: another PIN, CVV, cryptogram or MAC. */
  | { readonly outcome: 'mismatch' }
  | {
      readonly outcome: 'failed';
      readonly failure: HsmFailure;
      /** What is wrong, for the log: names of fields and keys, never a value. */
      readonly detail: string;
    };

export interface Hsm {
  /** Name in logs. */
  readonly name: string;
  /** Whether this adapter has the operation at all. */
  supports(op: HsmOp): boolean;
  /**
   * Never rejects.
   * @param budgetMs time until the verdict must be there, ms; the adapter's own limit holds besides
   */
  submit(request: HsmRequest, budgetMs?: number): Promise<HsmVerdict>;
  /** Ends connections; what is under way is answered `device_down`. */
  close(): Promise<void>;
}

/** An adapter without a wire: it answers at once, and a shard need not park the message. */
export interface InlineHsm extends Hsm {
  answer(request: HsmRequest): HsmVerdict;
}

export const done: HsmVerdict = { outcome: 'ok' };
export const mismatch: HsmVerdict = { outcome: 'mismatch' };
export const withValue = (value: Uint8Array): HsmVerdict => ({ outcome: 'ok', value });
export const failed = (failure: HsmFailure, detail: string): HsmVerdict => ({ outcome: 'failed', failure, detail });

/** Overwrites card number, PIN blocks, reference values, CVVs, cryptograms and data of a request that has been answered. */
export function wipeRequest(request: HsmRequest): void {
  wipeFields(request);
}

function wipeFields(value: object): void {
  for (const field of Object.values(value) as unknown[]) {
    if (field instanceof Uint8Array) field.fill(0);
    else if (typeof field === 'object' && field !== null) wipeFields(field);
  }
}
