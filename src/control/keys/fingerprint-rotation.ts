/**
 * Rotation of the fingerprint key in a running server (docs/decisions/0054-fingerprint-key-rotation.md):
 *
 *   a new key in the key file, durable; the vault notes where everything goes
 *   -> ingress and control thread know both keys: new cards get the new one, cards are found by either
 *   -> what is being created under the former key comes to its end
 *   -> for some rows of the vault at a time: a row under the new name, then a record of the card's shard, and a little later the row
 *      under the former name goes, with the place reached in the same commit
 *   -> done: the vault's rows are named by the new key, and nobody asks by the former one
 *
 * A step that was cut off is done again: a row that is there is kept, a card that has the fingerprint is done. Rows that the walk puts
 * down are met again, or not, and are under the key. Orphan rows (a number without a card) get the new name as well.
 */
import type { ChangeFingerprints } from '../../domain/party-commands.js';
import { assert, HoldfastError } from '../../errors.js';
import { FORMER_ROW_KEPT_MS, KEY_ROTATION_PAUSE_MS, KEY_ROTATION_RETRY_MS, KEY_ROTATION_ROWS } from '../../limits.js';
import type { Fingerprint } from '../../vault/fingerprint.js';
import type { Kek } from '../../vault/kek.js';
import { rotateKey, type VaultKey } from '../../vault/keys.js';
import type { LiveFingerprints } from '../../vault/live-fingerprints.js';
import type { KeyRotationState, PanVault } from '../../vault/pan-vault.js';
import { type DirectoryPort, ShardError, type ShardPort } from '../ports.js';
import { ApiError } from '../problem.js';

type Move = ChangeFingerprints['cards'][number];

export interface FingerprintRotationOptions {
  readonly keyFile: string;
  readonly kek: Kek | undefined;
  /** Of the key file, the active one first. */
  readonly keys: readonly VaultKey[];
  readonly vault: Pick<PanVault, 'fingerprintKey' | 'fingerprintRotation' | 'noteFingerprints' | 'put' | 'rowsAfter'>;
  /** Fingerprints of the control thread. */
  readonly live: LiveFingerprints;
  readonly shards: Pick<ShardPort, 'command'>;
  readonly directory: DirectoryPort;
  /** Gives the ingress the keys, the newest first; resolves when it has them. */
  readonly tellIngress: (keys: readonly Uint8Array[]) => Promise<void>;
  /** True when nothing is being created any more whose fingerprint was made before the keys of `live` were set last. */
  readonly isSettled: () => Promise<boolean>;
  readonly nowMs: () => number;
  readonly log: { info(data: object, text: string): void; error(data: object, text: string): void };
  /** A commit failed: the process must end. */
  readonly onFatal: (error: HoldfastError) => void;
}

/** What is to be tried again: a shard or the ingress did not do it now. */
class NotNow extends Error {}

/** Steps between a card's record and the end of its row under the former name. */
const STEPS_KEPT = Math.ceil(FORMER_ROW_KEPT_MS / KEY_ROTATION_PAUSE_MS);

export class FingerprintRotation {
  readonly #o: FingerprintRotationOptions;
  #keys: readonly VaultKey[];
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  #stopped = false;
  #failure = '';
  /** Both keys are known to everybody, and nothing is under way under the former one. */
  #isPrepared = false;
  #isSettled = false;
  /** The latest step has to be made again. */
  #waits = false;
  /** Place of the walk in this process; what is noted is behind it. */
  #at = '';
  #isAtEnd = false;
  /** Steps whose rows under former names are still there, the oldest first. */
  readonly #kept: { readonly at: string; readonly names: Fingerprint[]; readonly isEnd: boolean }[] = [];

  constructor(options: FingerprintRotationOptions) {
    this.#o = options;
    this.#keys = options.keys;
  }

  /**
   * At a start, before anybody asks for a card: sets the keys that are live, and goes on with a rotation that was not done.
   * @throws Error when the ingress does not answer
   */
  async begin(): Promise<void> {
    const { live, log, tellIngress } = this.#o;
    const keys = this.#live();
    await tellIngress(keys.map(({ bytes }) => bytes));
    live.use(keys.map(({ bytes }) => bytes));
    if (keys.length === 1) return;
    // What was created before this start is in the directory, or will never be.
    this.#prepare();
    this.#isPrepared = true;
    this.#isSettled = true;
    const { key, at, rows } = this.#noted();
    log.info({ key, at, rows }, 'a rotation of the fingerprint key goes on');
    this.#later(KEY_ROTATION_PAUSE_MS);
  }

  /**
   * Makes a new key and begins.
   * @throws ApiError `rotation_running`; `rotation_refused` when the key file cannot be changed, or the directory has no room
   */
  start(): KeyRotationState {
    const { keyFile, kek, directory, log } = this.#o;
    if (this.#running || this.#live().length > 1)
      throw new ApiError('rotation_running', 'One rotation is made at a time.');
    if (!directory.hasSecondRoom)
      throw new ApiError(
        'rotation_refused',
        'The card directory still has the entries of the rotation before: start the server again first.',
      );
    try {
      this.#keys = rotateKey(keyFile, 'fingerprint', kek).fingerprintKeys;
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      log.error({ code: error.code, err: error }, 'the fingerprint key cannot be rotated');
      throw new ApiError('rotation_refused', `The key file cannot be changed (${error.code}); the log says why.`);
    }
    this.#failure = '';
    this.#isPrepared = false;
    this.#isSettled = false;
    this.#prepare();
    const rotation = this.#noted();
    log.info({ key: rotation.key }, 'a rotation of the fingerprint key begins');
    this.#later(0);
    return rotation;
  }

  /** Every key of the file, those that are live first: what was posted for unknown numbers is found by any of them. */
  get allKeys(): Uint8Array[] {
    const live = this.#live();
    return [...live, ...this.#keys.filter((key) => !live.includes(key))].map(({ bytes }) => bytes);
  }

  get running(): boolean {
    return this.#running;
  }

  /** The newest rotation, when there was one. */
  get newest(): KeyRotationState | undefined {
    return this.#o.vault.fingerprintRotation();
  }

  /** Why the newest one stands still, for people; '' when it does not. */
  get failure(): string {
    return this.#failure;
  }

  /** Nothing is touched any more from here on. */
  stop(): void {
    this.#stopped = true;
    this.#running = false;
    clearTimeout(this.#timer);
  }

  /** The keys by which cards are found: the one that everything goes to, and while there is something to do the one of before. */
  #live(): VaultKey[] {
    const { vault } = this.#o;
    const noted = vault.fingerprintRotation();
    const former = vault.fingerprintKey;
    // One that was cut off is finished before the next one, also when the file has a newer key by now (a backup was restored).
    const current = noted !== undefined && noted.finishedMs === 0 ? noted.key : this.#keys[0]!.id;
    return (current === former ? [current] : [current, former]).map((id) => {
      const key = this.#keys.find((one) => one.id === id);
      assert(key !== undefined, 'the vault was opened with a key file that has its keys');
      return key;
    });
  }

  /** Notes a rotation of which nothing is noted yet, and goes to the place reached. */
  #prepare(): void {
    const { vault, nowMs } = this.#o;
    const noted = vault.fingerprintRotation();
    const key = this.#live()[0]!.id;
    if (noted?.key !== key || noted.finishedMs !== 0)
      vault.noteFingerprints({ key, startedMs: nowMs(), finishedMs: 0, rows: 0, at: '' }, []);
    this.#at = this.#noted().at;
    this.#isAtEnd = false;
    this.#kept.length = 0;
    this.#running = true;
  }

  #noted(): KeyRotationState {
    const noted = this.#o.vault.fingerprintRotation();
    assert(noted !== undefined, 'a rotation is noted before anything of it');
    return noted;
  }

  #later(ms: number): void {
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#turn(), ms);
  }

  async #turn(): Promise<void> {
    const { log, onFatal } = this.#o;
    try {
      if (await this.#step()) this.#later(KEY_ROTATION_PAUSE_MS);
      this.#waits = false;
    } catch (error) {
      if (this.#stopped) return;
      if (error instanceof NotNow || error instanceof ShardError) {
        if (!this.#waits) log.info({ err: error }, 'a rotation of the fingerprint key waits, and tries again');
        this.#waits = true;
        this.#later(KEY_ROTATION_RETRY_MS);
        return;
      }
      this.#running = false;
      if (error instanceof HoldfastError && error.code === 'commit_failed') onFatal(error);
      // Both keys stay live, so every card is found; somebody has to look at what cannot be moved.
      this.#failure = error instanceof Error ? error.message : String(error);
      log.error({ err: error }, 'a rotation of the fingerprint key stands still until the next start');
    }
  }

  /** One step; false when the rotation is over or the process stops. */
  async #step(): Promise<boolean> {
    if (!this.#isPrepared) {
      await this.#tell();
      this.#isPrepared = true;
    }
    if (!this.#isSettled) this.#isSettled = await this.#o.isSettled();
    if (this.#stopped) return false;
    if (!this.#isSettled) return true;
    if (this.#isAtEnd) this.#kept.push({ at: this.#at, names: [], isEnd: true });
    else await this.#walk();
    if (this.#stopped) return false;
    return this.#kept.length <= STEPS_KEPT || (await this.#note());
  }

  /** The ingress first: when a card has a fingerprint of the new key, it is found by it. */
  async #tell(): Promise<void> {
    const keys = this.#live().map(({ bytes }) => bytes);
    try {
      await this.#o.tellIngress(keys);
    } catch (error) {
      throw new NotNow('the ingress did not take the keys', { cause: error });
    }
    this.#o.live.use(keys);
  }

  /** Gives the next rows their new names, and their cards the new fingerprints. */
  async #walk(): Promise<void> {
    const { vault, live, directory } = this.#o;
    const { rows, at, isEnd } = vault.rowsAfter(this.#at, KEY_ROTATION_ROWS);
    const moved = rows.flatMap(({ fingerprint, pan }) => {
      const after = live.of(pan);
      return isSame(fingerprint, after) ? [] : [{ before: fingerprint, after, pan }];
    });
    vault.put(moved.map(({ after, pan }) => ({ fingerprint: after, pan })));
    const ofShard = new Map<number, Move[]>();
    for (const { before, after } of moved) {
      const place = directory.find(before.f0, before.f1, before.f2);
      if (place < 0) continue;
      const moves = ofShard.get(place >>> 24) ?? [];
      moves.push({ cardSlot: place & 0xffffff, before: words(before), after: words(after) });
      ofShard.set(place >>> 24, moves);
    }
    await Promise.all(Array.from(ofShard, ([shard, cards]) => this.#change(shard, cards)));
    this.#at = at;
    this.#isAtEnd = isEnd;
    this.#kept.push({ at, names: moved.map(({ before }) => before), isEnd });
  }

  async #change(shard: number, cards: readonly Move[]): Promise<void> {
    const result = await this.#o.shards.command(shard, { op: 'change_fingerprints', cards });
    if (!result.ok && result.code === 'shard_unavailable') throw new NotNow(result.code);
    if (!result.ok) throw new Error(`shard ${shard} refuses to change fingerprints: ${result.code}`);
    if (!('fingerprints' in result)) throw new TypeError('the shard answered no change of fingerprints');
    const { unknown } = result.fingerprints;
    if (unknown > 0)
      throw new Error(`shard ${shard}: ${unknown} cards have neither the fingerprint before nor the new one`);
  }

  /** Takes away the rows of the oldest step that are superfluous; false behind the last one. */
  async #note(): Promise<boolean> {
    const { vault, nowMs, log } = this.#o;
    const { at, names, isEnd } = this.#kept.shift()!;
    const noted = this.#noted();
    const rotation = { ...noted, at, rows: noted.rows + names.length, finishedMs: isEnd ? nowMs() : 0 };
    vault.noteFingerprints(rotation, names);
    if (!isEnd) return true;
    log.info({ key: rotation.key, rows: rotation.rows }, 'a rotation of the fingerprint key is done');
    this.#kept.length = 0;
    return this.#finish();
  }

  /**
   * The former key goes, or the next rotation begins; true when there is something to do.
   * @throws Error when the directory has no room for the next one
   */
  async #finish(): Promise<boolean> {
    if (this.#live().length === 1) {
      // Asking by the former key as well costs something and harms nobody: it is tried again.
      while (!this.#stopped) {
        try {
          await this.#tell();
          break;
        } catch {
          await new Promise((resolve) => setTimeout(resolve, KEY_ROTATION_RETRY_MS));
        }
      }
      this.#running = false;
      return false;
    }
    // Of a directory that was restored. One that is full would end the process in the middle of a shard's turn.
    if (!this.#o.directory.hasSecondRoom)
      throw new Error('the card directory has no room for the next rotation: start the server again');
    this.#prepare();
    this.#isPrepared = false;
    this.#isSettled = false;
    return true;
  }
}

const words = ({ f0, f1, f2 }: Fingerprint): [number, number, number] => [f0, f1, f2];
const isSame = (a: Fingerprint, b: Fingerprint): boolean => a.f0 === b.f0 && a.f1 === b.f1 && a.f2 === b.f2;
