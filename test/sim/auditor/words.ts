/** Words for the numbers of the format, and a record's message as the reference model reads one. */
import type { Message } from '../../domain/reference/message.js';
import type { MessageRecord } from './records.js';

export const CARD_STATUS = ['', 'inactive', 'active', 'paused', 'lost', 'stolen', 'closed', 'expired'] as const;
export const ACCOUNT_STATUS = ['', 'open', 'frozen', 'closed'] as const;
const DIALECTS = ['iso87-bcd', 'iso87-ascii', 'iso87-ascii-bin'];

const PIN = 4;

/** ISO 3166-1, the countries that simulated merchants are in. */
const COUNTRIES: Record<number, string> = {
  ...{ 32: 'AR', 36: 'AU', 40: 'AT', 56: 'BE', 68: 'BO', 76: 'BR', 100: 'BG', 124: 'CA', 152: 'CL', 156: 'CN' },
  ...{ 170: 'CO', 188: 'CR', 191: 'HR', 196: 'CY', 203: 'CZ', 208: 'DK', 218: 'EC', 233: 'EE', 246: 'FI', 250: 'FR' },
  ...{ 276: 'DE', 300: 'GR', 344: 'HK', 348: 'HU', 352: 'IS', 356: 'IN', 360: 'ID', 372: 'IE', 376: 'IL', 380: 'IT' },
  ...{ 392: 'JP', 398: 'KZ', 410: 'KR', 414: 'KW', 428: 'LV', 440: 'LT', 442: 'LU', 458: 'MY', 470: 'MT', 484: 'MX' },
  ...{ 528: 'NL', 554: 'NZ', 566: 'NG', 578: 'NO', 591: 'PA', 600: 'PY', 604: 'PE', 608: 'PH', 616: 'PL', 620: 'PT' },
  ...{ 642: 'RO', 643: 'RU', 682: 'SA', 702: 'SG', 703: 'SK', 704: 'VN', 705: 'SI', 710: 'ZA', 724: 'ES', 752: 'SE' },
  ...{ 756: 'CH', 764: 'TH', 784: 'AE', 792: 'TR', 804: 'UA', 818: 'EG', 826: 'GB', 840: 'US', 858: 'UY', 862: 'VE' },
};

const NAME_LENGTH = 40;

export const lettersOf = (country: number): string => COUNTRIES[country] ?? `?${country}`;

const allZero = (text: string): boolean => /^0*$/.test(text);

/** What the message said, as its record keeps it. */
export function messageOf(r: MessageRecord): Message {
  const m: Message = { mti: r.mti, stan: r.stan, de7: r.transmission, dialect: DIALECTS[r.dialect] ?? '' };
  if (r.processingCode >= 0) m.pc = r.processingCode;
  if (r.amount >= 0) m.amount = r.amount;
  if (r.currency >= 0) m.currency = r.currency;
  if (r.billing >= 0) m.bill = r.billing;
  if (r.billingCurrency >= 0) m.billCurrency = r.billingCurrency;
  if (r.expiry >= 0) m.expiry = r.expiry;
  if (r.localTime >= 0) m.time = r.localTime;
  if (r.localDate >= 0) m.date = r.localDate;
  if (r.mcc >= 0) m.mcc = r.mcc;
  if (r.entryMode >= 0) m.mode = r.entryMode;
  if (r.condition >= 0) m.condition = r.condition;
  if (r.country >= 0) m.country = lettersOf(r.country);
  if (r.functionCode > 0) m.fn = String.fromCharCode(r.functionCode);
  if (r.partial === 1) m.partial = true;
  if ((r.carried & PIN) !== 0) m.pin = true;
  if (r.cashBack >= 0) m.back = r.cashBack;
  if (r.adviceReason > 0) m.why = String.fromCharCode(r.adviceReason);
  if (r.fileAction > 0) m.file = String.fromCharCode(r.fileAction);
  if (r.fileCode >= 0) m.listing = r.fileCode;
  if (r.replacementAmount >= 0) m.de95 = r.replacementAmount;
  if (r.acceptor) m.merchant = r.acceptor;
  if (r.acceptorName.length === NAME_LENGTH) {
    const place = r.acceptorName.slice(-2);
    if (/^[A-Z]{2}$/.test(place)) m.place = place;
  }
  if (r.acquirer) m.acquirer = r.acquirer;
  if (r.forwarder) m.forwarder = r.forwarder;
  if (r.rrn) m.rrn = r.rrn;
  if (r.terminal) m.terminal = r.terminal;
  if (r.approval) m.de38 = r.approval;
  if (r.networkId) m.net = r.networkId;
  if (r.originalNetworkId) m.orig = r.originalNetworkId;
  if (r.holdReference) m.hold = r.holdReference;
  if (r.originalMti >= 0) {
    m.de90 = { mti: r.originalMti };
    if (r.originalStan >= 0) m.de90.stan = r.originalStan;
    if (r.originalTransmission >= 0) m.de90.de7 = r.originalTransmission;
    if (!allZero(r.originalAcquirer)) m.de90.acquirer = r.originalAcquirer;
    if (!allZero(r.originalForwarder)) m.de90.forwarder = r.originalForwarder;
  }
  return m;
}
