/**
 * The response table of a program: another DE39 for a reason, in all dialects or in one. Only what is decided with the
 * program at hand can be mapped, and an approval never is.
 */
import { snakeCase } from '../code-names.js';
import { Reason, Response, responseCode } from '../codes.js';

/** Name of the part that holds for every dialect. */
export const ALL_DIALECTS = 'all';

/** Decided before the program is known, by a rule in its own words, or no decline at all. */
const unmapped = new Set<number>([
  Reason.none,
  Reason.malformedField,
  Reason.missingField,
  Reason.unsupportedMessage,
  Reason.unsupportedProcessingCode,
  Reason.duplicateOtherAmount,
  Reason.originalUndone,
  Reason.reversedBeforeArrival,
  Reason.unknownCard,
  Reason.currencyMismatch,
  Reason.amountOutOfRange,
  Reason.setAside,
  Reason.rule,
  Reason.cardStatusFinal,
]);

/** Reasons by the name that the API gives them. */
export const mappableReasons: ReadonlyMap<string, Reason> = new Map(
  Object.entries(Reason)
    .filter(([, reason]) => !unmapped.has(reason))
    .map(([name, reason]) => [snakeCase(name), reason]),
);

const reasonNames = new Set(Object.keys(Reason).map(snakeCase));

/** Why a reason of this name cannot be mapped; undefined when it can. */
export function reasonProblem(name: string): string | undefined {
  if (mappableReasons.has(name)) return undefined;
  if (name === 'rule') return 'a rule names its own response';
  return reasonNames.has(name) && name !== 'none'
    ? 'is answered before the program is asked'
    : 'there is no such reason';
}

const approvals = new Set<number>([Response.approved, Response.partial, Response.verified]);

/** Why a code cannot be the answer to a decline; undefined when it can. */
export function codeProblem(code: unknown): string | undefined {
  if (typeof code !== 'string' || !/^[0-9A-Z]{2}$/.test(code)) return 'must be two digits or capital letters';
  return approvals.has(responseCode(code)) ? 'is the code of an approval' : undefined;
}

/** DE39 by reason (0: its own code), one table for each dialect; none at all without a mapping. */
export function compileResponses(
  responses: Readonly<Record<string, Readonly<Record<string, string>>>>,
  dialects: readonly string[],
): readonly Uint16Array[] {
  if (Object.keys(responses).length === 0) return [];
  const size = Math.max(...Object.values(Reason)) + 1;
  return dialects.map((dialect) => {
    const table = new Uint16Array(size);
    for (const part of [ALL_DIALECTS, dialect]) {
      if (!Object.hasOwn(responses, part)) continue;
      for (const [name, code] of Object.entries(responses[part]!)) {
        table[mappableReasons.get(name)!] = responseCode(code);
      }
    }
    return table;
  });
}
