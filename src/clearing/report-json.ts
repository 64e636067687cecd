/** The report of a clearing file in the form in which it leaves the program: snake_case, days as dates, sums exact. */
import { currencyLetters } from '../domain/currencies.js';
import type { ClearingReport } from './reader.js';

/** A sum as a number, as text where a number would round it. */
const exact = (sum: bigint): number | string => {
  const number = Number(sum);
  return Number.isSafeInteger(number) ? number : String(sum);
};

const date = (day: number): string | null => (day < 0 ? null : new Date(day * 86_400_000).toISOString().slice(0, 10));
/** Letters of ISO 4217; the digits of a code that is none; null when there is none at all. */
const currencyName = (currency: number): string | null =>
  currency < 0 ? null : (currencyLetters(currency) ?? String(currency).padStart(3, '0'));

/** The report as a JSON object. It holds no card number. */
export function reportJson(report: ClearingReport) {
  return {
    object: 'clearing_file_check',
    accepted: report.accepted,
    format: report.format,
    profile: report.profile,
    encoding: report.encoding,
    blocked: report.blocked,
    file_id: report.fileId,
    mode: report.mode,
    bytes: report.bytes,
    sha256: report.sha256,
    records: report.records,
    messages: report.messages,
    amount_sum: exact(report.amountSum),
    sums: report.sums.map(({ currency, transaction, settlement, billing }) => ({
      currency: currencyName(currency),
      transaction: exact(transaction),
      settlement: exact(settlement),
      billing: exact(billing),
    })),
    settlements: report.settlements.map(({ key, currency, records, debits, credits, earned }) => ({
      settlement_date: date(key?.settlementDay ?? -1),
      settlement_cycle: key?.settlementCycle ?? null,
      reconciliation_date: date(key?.reconciliationDay ?? -1),
      reconciliation_cycle: key?.reconciliationCycle ?? null,
      transfer_agent: key?.transferAgent ?? null,
      service_id: key?.serviceId ?? null,
      currency: currencyName(currency),
      records,
      debits: exact(debits),
      credits: exact(credits),
      earned: exact(earned),
    })),
    errors: report.errors,
    warnings: report.warnings,
    findings: report.findings,
  };
}
