/** Drives the server from a book: load, settling of what is open, and the questions after a restart. */
import type { Fields } from '#src/iso8583/message.js';
import type { Book, Operation } from './book.js';
import { Link } from './link.js';
import type { Random } from './random.js';
import { type Addresses, type Server, ServerGone } from './server.js';

const REPLY_MS = 60_000;
const CONNECTIONS = 3;
const WINDOW = 12;

export class Client {
  readonly #book: Book;
  readonly #server: Server;
  readonly #random: Random;
  readonly #addresses: Addresses;
  readonly #links: Link[] = [];
  /** Called per reply, with the connection it came on. */
  #onReply: (operation: Operation, link: number) => void = () => undefined;
  /** When each reply arrived, ns of the monotonic clock; kept when a test asks for it. */
  onArrival: (operation: Operation, reply: Fields) => void = () => undefined;

  private constructor(book: Book, server: Server, addresses: Addresses, random: Random) {
    this.#book = book;
    this.#server = server;
    this.#addresses = addresses;
    this.#random = random;
  }

  static async connect(book: Book, server: Server, random: Random): Promise<Client> {
    const client = new Client(book, server, await server.ready, random);
    for (let i = 0; i < CONNECTIONS; i++) {
      try {
        client.#links.push(await Link.to(client.#addresses.tcp, (reply) => client.#take(i, reply)));
      } catch (error) {
        await client.#settled();
        throw error;
      }
    }
    return client;
  }

  #take(link: number, reply: Fields): void {
    const operation = this.#book.take(reply);
    this.onArrival(operation, reply);
    this.#onReply(operation, link);
  }

  /** Lets a process that is about to be gone be gone, and says so. */
  async #settled(): Promise<void> {
    await Promise.race([this.#server.ended, new Promise((resolve) => setTimeout(resolve, 500).unref())]);
    if (this.#server.end !== undefined) throw new ServerGone('the server was killed');
  }

  send(operation: Operation, link = 0, repeat = false): void {
    operation.pending++;
    this.#links[link]!.send(repeat ? this.#book.repeatFields(operation) : operation.fields);
  }

  /** Messages of all kinds on every connection until the server is gone or `stop` resolves; resolves when all is quiet. */
  async load(stop: Promise<unknown>): Promise<void> {
    let stopped = false;
    let inFlight = 0;
    const idle = new Promise<void>((resolve) => {
      const more = (link: number): void => {
        if (stopped || !this.#links[link]!.open) {
          if (inFlight === 0) resolve();
          return;
        }
        inFlight += this.#sendSome(link);
      };
      this.#onReply = (_, link) => {
        inFlight--;
        more(link);
      };
      void stop.then(() => {
        stopped = true;
        if (inFlight === 0) resolve();
      });
      for (let link = 0; link < CONNECTIONS; link++) for (let i = 0; i < WINDOW; i++) more(link);
    });
    await Promise.race([idle, this.#gone()]);
    this.#onReply = () => undefined;
  }

  /** One message of the load, sometimes with its twin right behind it; answers how many went out. */
  #sendSome(link: number): number {
    const again = this.#random.chance(0.15) ? this.#book.repeatable() : undefined;
    if (again !== undefined) {
      this.send(again, link, this.#random.chance(0.5));
      return 1;
    }
    const operation = this.#book.next();
    this.send(operation, link);
    if (!this.#random.chance(0.05)) return 1;
    this.send(operation, link, this.#random.chance(0.5));
    return 2;
  }

  #gone(): Promise<void> {
    return Promise.race([this.#server.ended, ...this.#links.map((link) => link.closed)]).then(() => undefined);
  }

  /** Sends the repeats of these operations, a window at a time, and waits for every answer. */
  async repeat(operations: readonly Operation[]): Promise<void> {
    let next = 0;
    let answered = 0;
    const all = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${operations.length - answered} repeats were not answered: ${this.#server.stderr}`)),
        REPLY_MS,
      );
      const done = (): void => {
        if (answered < operations.length) return;
        clearTimeout(timer);
        resolve();
      };
      void this.#gone().then(() => {
        clearTimeout(timer);
        reject(new ServerGone('the server was killed during the repeats'));
      });
      this.#onReply = (_, link) => {
        answered++;
        if (next < operations.length) this.send(operations[next++]!, link, true);
        done();
      };
      while (next < operations.length && next < CONNECTIONS * WINDOW)
        this.send(operations[next++]!, next % CONNECTIONS, true);
      done();
    });
    try {
      await all;
    } finally {
      this.#onReply = () => undefined;
    }
  }

  /**
   * Settles every open operation by its repeat. Open reversals go last: their purchases are known, and nothing depends on
   * them.
   */
  async settle(): Promise<number> {
    const open = this.#book.open();
    await this.repeat(open);
    const shed = this.#book.open();
    if (shed.length > 0) await this.repeat(shed);
    return open.length;
  }

  /** GET of the API; the JSON answer. */
  async get<T>(path: string): Promise<T> {
    let response: Response;
    try {
      response = await fetch(`http://${this.#addresses.admin}${path}`, {
        headers: { authorization: `Bearer ${this.#server.token()}` },
      });
    } catch (error) {
      await this.#settled();
      throw error;
    }
    const text = await response.text();
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  /** POST of the API; status 0 when the server went away before it answered. */
  async post(path: string, body: object): Promise<{ status: number; text: string }> {
    try {
      const response = await fetch(`http://${this.#addresses.admin}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${this.#server.token()}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: response.status, text: await response.text() };
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return { status: 0, text: error.message };
    }
  }

  /** Sends a body of any kind; status 0 when the server went away before it answered. */
  async upload(path: string, type: string, body: Uint8Array<ArrayBuffer>): Promise<{ status: number; text: string }> {
    try {
      const response = await fetch(`http://${this.#addresses.admin}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${this.#server.token()}`, 'content-type': type },
        body,
      });
      return { status: response.status, text: await response.text() };
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return { status: 0, text: error.message };
    }
  }

  /** What the accounts show that differs from the book; empty when all is well. Only while nothing is open. */
  async differences(): Promise<string[]> {
    const found: string[] = [];
    for (const card of this.#book.cards) {
      const account = await this.get<{ balances: Record<string, number> }>(`/v1/accounts/${this.#book.account(card)}`);
      const expected = this.#book.balances(card);
      for (const [name, value] of Object.entries(expected))
        if (account.balances[name] !== value)
          found.push(`card ${card}: ${name} is ${account.balances[name]}, acknowledged were ${value}`);
      if (account.balances.available! < 0) found.push(`card ${card} is overdrawn: ${account.balances.available}`);
    }
    return found;
  }

  /** What the history of the API says of an acknowledged purchase, when it differs from the book. */
  async historyDifference(purchase: Operation): Promise<string | undefined> {
    const rrn = purchase.fields[37]!;
    const list = await this.get<{
      data: { response_code: string; approval_code: string | null; totals: { held: number }; elements: unknown[] }[];
    }>(`/v1/authorizations?rrn=${rrn}`);
    // The repeat of what was reversed is a decline of its own in the history.
    const data = list.data.filter((one) => one.response_code !== '68');
    const { answer } = purchase;
    if (answer === undefined) return undefined;
    const reversed = purchase.reversal?.answer !== undefined;
    const one = data[0];
    const same =
      data.length === 1 &&
      one!.response_code === answer.code &&
      (one!.approval_code ?? '') === answer.approval &&
      one!.totals.held === purchase.remaining &&
      one!.elements.length === (reversed ? 2 : 1);
    return same ? undefined : `rrn ${rrn} was answered ${JSON.stringify(answer)}, kept is ${JSON.stringify(data)}`;
  }

  async trialBalanceDifference(): Promise<number[]> {
    const { currencies } = await this.get<{ currencies: { difference: number }[] }>('/v1/ledger/trial-balance');
    return currencies.map(({ difference }) => difference);
  }

  close(): void {
    for (const link of this.#links) link.close();
  }
}
