/**
 * The port over payShield-style devices: the one with the least to do is asked; when it cannot be reached, is busy or fails, another
 * one is asked once, as long as there is time. No operation changes anything in a device, so asking twice does no harm.
 */
import { monotonicUs } from '../../clock.js';
import { HSM_IN_FLIGHT_PER_DEVICE, HSM_TIMEOUT_MS } from '../../limits.js';
import { failed, type Hsm, type HsmOp, type HsmRequest, type HsmVerdict, hsmFailures } from '../hsm/port.js';
import { requestFault } from '../hsm/request-checks.js';
import { CommandMaker, deviceOps } from './commands.js';
import { Device, type DeviceSettings, type DeviceStats } from './device.js';
import type { DeviceKeys } from './device-keys.js';

/** Settings of a device; what is left out has the value of `src/limits.ts`. */
export type DeviceOptions = Pick<DeviceSettings, 'name' | 'host' | 'port'> & Partial<DeviceSettings>;

export interface PayShieldOptions {
  readonly devices: readonly DeviceOptions[];
  readonly keys: DeviceKeys;
  /** Takes lines about devices that go and come. */
  readonly say: (line: string) => void;
}

/** Attempts for one request: the second one at another device, when there is one. */
const ATTEMPTS_MAX = 2;
const CONNECTIONS = 2;
/** Characters of the header that devices echo: their usual setting. */
export const HEADER_CHARS = 4;
const READY_CHECK_MS = 5;
const noDevice = failed('device_down', 'there is no device');

export class PayShieldHsm implements Hsm {
  readonly name = 'payshield';
  readonly #devices: readonly Device[];
  readonly #maker: CommandMaker;

  constructor({ devices, keys, say }: PayShieldOptions) {
    this.#maker = new CommandMaker(keys);
    this.#devices = devices.map((options) => new Device(withDefaults(options), say));
  }

  get stats(): readonly DeviceStats[] {
    return this.#devices.map((device) => device.stats);
  }

  supports(op: HsmOp): boolean {
    return deviceOps.has(op);
  }

  /** True as soon as each device has a connection; false when that takes longer. */
  async ready(withinMs: number): Promise<boolean> {
    const until = monotonicUs() + withinMs * 1000;
    while (this.stats.some(({ connectionsUp }) => connectionsUp === 0)) {
      if (monotonicUs() > until) return false;
      await new Promise((resolve) => setTimeout(resolve, READY_CHECK_MS));
    }
    return true;
  }

  async submit(request: HsmRequest, budgetMs = HSM_TIMEOUT_MS * ATTEMPTS_MAX): Promise<HsmVerdict> {
    const fault = requestFault(request);
    if (fault !== undefined) return fault;
    const until = monotonicUs() + budgetMs * 1000;
    let verdict: HsmVerdict = noDevice;
    let asked: Device | undefined;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const left = (until - monotonicUs()) / 1000;
      const device = this.#next(asked);
      if (device === undefined || left <= 0) break;
      // A command is overwritten once it is answered: each attempt has its own.
      const command = this.#maker.make(request);
      if ('outcome' in command) return command;
      verdict = await device.send(command, left);
      if (!this.#mayDiffer(verdict)) return verdict;
      asked = device;
    }
    return verdict;
  }

  close(): Promise<void> {
    for (const device of this.#devices) device.close();
    return Promise.resolve();
  }

  /**
   * Whether a second attempt may end otherwise: a verdict about card, key or request is the same at every device, and a device
   * that is silent is not asked again.
   */
  #mayDiffer(verdict: HsmVerdict): boolean {
    if (verdict.outcome !== 'failed' || !hsmFailures[verdict.failure].retryable) return false;
    return verdict.failure !== 'timeout' || this.#devices.length > 1;
  }

  /** The device with the least to do, another one than before where there is one; those that cannot be asked come last. */
  #next(before: Device | undefined): Device | undefined {
    const rank = (device: Device): number =>
      (device === before ? 2 ** 40 : 0) + (device.obstacle === undefined ? 0 : 2 ** 30) + device.inFlight;
    return [...this.#devices].sort((a, b) => rank(a) - rank(b))[0];
  }
}

function withDefaults(options: DeviceOptions): DeviceSettings {
  return {
    connections: CONNECTIONS,
    headerChars: HEADER_CHARS,
    inFlightMax: HSM_IN_FLIGHT_PER_DEVICE,
    timeoutMs: HSM_TIMEOUT_MS,
    ...options,
  };
}
