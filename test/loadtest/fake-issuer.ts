/**
 * A little issuer for the load test's own tests: approves, remembers decisions, reverses, and does as it is told when it
 * shall be late, silent, double or wrong. With it comes the small part of the admin API that the load test uses.
 */
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import type { DialectName } from '#src/iso8583/dialects.js';
import { FrameReader, type FramingName, frameOverhead, writeFrame } from '#src/iso8583/framing.js';
import { type Fields, pack, unpack } from '#src/iso8583/message.js';

export interface Heard {
  readonly fields: Fields;
  readonly bytes: Uint8Array;
  readonly atMs: number;
}

export interface FakeOptions {
  readonly dialect?: DialectName;
  readonly framing?: FramingName;
  readonly headerBytes?: number;
  /** What is sent for a reply, normally once and at once: return [] for silence, twice the reply for a double. */
  readonly deliver?: (reply: Fields, request: Fields, number: number) => Fields[];
  /** Milliseconds before the replies to a message go out. */
  readonly delayMs?: (number: number) => number;
  /** DE39 for an auth. */
  readonly decide?: (request: Fields, number: number) => string;
}

interface Decision {
  readonly code: string;
  readonly amount: number;
  readonly pan: string;
  reversed: boolean;
}

export class FakeIssuer {
  readonly heard: Heard[] = [];
  readonly heldByPan = new Map<string, number>();
  readonly accounts = new Map<string, string>();
  readonly decisions = new Map<string, Decision>();
  /** Falsifications of the admin API. */
  trialBalanceDifference = 0;
  adminDown = false;
  readonly #options: FakeOptions;
  readonly #sockets = new Set<Socket>();
  readonly #servers: (Server | HttpServer)[] = [];

  constructor(options: FakeOptions = {}) {
    this.#options = options;
  }

  /** Listens for ISO 8583 over TCP; returns the target. */
  async listen(server?: Server): Promise<string> {
    const tcp = server ?? createServer();
    tcp.on(server ? 'secureConnection' : 'connection', (socket: Socket) => this.#serve(socket));
    return `iso8583+${server ? 'tls' : 'tcp'}://127.0.0.1:${await this.#open(tcp)}`;
  }

  async listenWebSocket(): Promise<string> {
    const http = createHttpServer();
    const sockets = new WebSocketServer({ server: http, path: '/iso8583' });
    sockets.on('connection', (socket) => {
      socket.on('message', (data: Buffer) => this.#message(data, (reply) => socket.send(reply)));
    });
    return `ws://127.0.0.1:${await this.#open(http)}/iso8583`;
  }

  async listenAdmin(): Promise<string> {
    const http = createHttpServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { status, body } = this.#admin(request.method ?? '', request.url ?? '', Buffer.concat(chunks).toString());
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
    });
    return `http://127.0.0.1:${await this.#open(http)}`;
  }

  /** Cuts all connections, as a crash would. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    for (const server of this.#servers) {
      if ('closeAllConnections' in server) server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  #open(server: Server | HttpServer): Promise<number> {
    this.#servers.push(server);
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
    });
  }

  #serve(socket: Socket): void {
    const framing = {
      framing: this.#options.framing ?? ('len2' as const),
      headerBytes: this.#options.headerBytes ?? 0,
      maxBytes: 4096,
    };
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const reader = new FrameReader(framing);
    socket.on('data', (chunk: Buffer) =>
      reader.push(chunk, (buf, start, end, header) => {
        const echoed = header ? header.slice() : undefined;
        this.#message(buf.slice(start, end), (reply) => {
          const out = new Uint8Array(frameOverhead(framing) + reply.length);
          out.set(reply, writeFrame(framing, out, 0, reply.length, echoed));
          if (!socket.destroyed) socket.write(out);
        });
      }),
    );
  }

  #message(bytes: Uint8Array, send: (reply: Uint8Array) => void): void {
    const dialect = this.#options.dialect ?? 'iso87-bcd';
    const request = unpack(dialect, bytes);
    const number = this.heard.length;
    this.heard.push({ fields: request, bytes, atMs: performance.now() });
    const reply = this.#decide(request, number);
    const replies = this.#options.deliver?.(reply, request, number) ?? [reply];
    const delay = this.#options.delayMs?.(number) ?? 0;
    const go = () => {
      for (const one of replies) send(pack(dialect, one));
    };
    if (delay > 0) setTimeout(go, delay);
    else go();
  }

  #decide(request: Fields, number: number): Fields {
    const mti = request[0]!;
    const pan = request[2]!;
    const key = [pan, request[37], request[41]].join('|');
    const reply: Fields = { 0: `${mti.slice(0, 2)}${mti[2] === '0' ? '1' : '3'}0` };
    for (const field of [3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49]) {
      const value = request[field];
      if (value !== undefined) reply[field] = value;
    }
    const known = this.decisions.get(key);
    if (mti === '0400') {
      if (known && !known.reversed) {
        known.reversed = true;
        this.#hold(pan, -known.amount);
      }
      return { ...reply, 39: '00' };
    }
    if (mti === '0101' && known) return { ...reply, 39: known.reversed ? '68' : known.code };
    if (request[3]!.startsWith('31')) return { ...reply, 39: '00' };
    const code = this.#options.decide?.(request, number) ?? '00';
    const amount = code === '00' ? Number(request[4]) : 0;
    this.decisions.set(key, { code, amount, pan, reversed: false });
    this.#hold(pan, amount);
    return { ...reply, 39: code };
  }

  #hold(pan: string, change: number): void {
    this.heldByPan.set(pan, (this.heldByPan.get(pan) ?? 0) + change);
  }

  #admin(method: string, url: string, body: string): { status: number; body: unknown } {
    if (this.adminDown) return { status: 500, body: { code: 'internal' } };
    const { pathname, searchParams } = new URL(url, 'http://admin');
    if (method === 'POST' && pathname === '/v1/bulk/accounts') {
      const rows = body.trim().split('\n');
      let accounts = 0;
      const rejects: { line: number; code: string; detail: string }[] = [];
      rows.forEach((text, i) => {
        const row = JSON.parse(text) as { account: { id: string }; card: { pan: string } };
        if (this.accounts.has(row.account.id)) rejects.push({ line: i + 1, code: 'account_exists', detail: '' });
        else {
          this.accounts.set(row.account.id, row.card.pan);
          accounts++;
        }
      });
      return {
        status: 200,
        body: {
          object: 'import',
          rows: rows.length,
          accounts,
          cards: accounts,
          rejected: rejects.length,
          rejects,
          complete: true,
        },
      };
    }
    const account = /^\/v1\/accounts\/(.+)$/.exec(pathname)?.[1];
    if (account !== undefined) {
      const pan = this.accounts.get(account);
      if (pan === undefined) return { status: 404, body: { code: 'not_found' } };
      return {
        status: 200,
        body: {
          object: 'account',
          id: account,
          balances: { posted: 0, held: this.heldByPan.get(pan) ?? 0, available: 0 },
        },
      };
    }
    if (pathname === '/v1/authorizations') {
      const rrn = searchParams.get('rrn');
      const data = [...this.decisions]
        .filter(([key]) => key.split('|')[1] === rrn)
        .map(([, one]) => ({ response_code: one.code }));
      return { status: 200, body: { object: 'list', data, has_more: false } };
    }
    if (pathname === '/v1/ledger/trial-balance') {
      return {
        status: 200,
        body: { data: [{ currency: 'BRL', debits: 0, credits: 0, difference: this.trialBalanceDifference }] },
      };
    }
    if (pathname === '/version') return { status: 200, body: { version: 'fake' } };
    return { status: 404, body: { code: 'route_not_found' } };
  }
}
