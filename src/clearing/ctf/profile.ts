/**
 * The CTF profile as data: files shaped like Base II clearing files, as public tools read them. It has not been certified by
 * anybody. Positions count from 1, as everybody who writes about such records counts.
 *
 *   90 header | transactions: TCR0 [TCR1] [TCR5] [TCR7] | 91 batch trailer | ... | 92 file trailer
 *
 * Every record is a line of 168 characters. A transaction is a TCR0 and the components behind it.
 */
import type { ClearingKind } from '../record.js';

/** Component, first position, characters. */
export type Place = readonly [component: number, from: number, length: number];
type Layout = Readonly<Record<string, Place>>;

export const CTF_LINE = 168;
/** Components are numbered by one digit. */
export const CTF_COMPONENTS = 10;

export interface CtfCode {
  readonly name: string;
  /** With usage 1 and 2; usage 2 is a second presentment or an arbitration chargeback. */
  readonly kinds: readonly [ClearingKind, ClearingKind];
  readonly layout: 'draft' | 'fee' | 'header' | 'trailer' | 'unknown';
  /** Processing code in the terms of ISO 8583; '' for what moves no money. */
  readonly processingCode: string;
  readonly reversal: boolean;
}

export const ctfProfile = {
  name: 'base2-ctf',
  version: 1,
  /** Decimals of an interchange amount beyond the minor unit of its currency. */
  interchangeDecimals: 2,
  layouts: {
    draft: {
      account_number: [0, 5, 16],
      account_number_extension: [0, 21, 3],
      acquirer_reference_number: [0, 27, 23],
      purchase_date: [0, 58, 4],
      destination_amount: [0, 62, 12],
      destination_currency: [0, 74, 3],
      source_amount: [0, 77, 12],
      source_currency: [0, 89, 3],
      merchant_name: [0, 92, 25],
      merchant_city: [0, 117, 13],
      merchant_country: [0, 130, 3],
      merchant_category: [0, 133, 4],
      usage: [0, 147, 1],
      reason: [0, 148, 2],
      settlement_flag: [0, 150, 1],
      authorization_code: [0, 152, 6],
      entry_mode: [0, 162, 2],
      processing_date: [0, 164, 4],
      text: [1, 24, 50],
      card_acceptor: [1, 81, 15],
      terminal: [1, 96, 8],
      cash_back: [1, 158, 9],
      transaction_id: [5, 5, 15],
      authorized_amount: [5, 20, 12],
      validation_code: [5, 37, 4],
      clearing_sequence: [5, 45, 2],
      clearing_count: [5, 47, 2],
      interchange_amount: [5, 92, 15],
      interchange_sign: [5, 107, 1],
    },
    fee: {
      reason: [0, 17, 4],
      purchase_date: [0, 24, 4],
      account_number: [0, 28, 16],
      account_number_extension: [0, 44, 3],
      destination_amount: [0, 47, 12],
      destination_currency: [0, 59, 3],
      source_amount: [0, 62, 12],
      source_currency: [0, 74, 3],
      text: [0, 77, 70],
      transaction_id: [0, 148, 15],
      processing_date: [0, 164, 4],
    },
    header: {
      processing_bin: [0, 3, 6],
      file_date: [0, 9, 5],
      test_option: [0, 30, 4],
      file_number: [0, 77, 3],
    },
    trailer: {
      processing_bin: [0, 5, 6],
      file_date: [0, 11, 5],
      destination_sum: [0, 16, 15],
      monetary_count: [0, 31, 12],
      batch_number: [0, 43, 6],
      component_count: [0, 49, 12],
      transaction_count: [0, 75, 9],
      source_sum: [0, 102, 15],
    },
    unknown: {},
  } satisfies Record<CtfCode['layout'], Layout>,
  codes: new Map<number, CtfCode>([
    [5, draft('sales draft', '000000', false)],
    [6, draft('credit voucher', '200000', false)],
    [7, draft('cash disbursement', '010000', false)],
    [25, draft('sales draft reversal', '000000', true)],
    [26, draft('credit voucher reversal', '200000', true)],
    [27, draft('cash disbursement reversal', '010000', true)],
    [15, dispute('sales draft chargeback', '000000', false)],
    [16, dispute('credit voucher chargeback', '200000', false)],
    [17, dispute('cash disbursement chargeback', '010000', false)],
    [35, dispute('sales draft chargeback reversal', '000000', true)],
    [36, dispute('credit voucher chargeback reversal', '200000', true)],
    [37, dispute('cash disbursement chargeback reversal', '010000', true)],
    [10, fee('fee collection', '190000')],
    [20, fee('funds disbursement', '290000')],
    [90, control('file header', 'header', 'header')],
    [91, control('batch trailer', 'batch_trailer', 'trailer')],
    [92, control('file trailer', 'trailer', 'trailer')],
  ]),
} as const;

/** A code that is not in the table is kept and counted, and has no effect. */
export const unknownCode = control('not in the profile', 'other', 'unknown');

function draft(name: string, processingCode: string, reversal: boolean): CtfCode {
  return { name, kinds: ['first_presentment', 'second_presentment_full'], layout: 'draft', processingCode, reversal };
}

function dispute(name: string, processingCode: string, reversal: boolean): CtfCode {
  return { name, kinds: ['chargeback_full', 'arbitration_chargeback_full'], layout: 'draft', processingCode, reversal };
}

function fee(name: string, processingCode: string): CtfCode {
  return { name, kinds: ['fee_collection', 'fee_collection'], layout: 'fee', processingCode, reversal: false };
}

function control(name: string, kind: ClearingKind, layout: CtfCode['layout']): CtfCode {
  return { name, kinds: [kind, kind], layout, processingCode: '', reversal: false };
}
