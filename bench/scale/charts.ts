/**
 * The charts of docs/internals/scale.md: one SVG with a small chart per cost over the number of accounts, drawn from the result only.
 * Colours are of middle lightness, so that they can be read on a white and on a dark page; nothing is loaded.
 */
import { escapeHtml, roundStep } from '../../loadtest/report-charts.js';

const WIDTH = 440;
const HEIGHT = 240;
const COLUMNS = 2;
const LEFT = 64;
const RIGHT = 24;
const TOP = 40;
const BOTTOM = 34;

const STYLE = [
  'text{font:12px sans-serif;fill:#7d8590}',
  'text.title{font-weight:bold;font-size:13px}',
  'line{stroke:#7d8590;stroke-opacity:.35}',
  'line.target{stroke:#c9622f;stroke-opacity:1;stroke-dasharray:6 4}',
  'text.target{fill:#c9622f}',
  'polyline{fill:none;stroke:#3987e5;stroke-width:2}',
  'circle{fill:#3987e5}',
].join('');

export interface Point {
  /** Above 0. */
  readonly x: number;
  /** From 0. */
  readonly y: number;
}

export interface Chart {
  readonly title: string;
  /** Rising in x. */
  readonly points: readonly Point[];
  /** A line at what is wanted. */
  readonly target?: { readonly y: number; readonly label: string };
}

/** One picture of all charts. */
export function chartsSvg(charts: readonly Chart[]): string {
  const rows = Math.ceil(charts.length / COLUMNS);
  const body = charts.map((chart, i) => {
    const place = `${(i % COLUMNS) * WIDTH} ${Math.floor(i / COLUMNS) * HEIGHT}`;
    return `<g transform="translate(${place})">${chartBody(chart)}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH * COLUMNS} ${HEIGHT * rows}" role="img" aria-label="${escapeHtml(charts.map(({ title }) => title).join('; '))}">\n<style>${STYLE}</style>\n${body.join('\n')}\n</svg>\n`;
}

const place = (value: number): string => value.toFixed(1);

function text(x: number, y: number, anchor: 'start' | 'middle' | 'end', words: string, style?: string): string {
  const styled = style === undefined ? '' : ` class="${style}"`;
  return `<text${styled} x="${place(x)}" y="${place(y)}" text-anchor="${anchor}">${escapeHtml(words)}</text>`;
}

function chartBody({ title, points, target }: Chart): string {
  const head = text(LEFT, 20, 'start', title, 'title');
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return head + text(LEFT, 60, 'start', 'not measured');
  const from = Math.floor(Math.log10(first.x));
  const to = Math.max(from + 1, Math.ceil(Math.log10(last.x)));
  const x = (value: number): number => LEFT + ((Math.log10(value) - from) / (to - from)) * (WIDTH - LEFT - RIGHT);
  const most = Math.max(...points.map((point) => point.y), target?.y ?? 0, Number.MIN_VALUE) * 1.1;
  const y = (value: number): number => HEIGHT - BOTTOM - (value / most) * (HEIGHT - BOTTOM - TOP);
  const level = (value: number, style = ''): string =>
    `<line${style} x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${place(y(value))}" y2="${place(y(value))}"/>`;
  const grid: string[] = [];
  for (let power = from; power <= to; power++) grid.push(text(x(10 ** power), HEIGHT - 12, 'middle', decade(power)));
  const step = roundStep(most);
  for (let i = 0; i * step <= most; i++)
    grid.push(level(i * step), text(LEFT - 8, y(i * step) + 4, 'end', round(i * step)));
  const wanted =
    target === undefined
      ? []
      : [level(target.y, ' class="target"'), text(WIDTH - RIGHT, y(target.y) - 5, 'end', target.label, 'target')];
  const line = `<polyline points="${points.map((point) => `${place(x(point.x))},${place(y(point.y))}`).join(' ')}"/>`;
  const dots = points.map(
    (point) =>
      `<circle cx="${place(x(point.x))}" cy="${place(y(point.y))}" r="3.5"><title>${escapeHtml(`${point.x.toLocaleString('en-US')}: ${round(point.y)}`)}</title></circle>`,
  );
  return [head, ...grid, ...wanted, line, ...dots].join('');
}

/** 1 000 as "1 k". */
function decade(power: number): string {
  const [name, less] = power >= 6 ? [' M', 6] : power >= 3 ? [' k', 3] : ['', 0];
  return `${10 ** (power - less)}${name}`;
}

/** Three digits at least, without the noise of floating point. */
function round(value: number): string {
  const digits = value === 0 || value >= 100 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(value)));
  return Number(value.toFixed(digits)).toLocaleString('en-US');
}
