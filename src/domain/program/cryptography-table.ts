/**
 * What a program asks of card cryptography: which of the values that a message carries are checked, and with which keys. Keys are
 * names; what is behind one only the adapter knows (`--hsm-keys`, or a device). Without a rule a value is not checked.
 */

/** What a wrong value does: `record` leaves it to rules and to whoever reads the record. */
export type OnWrong = 'decline' | 'record';
/** The order in which the issuer put year and month into a verification value. */
export type ExpiryOrder = 'YYMM' | 'MMYY';

/** The value on the stripe, and the one in a chip's copy of it (service code 999). */
export interface StripeRule {
  readonly key: string;
  readonly expiry: ExpiryOrder;
  /** Digits between the service code and the value: 5 where PVKI and PVV come first. */
  readonly offset: number;
  readonly onWrong: OnWrong;
}

export interface Cvv2Rule {
  readonly key: string;
  readonly expiry: ExpiryOrder;
  readonly onWrong: OnWrong;
}

export interface Ibm3624Rule {
  readonly key: string;
  /** Decimalisation table, 16 digits. */
  readonly table: string;
  /** Digits of the PAN from `start` on (0: the first), filled up with `pad`. */
  readonly validation: { readonly start: number; readonly length: number; readonly pad: string };
}

export interface PinRule {
  /** ISO 9564 format of DE52. */
  readonly format: 0 | 1 | 3;
  /** Key of the zone that DE52 comes from. */
  readonly zoneKey: string;
  /** Other zones, by the number of their link. */
  readonly zoneKeys: Readonly<Record<string, string>>;
  /** Keys of PVVs by their index (PVKI). */
  readonly pvvKeys: Readonly<Record<string, string>>;
  readonly ibm3624: Ibm3624Rule | undefined;
}

export interface ChipRule {
  /** Whose layout of tag 9F10 names the cryptogram version. */
  readonly scheme: 'visa' | 'mchip';
  /** The issuer's master key for application cryptograms. */
  readonly key: string;
  readonly onWrong: OnWrong;
  /** How far a counter may be ahead of the highest one that was seen. */
  readonly jumpMax: number;
  readonly onJump: OnWrong;
  /** Card status update of the answers of ARPC method 2, 8 hexadecimal digits. */
  readonly approvedStatus: string;
  readonly declinedStatus: string;
}

export interface ThreeDSecureRule {
  /** Levels of DE48 tag 42 that are declined. */
  readonly deny: readonly number[];
}

export interface CryptographyTable {
  readonly stripe: StripeRule | undefined;
  readonly cvv2: Cvv2Rule | undefined;
  readonly pin: PinRule | undefined;
  readonly chip: ChipRule | undefined;
  readonly threeDSecure: ThreeDSecureRule | undefined;
}

export const noChecks: CryptographyTable = {
  stripe: undefined,
  cvv2: undefined,
  pin: undefined,
  chip: undefined,
  threeDSecure: undefined,
};
