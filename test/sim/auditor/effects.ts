/** The last member of a message's record: sections, each a number and its content (docs/internals/journal-format.md). */
import { Cursor, FormatError } from './msgpack.js';

export interface Effects {
  /** Sequence of the undone element. */
  undone: number;
  /** Slot of the network token that it came by, -1 without. */
  token: number;
  /** 1 when the hold is placed anew. */
  placedAnew: number;
  /** Status that a file update lists the card by; 0 without. */
  listing: number;
  cashBack: number;
  adviceReason: number;
  fileAction: number;
  fileCode: number;
  /** Windows of the card and of the account, and amount and count of each before the message. */
  cardWindows: number;
  accountWindows: number;
  readings: readonly number[];
  /** Chart account and amount of each leg. */
  legs: readonly { gl: number; amount: number }[];
  windowLagMs: number;
  /** What the message adds to totals, number and amount; -1 and 0 when that is what its words say. */
  counted: readonly [number: number, amount: number];
  /** Rules asked, and the place of the one that declined (-1: none). */
  rulesAsked: number;
  decidingRule: number;
  /** Failed PINs afterwards; -1: as they were. */
  pinTriesAfter: number;
}

const EMPTY: Effects = {
  ...{ undone: 0, token: -1, placedAnew: 0, listing: 0, cashBack: -1, adviceReason: 0, fileAction: 0, fileCode: -1 },
  ...{ cardWindows: 0, accountWindows: 0, readings: [], legs: [], windowLagMs: 0, counted: [-1, 0] },
  ...{ rulesAsked: 0, decidingRule: -1, pinTriesAfter: -1 },
};

/** @throws FormatError */
export function readEffects(bytes: Buffer): Effects {
  if (bytes.length === 0) return EMPTY;
  const effects = { ...EMPTY };
  const from = new Cursor().point(bytes, 0, bytes.length);
  while (!from.done) readSection(from, effects);
  return effects;
}

function readSection(from: Cursor, into: Effects): void {
  const section = from.integer();
  switch (section) {
    case 1:
      into.undone = from.integer();
      into.token = from.integer();
      into.placedAnew = from.integer();
      from.integer();
      into.listing = from.integer();
      return;
    case 2:
      into.cashBack = from.integer();
      into.adviceReason = from.integer();
      into.fileAction = from.integer();
      into.fileCode = from.integer();
      return;
    case 3: {
      const count = from.integer();
      for (let i = 0; i < count; i++) from.integer();
      return;
    }
    case 4:
      into.rulesAsked = from.integer();
      into.decidingRule = from.integer();
      from.binary();
      return;
    case 5:
      from.binary();
      return;
    case 6: {
      into.cardWindows = from.integer();
      into.accountWindows = from.integer();
      const count = (into.cardWindows + into.accountWindows) * 2;
      into.readings = Array.from({ length: count }, () => from.integer());
      return;
    }
    case 7: {
      const length = from.integer();
      into.legs = Array.from({ length }, () => ({ gl: from.integer(), amount: from.integer() }));
      return;
    }
    case 8:
      into.windowLagMs = from.integer();
      return;
    case 10:
      from.binary();
      into.pinTriesAfter = from.integer();
      from.integer();
      from.integer();
      from.binary();
      return;
    case 11:
      from.integer();
      from.integer();
      return;
    case 12:
      into.counted = [from.integer(), from.integer()];
      return;
    default:
      throw new FormatError(`section ${section} of a message is unknown`);
  }
}
