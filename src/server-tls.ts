/**
 * Certificate, key and client authorities of one listener, and how they are replaced while it runs. The same for links and for the
 * HTTP API: TLS 1.2 or later, no renegotiation, client certificates verified where authorities are given.
 *
 *   files -> read together -> sound? -> the server's new context: handshakes from now on
 *                          -> not   -> told, counted; the context before stays
 *
 * Connections that are open keep what they agreed upon. A context has ticket keys of its own, so no session of the one before
 * is resumed: a peer whose authority was taken out is refused at its next handshake.
 */
import { constants, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type TlsOptions, type Server as TlsServer } from 'node:tls';
import { HoldfastError } from './errors.js';
import { TLS_FILES_LOOK_MS, TLS_HANDSHAKE_MS } from './limits.js';

/** PEM files of one listener. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** Given: a client must present a certificate signed by one of these authorities. */
  readonly clientCaFile?: string;
}

/** What is told of a listener's certificate; plain data, so that it crosses threads. */
export interface TlsState {
  /** Name of the listener: that of its link, or `admin`. */
  readonly listener: string;
  /** End of the certificate's validity, seconds since 1970. */
  readonly expirySeconds: number;
  /** Since the start: new files that were taken, and that were not. */
  readonly taken: number;
  readonly refused: number;
}

/** The part of a logger that is used here. */
export interface TlsLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

interface Material {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly clientCa: Buffer | undefined;
}

export class ServerTls {
  /** Name of the listener in logs, errors and metrics. */
  readonly listener: string;
  readonly #files: TlsFiles;
  readonly #servers = new Set<Pick<TlsServer, 'setSecureContext'>>();
  #options: TlsOptions;
  /** What was seen last, sound or not: the same files are not judged, and told, twice. */
  #seen: Material;
  #untilMs: number;
  #taken = 0;
  #refused = 0;

  /** @throws HoldfastError `config_invalid` naming listener and file when one cannot be read or used */
  constructor(listener: string, files: TlsFiles) {
    this.listener = listener;
    this.#files = files;
    this.#seen = {
      cert: readNow(listener, files.certFile),
      key: readNow(listener, files.keyFile),
      clientCa: files.clientCaFile === undefined ? undefined : readNow(listener, files.clientCaFile),
    };
    this.#options = optionsOf(listener, files, this.#seen);
    this.#untilMs = validUntilMs(this.#seen.cert);
  }

  /** Of the moment, for a new server. */
  get options(): TlsOptions {
    return this.#options;
  }

  get state(): TlsState {
    const expirySeconds = Math.floor(this.#untilMs / 1000);
    return { listener: this.listener, expirySeconds, taken: this.#taken, refused: this.#refused };
  }

  /** The server takes part in every reload from now on. */
  attach(server: Pick<TlsServer, 'setSecureContext'>): void {
    this.#servers.add(server);
  }

  /**
   * Reads the files again. What is new and sound is used by every handshake from now on; what is not sound is told once, and
   * the certificate before stays. A certificate that has ended already is not sound, when the one before has not.
   */
  async reload(log: TlsLog, nowMs: number): Promise<void> {
    const { listener } = this;
    try {
      const material = await this.#read();
      if (isSame(material, this.#seen)) return;
      this.#seen = material;
      const options = optionsOf(listener, this.#files, material);
      const untilMs = validUntilMs(material.cert);
      if (untilMs <= nowMs && this.#untilMs > nowMs)
        throw invalid(listener, `the certificate in ${this.#files.certFile} has ended`, 'name one that is valid');
      for (const server of this.#servers) server.setSecureContext(options);
      this.#options = options;
      this.#untilMs = untilMs;
      this.#taken++;
      log.info({ listener, until: new Date(untilMs).toISOString() }, 'a new certificate is in use');
    } catch (error) {
      this.#refused++;
      if (!(error instanceof HoldfastError)) throw error;
      log.error({ listener, error: error.message, next: error.next }, 'new TLS files are refused; those before stay');
    }
  }

  async #read(): Promise<Material> {
    const { certFile, keyFile, clientCaFile } = this.#files;
    const read = (file: string): Promise<Buffer> =>
      readFile(file).catch((error: unknown) => {
        throw unreadable(this.listener, file, error);
      });
    const [cert, key, clientCa] = await Promise.all([
      read(certFile),
      read(keyFile),
      clientCaFile === undefined ? undefined : read(clientCaFile),
    ]);
    return { cert, key, clientCa };
  }
}

/** Looks at the files of some listeners now and then, and when it is told to. */
export class TlsWatch {
  readonly #listeners: readonly ServerTls[];
  readonly #log: TlsLog;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(listeners: readonly ServerTls[], log: TlsLog) {
    this.#listeners = listeners;
    this.#log = log;
  }

  /** Warns of certificates that have ended, and begins to look. */
  start(): void {
    for (const { state } of this.#listeners)
      if (state.expirySeconds * 1000 <= Date.now())
        this.#log.warn({ listener: state.listener }, 'the certificate has ended: peers that verify it refuse it');
    if (this.#listeners.length === 0) return;
    this.#timer = setInterval(() => void this.look(), TLS_FILES_LOOK_MS).unref();
  }

  /** One look, after those that are under way. */
  look(): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      for (const listener of this.#listeners) {
        try {
          await listener.reload(this.#log, Date.now());
        } catch (error) {
          this.#log.error({ listener: listener.listener, err: error }, 'the TLS files could not be looked at');
        }
      }
    });
    return this.#turn;
  }

  /** Resolves when no look is under way any more. */
  stop(): Promise<void> {
    clearInterval(this.#timer);
    return this.#turn;
  }

  states(): TlsState[] {
    return this.#listeners.map(({ state }) => state);
  }
}

function optionsOf(listener: string, files: TlsFiles, { cert, key, clientCa }: Material): TlsOptions {
  if (clientCa !== undefined) assertCertificate(listener, files.clientCaFile!, clientCa);
  assertCertificate(listener, files.certFile, cert);
  const options: TlsOptions = {
    cert,
    key,
    minVersion: 'TLSv1.2',
    // Of TLS 1.2: a peer that may ask for handshake after handshake costs more than it pays.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    handshakeTimeout: TLS_HANDSHAKE_MS,
    ...(clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
  };
  try {
    createSecureContext(options);
  } catch (error) {
    throw invalid(
      listener,
      `${files.certFile} and ${files.keyFile} are no certificate and its key`,
      'name a PEM certificate and the unencrypted PEM key that belongs to it',
      error,
    );
  }
  return options;
}

/** OpenSSL takes a file without any certificate for an empty list of authorities, which would refuse everybody. */
function assertCertificate(listener: string, file: string, pem: Buffer): void {
  try {
    new X509Certificate(pem);
  } catch (error) {
    throw invalid(listener, `${file} holds no certificate`, 'name a PEM file with one', error);
  }
}

function validUntilMs(cert: Buffer): number {
  return Date.parse(new X509Certificate(cert).validTo);
}

function isSame(a: Material, b: Material): boolean {
  const sameCa = a.clientCa === undefined || b.clientCa === undefined || a.clientCa.equals(b.clientCa);
  return a.cert.equals(b.cert) && a.key.equals(b.key) && sameCa;
}

function readNow(listener: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw unreadable(listener, file, error);
  }
}

function unreadable(listener: string, file: string, error: unknown): HoldfastError {
  const { code, message } = error as NodeJS.ErrnoException;
  return invalid(listener, `cannot read ${file}: ${code ?? message}`, 'name readable PEM files', error);
}

function invalid(listener: string, what: string, next: string, cause?: unknown): HoldfastError {
  return new HoldfastError('config_invalid', `TLS of ${listener}: ${what}`, next, { cause });
}
