/** What a hostile case is, and what its thread tells. */
export type Transport = 'tcp' | 'ws';

export const caseNames = [
  'flood',
  'hot account',
  'unknown cards',
  'reply flood',
  'never reading',
  'garbage',
  'giant frames',
  'slowloris',
  'byte by byte',
  'half open',
  'connect storm',
  'idle',
] as const;
export type CaseName = (typeof caseNames)[number];

export const caseTexts: Readonly<Record<CaseName, string>> = {
  flood: '8 connections send purchases, as many as they may, and read the answers',
  'hot account': 'the same with one card',
  'unknown cards': 'the same with card numbers that nobody has',
  'reply flood': '8 connections send 0110s',
  'never reading': '16 connections send purchases and read nothing; closed ones come again',
  garbage: '32 connections send random bytes; closed ones come again at once',
  'giant frames': '16 connections send frames of 65 kB and of 1 MiB; closed ones come again at once',
  slowloris: '1 000 connections send a byte per second',
  'byte by byte': '20 connections send purchases in writes of one byte, 1 000 per second each',
  'half open': '64 connections at a time send a purchase and are reset, without an end',
  'connect storm': '64 connections at a time are opened and closed without a word',
  idle: 'connections that say nothing',
};

export interface CaseTask {
  readonly name: CaseName;
  readonly transport: Transport;
  /** host:port */
  readonly address: string;
  /** Messages per second, where the case sends whole ones. */
  readonly rate: number;
  /** Connections of the case `idle`. */
  readonly idle: number;
  /** Wall clock, ms. */
  readonly untilMs: number;
}

/** What the hostile side saw. */
export interface CaseFigures {
  /** Connections opened, failed to open, and ended by the server. */
  opened: number;
  refused: number;
  closed: number;
  /** Messages sent and answers received, where they are whole; 91s among them. */
  sent: number;
  answered: number;
  shed: number;
  bytesSent: number;
}

export interface SteadyTask {
  /** host:port of both transports: half of the connections speak each. */
  readonly tcp: string;
  readonly ws: string;
  readonly connections: number;
  readonly rate: number;
  /** Wall clock, ms. */
  readonly startMs: number;
  readonly endMs: number;
}

export const Code = { none: 0, approved: 1, shed: 2, other: 3 } as const;

/** One row per message in the order they were due. */
export interface SteadyRows {
  /** Wall clock, ms. */
  readonly dueMs: Float64Array;
  /** From the due time to the answer, ms; NaN without one. */
  readonly latencyMs: Float64Array;
  readonly code: Uint8Array;
  readonly reconnects: number;
}
