/** A clearing file as the API shows it. */
import type { ClearingFileRecord } from '../system-log.js';
import type { SystemState } from '../system-state.js';
import { time } from '../views.js';
import type { ClearingFiles, ClearingProgress } from './files.js';
import { noOutcome } from './poster.js';
import { isUnfinished } from './registry.js';

/** @throws HoldfastError when the journal cannot be read */
export function clearingFileObject(system: SystemState, files: ClearingFiles, id: string) {
  const file = system.clearingFiles.file(id);
  if (file === undefined) return undefined;
  // A duplicate shows the outcome of the file that has its content.
  const shown = file.state === 'duplicate' ? (system.clearingFiles.file(file.other) ?? file) : file;
  const { checked, outcome } = shown;
  const report = checked?.report;
  const unfinished = isUnfinished(file.state);
  const { posted, duplicates, rejected, forcePosted, suspense, matchedBy } = outcome ?? noOutcome();
  const notPosted = checked?.notPosted ?? {};
  const others = Object.values(notPosted).reduce((sum, count) => sum + count, 0);
  return {
    object: 'clearing_file',
    id: file.id,
    status: unfinished ? 'processing' : file.state,
    ...{ format: file.options.format, encoding: file.options.encoding, blocked: file.options.blocked },
    mode: orNull(report?.mode),
    file_id: orNull(shown.fileId),
    bytes: file.bytes,
    sha256: file.sha256,
    records: (checked?.postings ?? 0) + others,
    ...{ posted, duplicates, rejected, force_posted: forcePosted, suspense },
    matched_by: matchedBy,
    not_posted: notPosted,
    totals: checked === null ? null : totalsOf(checked),
    errors: report?.errors ?? 0,
    warnings: report?.warnings ?? 0,
    findings: report?.findings ?? [],
    progress: unfinished ? progressObject(files.progress(id)) : null,
    duplicate_of: file.state === 'duplicate' ? file.other : null,
    conflicts_with: file.state === 'quarantined' ? orNull(file.other) : null,
    created_at: time(file.receivedMs),
    finished_at: unfinished ? null : time(file.atMs),
  };
}

function totalsOf({ report, positions, positionsLeftOut }: NonNullable<ClearingFileRecord['checked']>): object {
  const { messages, amount_sum, sums, settlements } = report;
  return { messages, amount_sum, sums, settlements, positions, positions_left_out: positionsLeftOut };
}

function progressObject({ phase, reason, done, total, perSecond }: ClearingProgress): object {
  const left = Math.max(0, total - done);
  return {
    phase,
    reason: orNull(reason),
    done,
    total,
    percent: total === 0 ? 0 : Math.min(100, Math.floor((done * 100) / total)),
    per_second: Math.round(perSecond),
    eta_seconds: perSecond > 0 ? Math.ceil(left / perSecond) : null,
  };
}

const orNull = (text: string | undefined): string | null => (text === undefined || text === '' ? null : text);
