/**
 * The response table of a program: another DE39 for a reason, in all dialects or in one. Only what is decided with the
 * program at hand can be mapped, and only to what a network takes for a decline of what the cardholder asked for.
 */
import { snakeCase } from '../code-names.js';
import { Reason, Response, responseCode, responseText } from '../codes.js';
import { Meaning, otherMeaning } from '../decline-codes.js';

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

const NO_CODE = 'must be two digits or capital letters';
const isCode = (code: unknown): code is string => typeof code === 'string' && /^[0-9A-Z]{2}$/.test(code);

/** What could not be checked, for want of a device or of a key that fits, is no decline of the cardholder: it may say so. */
const faults: readonly string[] = ['cryptography_unavailable', 'cryptography_fault'];
const faultCodes: readonly string[] = [responseText(Response.unavailable), responseText(Response.systemError)];
/** What not every network has a code of its own for (section 3 of the domain rules: 88, or 05 by the program). */
const withoutCode: readonly string[] = ['wrong_cryptogram', 'counter_replayed', 'counter_jumped'];

const problems: Readonly<Record<Meaning, string>> = {
  [Meaning.approval]: 'is the code of an approval: the network would take the decline for one',
  [Meaning.engine]: 'is an answer of the engine to the message itself, which the network acts upon: no decline',
  [Meaning.generic]: `says nothing; it is for ${withoutCode.join(', ')} only`,
};

/**
 * Why a code cannot be the answer to a decline for this reason; undefined when it can.
 * @param isRecorded true for what a program says already: it is read as it was accepted
 */
export function codeProblem(reason: string, code: unknown, isRecorded: boolean): string | undefined {
  if (!isCode(code)) return NO_CODE;
  if (isRecorded) return undefined;
  const other = otherMeaning(code);
  if (other === undefined) return undefined;
  if (other === Meaning.generic && withoutCode.includes(reason)) return undefined;
  if (other === Meaning.engine && faults.includes(reason) && faultCodes.includes(code)) return undefined;
  return problems[other];
}

/** DE39 by reason, for all dialects and by dialect. */
export type Responses = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** DE39 by reason (0: its own code), one table for each dialect; none at all without a mapping. */
export function compileResponses(responses: Responses, dialects: readonly string[]): readonly Uint16Array[] {
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
