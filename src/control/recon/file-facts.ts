/** Clearing files of the registry in the words of reconciliation (src/recon/files.ts). */
import { networkOfFormat } from '../../clearing/posting.js';
import { currencyNumber } from '../../domain/currencies.js';
import { SETTLEMENT_CYCLE_MAX, type Settlement, settlementOf, subAccount } from '../../domain/ledger/sub-account.js';
import type { SettlementName } from '../../recon/breaks.js';
import type { FileFacts, NetworkTotal, UnpostedRecord } from '../../recon/files.js';
import { shardNameOf } from '../clearing/files.js';
import type { CheckedFile } from '../clearing/passes.js';
import type { ClearingFileRecord, UnpostedEntry } from '../system-log.js';

const DAY_MS = 86_400_000;

/** Undefined for a file that is not finished, or that another one stands for. */
export function factsOf(file: ClearingFileRecord): FileFacts | undefined {
  const { id, state, checked, outcome, atMs } = file;
  if ((state !== 'posted' && state !== 'quarantined') || checked === null) return undefined;
  const { report } = checked;
  const network = networkOfFormat[file.options.format];
  const sums = report.settlements.map((group) => {
    const { settlement_date: date, settlement_cycle: cycle, currency, debits, credits } = group;
    // Files of earlier releases have none.
    const { earned } = group as { readonly earned?: number | string };
    return {
      ...placeOf(network, date, cycle, currency),
      debits: BigInt(debits),
      credits: BigInt(credits),
      earned: earned === undefined ? undefined : BigInt(earned),
    };
  });
  const posted = (outcome?.unposted ?? []).map(unpostedOf);
  const others = (checked.notPostedOwed ?? []).map((group): UnpostedRecord => {
    const settlement = placeOf(network, group.settlement_date, group.settlement_cycle, group.currency);
    const none = { record: 0, why: 'other', otherAmount: false, amount: 0 } as const;
    return { ...none, currency: settlement.currency, settlement, settled: group.owed };
  });
  return {
    ...{ id, name: shardNameOf(file), state, day: Math.floor(atMs / DAY_MS), sums },
    findings: report.findings.filter(({ severity }) => severity === 'error').map(({ code }) => code),
    totals: rowsOf(checked).map((row): NetworkTotal => {
      const place = placeOf(network, row.settlement_date, row.settlement_cycle, row.currency);
      return { ...place, fileId: row.file_id, netAmount: BigInt(row.net_amount), netTotal: BigInt(row.net_total) };
    }),
    totalsLeftOut: checked.unsummedPositions ?? checked.positionsLeftOut,
    unposted: [...posted, ...others],
  };
}

/** Sums of the network's 685 rows; files of earlier releases have the rows, the first ones of them. 688 rows name no messages. */
const rowsOf = ({ positionSums, positions }: CheckedFile) =>
  positionSums ?? positions.filter(({ messages }) => messages !== '');

/** As the ledger has it (clearing/posting.ts): without a day or a cycle of the ledger's there is no settlement. */
function placeOf(network: number, date: string | null, cycle: number | null, letters: string | null): SettlementName {
  const currency = letters === null ? -1 : /^\d+$/.test(letters) ? Number(letters) : currencyNumber(letters);
  const day = date === null ? 0 : Date.parse(`${date}T00:00:00Z`) / DAY_MS;
  const none = { network: 0, day: 0, cycle: 0, currency };
  if (day < 1 || cycle === null || cycle > SETTLEMENT_CYCLE_MAX) return none;
  const place: Settlement = settlementOf(subAccount({ network, day, cycle }));
  return { ...place, currency };
}

function unpostedOf(entry: UnpostedEntry): UnpostedRecord {
  const { record, why, otherAmount, amount, currency, sub, settled, settledCurrency } = entry;
  const place = sub === 0 ? { network: 0, day: 0, cycle: 0 } : settlementOf(sub);
  return { record, why, otherAmount, amount, currency, settlement: { ...place, currency: settledCurrency }, settled };
}
