/** One device: its connections, how much it may have to do at once, and its breaker. */
import { monotonicUs } from '../../clock.js';
import {
  HSM_BREAKER_FAILURES,
  HSM_BREAKER_OPEN_MS,
  HSM_BREAKER_WINDOW,
  HSM_CONNECT_MS,
  HSM_RECONNECT_MS,
  HSM_RECONNECT_MS_MAX,
} from '../../limits.js';
import { failed, type HsmVerdict } from '../hsm/port.js';
import { Breaker, type BreakerSettings, type BreakerState } from './breaker.js';
import { type Command, echoCommand, wipeCommand } from './commands.js';
import { type ConnectionTarget, DeviceConnection } from './connection.js';

export interface DeviceSettings extends ConnectionTarget {
  /** Name in logs. */
  readonly name: string;
  readonly connections: number;
  /** Commands under way on all connections together. */
  readonly inFlightMax: number;
  /** Time for one command, ms. */
  readonly timeoutMs: number;
  readonly breaker?: BreakerSettings;
  readonly reconnectMs?: number;
}

/** What a device has done, for metrics. */
export interface DeviceStats {
  readonly name: string;
  readonly breaker: BreakerState;
  readonly connectionsUp: number;
  readonly inFlight: number;
  readonly answered: number;
  readonly timeouts: number;
  readonly late: number;
  readonly lost: number;
  readonly opened: number;
}

const usual: BreakerSettings = {
  window: HSM_BREAKER_WINDOW,
  failures: HSM_BREAKER_FAILURES,
  openMs: HSM_BREAKER_OPEN_MS,
};
const busy = failed('device_busy', 'the device has as much to do as it may have');
const none = failed('device_down', 'there is no connection to the device');
const nowMs = (): number => monotonicUs() / 1000;

/** Failures that speak about the device; all others are answers. */
const isTrouble = (verdict: HsmVerdict): boolean =>
  verdict.outcome === 'failed' && ['device_down', 'timeout', 'device_error'].includes(verdict.failure);

interface Slot {
  connection: DeviceConnection | undefined;
  waitMs: number;
  timer: NodeJS.Timeout | undefined;
}

export class Device {
  readonly #settings: DeviceSettings;
  readonly #say: (line: string) => void;
  readonly #breaker: Breaker;
  readonly #slots: Slot[];
  readonly #count = { answered: 0, timeouts: 0, late: 0, lost: 0, opened: 0 };
  #probe: NodeJS.Timeout | undefined;
  /** Why it cannot be reached, as it was told last. */
  #unreachable = '';
  #closed = false;

  /** Begins to connect. */
  constructor(settings: DeviceSettings, say: (line: string) => void) {
    this.#settings = settings;
    this.#say = say;
    this.#breaker = new Breaker(settings.breaker ?? usual);
    const waitMs = settings.reconnectMs ?? HSM_RECONNECT_MS;
    this.#slots = Array.from({ length: settings.connections }, () => ({
      connection: undefined,
      waitMs,
      timer: undefined,
    }));
    for (const slot of this.#slots) this.#connect(slot);
  }

  get inFlight(): number {
    return this.#slots.reduce((sum, { connection }) => sum + (connection?.inFlight ?? 0), 0);
  }

  /** Whether a command may be sent to it now; else why not. */
  get obstacle(): HsmVerdict | undefined {
    if (this.#breaker.state !== 'closed')
      return failed('device_down', 'the device is not asked: its latest answers failed');
    if (this.inFlight >= this.#settings.inFlightMax) return busy;
    return this.#freest() === undefined ? none : undefined;
  }

  get stats(): DeviceStats {
    return {
      name: this.#settings.name,
      breaker: this.#breaker.state,
      connectionsUp: this.#slots.filter(({ connection }) => connection?.isUp).length,
      inFlight: this.inFlight,
      ...this.#count,
    };
  }

  async send(command: Command, budgetMs: number): Promise<HsmVerdict> {
    const connection = this.obstacle === undefined ? this.#freest() : undefined;
    if (connection === undefined) {
      wipeCommand(command);
      return this.obstacle ?? none;
    }
    const verdict = await connection.send(command, Math.min(budgetMs, this.#settings.timeoutMs));
    const trouble = isTrouble(verdict);
    if (verdict.outcome === 'failed' && verdict.failure === 'timeout') this.#count.timeouts++;
    else if (!trouble) this.#count.answered++;
    if (this.#breaker.record(trouble, nowMs())) this.#opened();
    return verdict;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#probe);
    for (const slot of this.#slots) {
      clearTimeout(slot.timer);
      slot.connection?.close();
    }
  }

  #freest(): DeviceConnection | undefined {
    let best: DeviceConnection | undefined;
    for (const { connection } of this.#slots)
      if (connection?.isUp && (best === undefined || connection.inFlight < best.inFlight)) best = connection;
    return best;
  }

  #connect(slot: Slot): void {
    if (this.#closed) return;
    let wasUp = false;
    const connection = new DeviceConnection(this.#settings, {
      up: () => {
        wasUp = true;
        this.#unreachable = '';
        clearTimeout(slot.timer);
        slot.waitMs = this.#settings.reconnectMs ?? HSM_RECONNECT_MS;
      },
      down: (reason) => {
        clearTimeout(slot.timer);
        if (this.#closed) return;
        if (wasUp) {
          this.#count.lost++;
          this.#say(`HSM ${this.#settings.name}: connection lost: ${reason}`);
        } else if (this.#unreachable !== reason) {
          // Each attempt, of each connection, fails for the same reason: it is told once.
          this.#unreachable = reason;
          this.#say(`HSM ${this.#settings.name}: cannot be reached: ${reason}`);
        }
        slot.connection = undefined;
        slot.timer = setTimeout(() => this.#connect(slot), slot.waitMs);
        slot.waitMs = Math.min(slot.waitMs * 2, HSM_RECONNECT_MS_MAX);
      },
      late: () => {
        this.#count.late++;
      },
    });
    slot.connection = connection;
    slot.timer = setTimeout(() => connection.close(), HSM_CONNECT_MS);
  }

  #opened(): void {
    this.#count.opened++;
    this.#say(`HSM ${this.#settings.name}: not asked for now, its latest answers failed`);
    this.#probeLater();
  }

  #probeLater(): void {
    // A timer may end a little early by this clock.
    const waitMs = (this.#settings.breaker ?? usual).openMs + 2;
    this.#probe = setTimeout(() => void this.#probeNow(), waitMs);
  }

  /** Asks whether the device is there again. A probe that finds no connection is one that failed. */
  async #probeNow(): Promise<void> {
    if (this.#closed) return;
    if (!this.#breaker.mayProbe(nowMs())) return this.#probeLater();
    const verdict = (await this.#freest()?.send(echoCommand(), this.#settings.timeoutMs)) ?? none;
    const failed = verdict.outcome !== 'ok';
    this.#breaker.probed(failed, nowMs());
    if (failed) this.#probeLater();
    else this.#say(`HSM ${this.#settings.name}: answers again`);
  }
}
