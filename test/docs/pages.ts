/**
 * The pages of the project as data: links, headings, fenced blocks, the commands in them with the output that the page
 * shows. A `console` block holds commands behind `$ ` and what they print; `sh` and unnamed blocks hold commands alone.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');

export interface Block {
  readonly language: string;
  readonly lines: readonly string[];
}

export interface ShownCommand {
  readonly command: string;
  /** What the page shows below the command; empty where it shows nothing. */
  readonly output: readonly string[];
}

export class Page {
  /** Relative to the repository. */
  readonly path: string;
  readonly text: string;

  constructor(path: string) {
    this.path = path;
    this.text = readFileSync(join(root, path), 'utf8');
  }

  /** The text outside of fenced blocks. */
  get prose(): string {
    return this.text.replace(/^```[\s\S]*?^```$/gm, '');
  }

  get blocks(): Block[] {
    return [...this.text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map((match) => ({
      language: match[1]!,
      lines: match[2]!.replace(/\n$/, '').split('\n'),
    }));
  }

  /** Targets of the page's relative links: path from the repository's root and anchor. */
  get links(): { file: string; anchor: string; written: string }[] {
    return [...this.prose.matchAll(/\]\(([^)\s]+)\)/g)]
      .map((match) => match[1]!)
      .filter((target) => !/^[a-z]+:/.test(target))
      .map((written) => {
        const [path = '', anchor = ''] = written.split('#');
        const file = path === '' ? this.path : relative(root, join(root, dirname(this.path), path));
        return { file, anchor, written };
      });
  }

  /** Anchors as GitHub makes them from headings. */
  get anchors(): string[] {
    return [...this.prose.matchAll(/^#+ (.+)$/gm)].map((match) =>
      match[1]!
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replace(/\s/g, '-'),
    );
  }

  /** Commands of shell blocks, with their output where the block is a `console`. */
  get commands(): ShownCommand[] {
    return this.blocks.flatMap((block) => {
      if (block.language === 'console') return consoleCommands(block.lines);
      if (!['', 'sh', 'bash', 'shell'].includes(block.language)) return [];
      return joined(block.lines)
        .filter(isProgram)
        .map((command) => ({ command, output: [] }));
    });
  }

  /** Commands written in running text: `holdfast verify --data-dir data`. */
  get inlineCommands(): string[] {
    return [...this.prose.matchAll(/`((?:holdfast|npm start|npm run loadtest) [^`\n]+)`/g)]
      .map((match) => match[1]!)
      .filter((text) => !text.startsWith('holdfast ready '));
  }
}

function consoleCommands(lines: readonly string[]): ShownCommand[] {
  const shown: { command: string; output: string[] }[] = [];
  for (const line of joined(lines)) {
    if (line.startsWith('$ ')) shown.push({ command: line.slice(2), output: [] });
    else shown.at(-1)?.output.push(line);
  }
  return shown;
}

/** Lines with those that end in a backslash joined to the next. */
function joined(lines: readonly string[]): string[] {
  return lines
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n');
}

function isProgram(line: string): boolean {
  return /^(holdfast|node dist\/cli\/main\.js|npm start --|npm run loadtest --) /.test(line);
}

/** Words of a command line: blanks separate, quotes join, a comment ends it. */
export function words(line: string): string[] {
  const found = [...line.matchAll(/#.*$|"([^"]*)"|'([^']*)'|[^\s"'#]\S*/g)];
  return found.filter(([whole]) => !whole.startsWith('#')).map(([whole, double, single]) => double ?? single ?? whole);
}

/** Arguments of the program in a command line of a page; undefined when the line is another program's. */
export function programArguments(line: string): string[] | undefined {
  const all = words(line);
  if (all[0] === 'holdfast') return all.slice(1);
  if (line.startsWith('node dist/cli/main.js ')) return all.slice(2);
  if (line.startsWith('npm start')) return ['serve', '--demo', ...all.slice(3)];
  if (line.startsWith('npm run loadtest')) return ['loadtest', ...all.slice(4)];
  return undefined;
}

/** Every page of the project. */
export function allPages(): Page[] {
  const pages = readdirSync(root).filter((name) => name.endsWith('.md'));
  for (const entry of readdirSync(join(root, 'docs'), { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && entry.name.endsWith('.md')) pages.push(relative(root, join(entry.parentPath, entry.name)));
  }
  return pages.sort().map((path) => new Page(path));
}
