/** A terminal that keeps what a command says, so commands run inside the test. */
import { Readable } from 'node:stream';
import { execute } from '#src/cli/program.js';
import type { Terminal } from '#src/cli/terminal.js';

export interface Said {
  status: number;
  out: string;
  err: string;
}

export interface FakeTerminal extends Terminal {
  readonly said: { out: string; err: string };
}

export function fakeTerminal(environment: Record<string, string> = {}, stdin = ''): FakeTerminal {
  const said = { out: '', err: '' };
  return {
    said,
    environment,
    outIsTty: false,
    errIsTty: false,
    stdin: Readable.from([Buffer.from(stdin)]),
    write: async (text) => {
      said.out += text;
    },
    out: (line) => {
      said.out += `${line}\n`;
    },
    err: (line) => {
      said.err += `${line}\n`;
    },
    progress: () => undefined,
  };
}

/** Runs a command line in this process. */
export async function say(args: string[], environment: Record<string, string> = {}, stdin = ''): Promise<Said> {
  const terminal = fakeTerminal(environment, stdin);
  const status = await execute(args, terminal);
  return { status, ...terminal.said };
}
