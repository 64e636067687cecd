/**
 * How many files this process may open, and how many of them its peers may have. Node raises the soft limit to the hard one
 * when it starts, so what counts is the hard limit (`ulimit -Hn`, `LimitNOFILE` of systemd).
 */
import { FILES_RESERVED_MAX, FILES_RESERVED_MIN } from '../limits.js';

interface ReportFacts {
  header: { glibcVersionRuntime?: string };
  userLimits?: { open_files?: { soft: number | string; hard: number | string } };
}

/** What the process report knows; takes some 10 ms. */
export function reportFacts(): ReportFacts {
  // Without this the report resolves the name of every connection.
  Object.assign(process.report, { excludeNetwork: true });
  return process.report.getReport() as unknown as ReportFacts;
}

/** Files this process may open; Infinity without a limit, undefined when the system does not tell. */
export function openFilesLimit(): number | undefined {
  const soft = reportFacts().userLimits?.open_files?.soft;
  if (soft === undefined) return undefined;
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

/**
 * Sockets that peers may have at this limit of open files: what the engine opens itself is taken off, a quarter of the limit
 * but at least FILES_RESERVED_MIN and at most FILES_RESERVED_MAX.
 */
export function socketsAllowed(openFiles: number | undefined): number {
  if (openFiles === undefined) return Number.POSITIVE_INFINITY;
  const reserved = Math.min(FILES_RESERVED_MAX, Math.max(FILES_RESERVED_MIN, Math.floor(openFiles / 4)));
  return Math.max(0, openFiles - reserved);
}
