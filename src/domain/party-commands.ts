/** Writes about accounts and cards, and how the shards show them (commands.ts says how they travel). */
import type { AccountStatus, AccountType, CardStatus } from './codes.js';
import type { Fingerprint } from './events.js';

/** Idempotency of one API write: HMAC-SHA-256 of key and body, 32 bytes each. Both are kept in the same frame as the effect. */
export interface IdempotencyTag {
  keyHash: Uint8Array;
  bodyHash: Uint8Array;
}

/**
 * `controlsRevision`, beside `controls`: revision of the program that they were checked under. A shard that decides with an
 * older one refuses them (`shard_unavailable`): it may lack a category group that they name.
 */
export interface CreateAccount {
  op: 'create_account';
  /** 1-64 characters of [A-Za-z0-9_.-]; decides the shard (journal/placement). */
  id: string;
  program: number;
  currency: number;
  creditLimit: number;
  type: AccountType;
  /** Controls as JSON, checked by the control plane. */
  controls?: string;
  controlsRevision?: number;
  idempotency?: IdempotencyTag;
}

export interface UpdateAccount {
  op: 'update_account';
  id: string;
  creditLimit?: number;
  status?: AccountStatus;
  /** Controls as JSON, checked by the control plane; '' takes them away. */
  controls?: string;
  controlsRevision?: number;
  idempotency?: IdempotencyTag;
}

/** The PAN itself is in the vault already, under the fingerprint. */
export interface CreateCard {
  op: 'create_card';
  account: string;
  fingerprint: Fingerprint;
  /** Under fingerprint keys of before by which cards are still found: none of them may have the number either. */
  formerly?: readonly Fingerprint[];
  bin: number;
  last4: number;
  panLength: number;
  expiry: number;
  cardSequence: number;
  serviceCode: number;
  status: CardStatus;
  /** Slot of the replaced card in the same shard; -1 for none. */
  replacesSlot: number;
  /** Controls as JSON, checked by the control plane. Absent: those of the card that it replaces. */
  controls?: string;
  controlsRevision?: number;
  /** Sealed reference value of its PIN (vault/pin-references.ts). */
  pinReference?: Uint8Array;
  idempotency?: IdempotencyTag;
}

/** A network token of a card: a number of its own that stands for it. The number is in the vault already. */
export interface CreateAlias {
  op: 'create_alias';
  cardSlot: number;
  fingerprint: Fingerprint;
  formerly?: readonly Fingerprint[];
  bin: number;
  last4: number;
  panLength: number;
  expiry: number;
  status: CardStatus;
  idempotency?: IdempotencyTag;
}

/** Of a card, or of a network token. */
export interface UpdateCard {
  op: 'update_card';
  cardSlot: number;
  /** Absent: nothing changes, and the card is answered as it is. */
  status?: CardStatus;
  /** Failed PINs, 0-255; 0 lets the card try again. */
  pinTries?: number;
  /** Controls as JSON, checked by the control plane; '' takes them away. */
  controls?: string;
  controlsRevision?: number;
  /** Sealed reference value of its PIN, empty: it has none any more. */
  pinReference?: Uint8Array;
  /** Fingerprint that the value was sealed for: refused when the card has another one by now. */
  sealedFor?: Fingerprint;
  idempotency?: IdempotencyTag;
}

/**
 * Gives cards and network tokens other fingerprints of their numbers, at most FINGERPRINTS_COMMAND_MAX; each is a record. One that
 * has it already is done. Answers how many were changed, and how many have neither of the two.
 */
export interface ChangeFingerprints {
  op: 'change_fingerprints';
  cards: readonly { readonly cardSlot: number; readonly before: Fingerprint; readonly after: Fingerprint }[];
}

/** Rows of one shard; each is decided alone, in order, all in one frame. */
export interface ImportRows {
  op: 'import';
  rows: { account: Omit<CreateAccount, 'op'>; card?: Omit<CreateCard, 'op' | 'account'> }[];
}

export interface AccountView {
  slot: number;
  id: string;
  program: number;
  currency: number;
  creditLimit: number;
  type: AccountType;
  status: AccountStatus;
  posted: number;
  held: number;
  /** Its own controls as JSON, '' without. Not in the rows of a list: a page of them might not fit the ring. */
  controls?: string;
  /** Sequence of the record that set them; 0 when there never were any. */
  controlsSequence: number;
  createdMs: number;
  /** Newest record of the account in its shard: the head of its list. */
  newestSequence: number;
}

export interface CardView {
  slot: number;
  account: string;
  /** Program of the account. */
  program: number;
  /** Finds the card number in the vault. */
  fingerprint: Fingerprint;
  bin: number;
  last4: number;
  panLength: number;
  expiry: number;
  cardSequence: number;
  serviceCode: number;
  /** What decides: its own status, or of an active card the network's listing. */
  status: CardStatus;
  /** By which the network lists it, 0 when it does not. */
  listing: CardStatus | 0;
  replacesSlot: number;
  /** Slot of the card that a network token stands for, -1 for a card. */
  aliasOfSlot: number;
  /** Failed PINs, 0-255. */
  pinTries: number;
  /** Whether there is something to compare a PIN with. */
  pinSet: boolean;
  /** Its own controls as JSON, '' without. Not in the rows of a list. */
  controls?: string;
  /** Sequence of the record that set them; 0 when there never were any. */
  controlsSequence: number;
  createdMs: number;
  newestSequence: number;
}
