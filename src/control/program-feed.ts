/**
 * Hands programs to the shards. A revision is durable in the system journal before it comes here; every shard then journals
 * that it decides with it. What a shard has is asked first and only what it lacks is sent, so a hand-over that was cut short
 * is finished by the next one, and doing it again changes nothing:
 *
 *   start            every shard gets what it lacks before the engine is ready
 *   a write          is answered when every shard in service has it
 *   a shard is down  it is tried again until it is back, and gets it then
 */
import type { CommandResult } from '../domain/commands.js';
import type { ReadResult } from '../domain/reads.js';
import { PROGRAM_RETRY_MS } from '../limits.js';
import { ShardError, type ShardPort } from './ports.js';
import { ApiError } from './problem.js';
import type { SystemState } from './system-state.js';

export class ProgramFeed {
  readonly #shards: ShardPort;
  readonly #system: SystemState;
  readonly #warn: (message: string) => void;
  /** Shards that may lack a revision and that nobody is handing it to. */
  readonly #behind = new Set<number>();
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @param warn told when a start could not reach a shard */
  constructor(shards: ShardPort, system: SystemState, warn: (message: string) => void) {
    this.#shards = shards;
    this.#system = system;
    this.#warn = warn;
  }

  /** Hands every shard what it lacks. A shard that cannot be reached is tried again later. */
  async start(): Promise<void> {
    this.#all();
    const failure = await this.#catchUp();
    if (failure !== undefined) this.#warn(`programs are still to be handed over: ${failure.message}`);
  }

  /**
   * Hands every shard what it lacks; resolves when every shard in service has it durable.
   * @throws ApiError `outcome_unknown` when a shard in service did not answer; it is tried again
   */
  async send(): Promise<void> {
    this.#all();
    await this.settle();
  }

  /** The same for the shards that are behind: after a failed `send` the rest of it. */
  async settle(): Promise<void> {
    const failure = await this.#catchUp();
    if (failure === undefined) return;
    throw new ApiError(
      'outcome_unknown',
      `The revision is durable and takes effect; shard ${failure.shard} has not confirmed it yet and is sent it again.`,
      { retryAfterSeconds: 1 },
    );
  }

  /** No more tries; the next start hands over what is missing. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
  }

  #all(): void {
    for (let shard = 0; shard < this.#shards.shards; shard++) this.#behind.add(shard);
  }

  /** Returns the first shard in service that did not answer. */
  async #catchUp(): Promise<ShardError | undefined> {
    clearTimeout(this.#retry);
    const failures = await Promise.all(Array.from(this.#behind, (shard) => this.#bring(shard)));
    if (this.#behind.size > 0 && !this.#stopped) {
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => void this.#catchUp(), PROGRAM_RETRY_MS);
      this.#retry.unref();
    }
    return failures.find((failure) => failure !== undefined);
  }

  async #bring(shard: number): Promise<ShardError | undefined> {
    this.#behind.delete(shard);
    try {
      if (!(await this.#hand(shard))) this.#behind.add(shard);
      return undefined;
    } catch (error) {
      this.#behind.add(shard);
      if (!(error instanceof ShardError)) throw error;
      return error;
    }
  }

  /** False when the shard is out of service. @throws ShardError */
  async #hand(shard: number): Promise<boolean> {
    const read: ReadResult = await this.#shards.read(shard, { op: 'programs' });
    if (!read.ok) return false;
    if (!('programs' in read)) throw new TypeError('the shard answered no programs');
    const has = new Map(read.programs.map(({ program, revision }) => [program, revision]));
    for (const { index, revision, snapshot } of this.#system.programs) {
      if (snapshot === undefined || (has.get(index) ?? 0) >= revision) continue;
      const command = { op: 'apply_program', program: index, revision, text: snapshot } as const;
      const result: CommandResult = await this.#shards.command(shard, command);
      if (!result.ok) return false;
    }
    return true;
  }
}
