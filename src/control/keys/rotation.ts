/**
 * Rotation of the PAN key in a running server:
 *
 *   a new key in the key file, durable; the one before is retired -> everything that is written from here on is under the new key
 *   -> the rows of the vault are encrypted anew, some at a time, with the place reached in the same commit -> done
 *
 * All keys of the file stay usable meanwhile, so a card can be read at any moment. Whatever ends the process: the next start finds a
 * retired key and no rotation that is done, and goes on at the place reached.
 */
import { HoldfastError } from '../../errors.js';
import { KEY_ROTATION_PAUSE_MS, KEY_ROTATION_ROWS } from '../../limits.js';
import type { Kek } from '../../vault/kek.js';
import { type KeyFileFacts, keyFileFacts, type RotatedUsage, rotatedUsages, rotateKey } from '../../vault/keys.js';
import type { PanKeyRing } from '../../vault/pan-key-ring.js';
import { type KeyRotationState, rotationProgress } from '../../vault/pan-vault.js';
import type { RotationStats } from '../metrics.js';
import { ApiError } from '../problem.js';

/** What a rotation needs of the vault. */
export interface RotatedVault {
  rotation(): KeyRotationState | undefined;
  beginRotation(nowMs: number): KeyRotationState;
  reencrypt(limit: number, nowMs: number): KeyRotationState;
}

export interface KeyRotationOptions {
  readonly keyFile: string;
  readonly kek: Kek | undefined;
  readonly ring: PanKeyRing;
  readonly vault: RotatedVault;
  readonly nowMs: () => number;
  readonly log: { info(data: object, text: string): void; error(data: object, text: string): void };
  /** A commit failed: the process must end. */
  readonly onFatal: (error: HoldfastError) => void;
}

/** The newest rotation of each key, for the metrics. */
export function rotationStats(
  rotations: Readonly<Record<RotatedUsage, Pick<KeyRotation, 'newest' | 'failure'>>>,
): RotationStats[] {
  return rotatedUsages.map((usage) => {
    const { newest, failure } = rotations[usage];
    const progress = newest === undefined ? 1 : rotationProgress(newest);
    return { usage, progress, isStalled: failure !== '' };
  });
}

export class KeyRotation {
  readonly #o: KeyRotationOptions;
  #timer: NodeJS.Timeout | undefined;
  #failure = '';

  constructor(options: KeyRotationOptions) {
    this.#o = options;
  }

  /** At a start: goes on with a rotation that was not done. */
  begin(): void {
    const { ring, vault, nowMs, log } = this.#o;
    const known = vault.rotation();
    // With one key alone there is nothing to do, unless the key before was taken out of the file too early: the rows tell.
    if (known === undefined ? ring.all.length === 1 : known.key === ring.active.id && known.finishedMs !== 0) return;
    // Killed between the new key and the first row: nothing says yet that there is a rotation.
    const { key, at, rows } = known?.key === ring.active.id ? known : vault.beginRotation(nowMs());
    log.info({ key, at, rows }, 'a rotation of the PAN key goes on');
    this.#later();
  }

  /**
   * Makes a new key and begins.
   * @throws ApiError `rotation_running`, `rotation_refused` when the key file cannot be changed
   */
  start(): KeyRotationState {
    const { keyFile, kek, ring, vault, nowMs, log } = this.#o;
    if (this.running) throw new ApiError('rotation_running', 'One rotation is made at a time.');
    try {
      ring.replace(rotateKey(keyFile, 'pan', kek).panKeys);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      log.error({ code: error.code, err: error }, 'the PAN key cannot be rotated');
      throw new ApiError('rotation_refused', `The key file cannot be changed (${error.code}); the log says why.`);
    }
    this.#failure = '';
    const rotation = vault.beginRotation(nowMs());
    log.info({ key: rotation.key }, 'a rotation of the PAN key begins');
    this.#later();
    return rotation;
  }

  get running(): boolean {
    return this.#timer !== undefined;
  }

  /** The newest rotation, when there was one. */
  get newest(): KeyRotationState | undefined {
    return this.#o.vault.rotation();
  }

  /** Why the newest one stands still, for people; '' when it does not. */
  get failure(): string {
    return this.#failure;
  }

  /** @throws HoldfastError `key_file_unreadable` */
  facts(): KeyFileFacts {
    return keyFileFacts(this.#o.keyFile);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #later(): void {
    this.#timer = setTimeout(() => this.#step(), KEY_ROTATION_PAUSE_MS);
  }

  #step(): void {
    this.#timer = undefined;
    const { vault, nowMs, log, onFatal } = this.#o;
    try {
      const { key, rows, finishedMs } = vault.reencrypt(KEY_ROTATION_ROWS, nowMs());
      if (finishedMs === 0) this.#later();
      else log.info({ key, rows }, 'a rotation of the PAN key is done');
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'commit_failed') onFatal(error);
      // A row that cannot be read stays as it is, and its card with it: somebody has to look before the old key is given up.
      this.#failure = error instanceof Error ? error.message : String(error);
      log.error({ err: error }, 'a rotation of the PAN key stands still until the next start');
    }
  }
}
