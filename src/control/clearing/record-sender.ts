/**
 * One part of a batch of clearing records, from a command to one answer for each:
 *
 *   a card that came lately    the shard of its number is asked first: the record, or what it takes back, may be in suspense there
 *   a number that had other    the shards of those are asked first as well, of an unknown number too
 *   fingerprints
 *   refused for good           the records go one by one, and the one that is to blame is put aside
 *
 * A refusal for good must end somewhere: asked again for ever, one record would hold up its file and all that come after it.
 */
import { MatchRung } from '../../domain/clearing/codes.js';
import type { ClearingAnswer, ClearingEntry } from '../../domain/clearing/input.js';
import type { Command, CommandResult } from '../../domain/commands.js';
import type { Fingerprint } from '../../domain/events.js';
import { shardOfFingerprint } from '../../journal/placement.js';

/** What became of a record. `refused`: its shard does not take it, for the reason in `field`. */
export type RecordAnswer = Omit<ClearingAnswer, 'outcome'> & {
  outcome: Exclude<ClearingAnswer['outcome'], 'elsewhere'> | 'refused';
};
type Answer = RecordAnswer | ClearingAnswer;

export class RecordSender {
  readonly #file: string;
  readonly #shards: number;
  readonly #command: (shard: number, command: Command) => Promise<CommandResult>;

  /** @param command asks a shard until it is done or refuses for good */
  constructor(file: string, shards: number, command: (shard: number, command: Command) => Promise<CommandResult>) {
    this.#file = file;
    this.#shards = shards;
    this.#command = command;
  }

  /** Answers of the first records, at least one, in their order: a shard does as many as its turn has time for. */
  async clear(shard: number, records: ClearingEntry[]): Promise<RecordAnswer[]> {
    const found = records.some((record) => namesInSuspense(record).length > 0) ? await this.#inSuspense(records) : [];
    const rest = records.filter((_, index) => found[index] === undefined);
    const posted = await this.#ask(shard, rest, false);
    const answers: RecordAnswer[] = [];
    let at = 0;
    for (const index of records.keys()) {
      const answer = found[index] ?? posted[at++];
      if (answer === undefined) break;
      answers.push(final(answer));
    }
    return answers;
  }

  /** Answers of the shards of their numbers, for what belongs there; undefined for everything else. */
  async #inSuspense(records: ClearingEntry[]): Promise<(RecordAnswer | undefined)[]> {
    const found = new Array<RecordAnswer | undefined>(records.length).fill(undefined);
    const names = records.map(namesInSuspense);
    const rounds = Math.max(...names.map(({ length }) => length));
    for (let round = 0; round < rounds; round++)
      for (let shard = 0; shard < this.#shards; shard++) {
        const asked = [...records.keys()].filter((index) => {
          const name = names[index]![round];
          return (
            found[index] === undefined && name !== undefined && shardOfFingerprint(name[0], this.#shards) === shard
          );
        });
        for (let at = 0; at < asked.length; ) {
          const some = asked.slice(at).map((index) => ({ ...records[index]!, fingerprint: names[index]![round]! }));
          const answers = await this.#ask(shard, some, true);
          for (const [place, answer] of answers.entries())
            if (answer.outcome !== 'elsewhere') found[asked[at + place]!] = final(answer);
          at += answers.length;
        }
      }
    return found;
  }

  /** Answers of the first ones, at least one; of all where they had to go one by one. */
  async #ask(shard: number, records: ClearingEntry[], asUnknown: boolean): Promise<Answer[]> {
    if (records.length === 0) return [];
    const command = { op: 'clear', file: this.#file, records } as const;
    const result = await this.#command(shard, asUnknown ? { ...command, asUnknown } : command);
    if (result.ok) {
      if (!('cleared' in result) || result.cleared.length === 0) throw new TypeError('the shard answered no clearing');
      return result.cleared;
    }
    if (records.length === 1)
      return [{ outcome: 'refused', sequence: 0, rung: MatchRung.none, flags: 0, field: result.code }];
    const answers: Answer[] = [];
    for (const record of records) answers.push(...(await this.#ask(shard, [record], asUnknown)));
    return answers;
  }
}

/** Fingerprints under which the record, or what it takes back, may be in suspense somewhere else than where it goes. */
function namesInSuspense({ late, fingerprint, formerly = [] }: ClearingEntry): readonly Fingerprint[] {
  return late === true ? [fingerprint, ...formerly] : formerly;
}

function final(answer: Answer): RecordAnswer {
  if (answer.outcome === 'elsewhere') throw new TypeError('a record has no answer of the shard that posts it');
  return { ...answer, outcome: answer.outcome };
}
