/** JSON text that is too long to be made in one turn of the event loop: in pieces, byte for byte what `JSON.stringify` gives. */
import { RECON_PIECE_ROWS } from '../limits.js';

/** A list that can be long: its items become objects only when their piece is made. */
export class LongList<T> {
  readonly rows: readonly T[];
  readonly toJson: (row: T) => object;

  constructor(rows: readonly T[], toJson: (row: T) => object) {
    this.rows = rows;
    this.toJson = toJson;
  }
}

/** An object with long lists among its members, within another one. */
export class LongObject {
  readonly members: object;

  constructor(members: object) {
    this.members = members;
  }
}

/**
 * @param members of the object, one at least, none of them undefined @param indent spaces for each level; 0: all in one line
 * @param depth of the members, from 1
 */
export function* jsonPieces(members: object, indent: 0 | 2, depth = 1): Generator<string> {
  const line = lineOf(indent, depth);
  let text = '{';
  let comma = '';
  for (const [name, value] of Object.entries(members)) {
    text += `${comma}${line}${JSON.stringify(name)}${indent === 0 ? ':' : ': '}`;
    comma = ',';
    if (value instanceof LongObject || value instanceof LongList) {
      yield text;
      text = '';
      if (value instanceof LongObject) yield* jsonPieces(value.members, indent, depth + 1);
      else yield* listPieces(value, indent, depth + 1);
    } else text += textOf(value, indent, line);
  }
  yield `${text}${lineOf(indent, depth - 1)}}`;
}

function* listPieces<T>({ rows, toJson }: LongList<T>, indent: 0 | 2, depth: number): Generator<string> {
  const line = lineOf(indent, depth);
  for (let from = 0; from < rows.length; from += RECON_PIECE_ROWS) {
    const piece = rows.slice(from, from + RECON_PIECE_ROWS).map((row) => line + textOf(toJson(row), indent, line));
    yield (from === 0 ? '[' : ',') + piece.join(',');
  }
  yield rows.length === 0 ? '[]' : `${lineOf(indent, depth - 1)}]`;
}

/** The line feed, and the spaces in front of what stands at that depth. */
const lineOf = (indent: 0 | 2, depth: number): string => (indent === 0 ? '' : `\n${' '.repeat(indent * depth)}`);

/** Strings of JSON hold no line feed: all that are there separate members. */
function textOf(value: unknown, indent: 0 | 2, line: string): string {
  const text = JSON.stringify(value, null, indent);
  return indent === 0 ? text : text.replaceAll('\n', line);
}
