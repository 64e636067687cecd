/**
 * A peer without a socket: the simulator of the control plane, whose messages to the listener (network management, totals of an
 * acquirer) take the way of everybody else's. Each message is a connection of its own, so a sign-off signs nobody else off. Their
 * link has number 0 and a business date of its own; no listener has either.
 */
import type { Dialect } from '../iso8583/dialects.js';
import { Connection } from './connection.js';
import type { Link } from './link.js';
import { type LinkProfile, linkDefaults } from './links.js';
import type { ErrorKind } from './stats.js';

export const simulatorLink: LinkProfile = {
  ...linkDefaults,
  ...{ name: 'simulator', number: 0, transport: 'tcp', host: '', port: 0 },
};

export class Loopback extends Connection {
  readonly #take: (reply: Uint8Array) => void;
  readonly #refuse: (error: Error) => void;

  /** `take` gets the reply; `refuse` the reason why there will be none. */
  constructor(
    link: Link,
    dialect: Dialect,
    nowUs: number,
    take: (reply: Uint8Array) => void,
    refuse: (error: Error) => void,
  ) {
    super(link, dialect, 'simulator', nowUs);
    this.#take = take;
    this.#refuse = refuse;
  }

  protected append(_header: Uint8Array | undefined, bytes: Uint8Array, at: number, length: number): void {
    this.#take(bytes.slice(at, at + length));
  }

  close(kind: ErrorKind | 'stop'): void {
    this.#refuse(new Error(`the message is not answered: ${kind}`));
  }

  keepAlive(): void {
    // There are no frames that could be empty.
  }

  flush(): void {
    // A reply is taken as soon as it is queued.
  }

  protected get writable(): boolean {
    return true;
  }

  get unsentBytes(): number {
    return 0;
  }

  protected get takenBytes(): number {
    return 0;
  }
}
