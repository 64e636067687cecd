/**
 * Codes of DE39 that tell a network something else than that the issuer declines what the cardholder asked for: neither a
 * program's response table nor a rule may give one to a decline.
 */

export const Meaning = {
  /** The network goes on as with an approval (ISO 8583:1987), and the cardholder has what we neither hold nor post. */
  approval: 1,
  /** An answer of the engine to the message itself (format, repeat, no decision), which the peer acts upon: it sends again, or stands in. */
  engine: 2,
  /** Do not honour: says nothing where a specific code exists (section 3 of the domain rules). */
  generic: 3,
} as const;
export type Meaning = (typeof Meaning)[keyof typeof Meaning];

const { approval, engine, generic } = Meaning;
const meanings: Readonly<Record<string, Meaning>> = {
  ...{ '00': approval, '08': approval, '10': approval, '11': approval, '16': approval, '85': approval },
  ...{ '30': engine, '68': engine, '91': engine, '94': engine, '96': engine },
  ...{ '05': generic },
};

/** What the code means instead of a decline with a reason; undefined of one that is one. @param code two characters */
export function otherMeaning(code: string): Meaning | undefined {
  return Object.hasOwn(meanings, code) ? meanings[code] : undefined;
}
