/** The page about controls: every object on it is read as the page says, its tables are those of the program. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { mergedControls } from '#src/control/controls.js';
import { controls } from '#src/control/schemas-controls.js';
import { responseText } from '#src/domain/codes.js';
import { ControlFacts } from '#src/domain/controls/facts.js';
import { defaultMccGroups } from '#src/domain/controls/mcc-groups.js';
import { type ControlsContext, type ParsedControls, parseControls } from '#src/domain/controls/parse.js';
import { Channel, ControlLevel } from '#src/domain/controls/spec.js';
import { ControlKind, controlReasons, defaultControlResponses } from '#src/domain/controls/verdict.js';
import { MessageInput } from '#src/domain/message.js';
import { TRAILING_SECONDS_MAX, TRAILING_SECONDS_MIN } from '#src/domain/velocity/windows.js';
import { IntlZoneCalendar } from '#src/intl-zone-calendar.js';
import {
  CONTROL_CASH_WINDOWS_MAX,
  CONTROL_LIST_MAX,
  CONTROL_WINDOWS_MAX,
  CONTROLS_TEXT_BYTES_MAX,
  VELOCITY_ROW_COUNTERS_MAX,
} from '#src/limits.js';
import { Page } from './pages.js';

const page = new Page('docs/reference/controls.md');
const calendar = new IntlZoneCalendar();
const shape = z.fromJSONSchema(z.toJSONSchema(controls));

function read(json: string, level: ControlLevel): ParsedControls {
  const context: ControlsContext = { level, groups: defaultMccGroups, knowsZone: (zone) => calendar.knows(zone) };
  return parseControls(JSON.parse(json), context);
}

/** Cells of the table whose head begins with these words. */
function table(...head: string[]): string[][] {
  const start = page.text.indexOf(`| ${head.join(' | ')}`);
  expect(start).toBeGreaterThan(0);
  const lines = page.text.slice(start).split('\n\n')[0]!.split('\n').slice(2);
  return lines.map((line) =>
    line
      .replace(/^\| | \|$/g, '')
      .split(' | ')
      .map((cell) => cell.replace(/^`|`$/g, '')),
  );
}

describe('the page about controls', () => {
  const examples = page.blocks.filter(({ language }) => language === 'json').map(({ lines }) => lines.join('\n'));

  test('has examples', () => {
    expect(examples.length).toBeGreaterThan(5);
    expect(page.blocks.length).toBe(examples.length);
  });

  test.each(examples)('%s', (json) => {
    const level = json.includes('"per"') ? ControlLevel.program : ControlLevel.card;
    expect(read(json, level)).toMatchObject({ ok: true });
  });

  test.each(table('object', 'pointer', 'reason'))('refuses %s', (json, pointer, detail) => {
    expect(read(json!, ControlLevel.card)).toEqual({ ok: false, problems: [{ pointer, detail }] });
  });

  test.each(examples)('the shape in the API description takes %s', (json) => {
    expect(shape.safeParse(JSON.parse(json)).error).toBeUndefined();
  });

  test.each(table('before', 'PATCH', 'after'))('%s with %s becomes %s', (before, patch, after) => {
    const { controls } = JSON.parse(patch!);
    expect(mergedControls(JSON.parse(before!), controls)).toEqual(JSON.parse(after!) ?? {});
  });

  test('lists the groups', () => {
    const groups = Object.entries(defaultMccGroups).map(([name, codes]) => [
      name,
      codes.map((code) => (typeof code === 'number' ? String(code) : code.join('-'))).join(', '),
    ]);
    expect(table('group', 'codes')).toEqual(groups);
  });

  test('lists what is answered, in the order of the check', () => {
    const rows = Object.values(ControlKind).map((kind) => [
      responseText(defaultControlResponses[kind]),
      controlReasons[kind],
    ]);
    expect(table('control', 'DE39', 'reason').map(([, code, reason]) => [code, reason])).toEqual(rows);
  });

  test('lists the channels with their entry modes', () => {
    const facts = new ControlFacts();
    const input = new MessageInput();
    const modesOf = new Map<string, string[]>();
    input.processingCode = 0;
    for (let mode = 0; mode < 100; mode++) {
      input.entryMode = mode * 10 + 1;
      facts.readRequest(input, 1, 0);
      const channel = Object.entries(Channel).find(([, bit]) => bit === facts.channels)?.[0];
      if (channel === undefined) continue;
      modesOf.set(channel, [...(modesOf.get(channel) ?? []), String(mode).padStart(2, '0')]);
    }
    const rows = table('channel', 'entry modes (first two digits of DE22)').slice(0, -1);
    expect(rows).toEqual(rows.map(([channel]) => [channel, modesOf.get(channel!)!.join(', ')]));
    expect(rows.map(([channel]) => channel).sort()).toEqual([...modesOf.keys()].sort());
  });

  test('names the bounds', () => {
    for (const bound of [
      `up to ${CONTROL_WINDOWS_MAX} windows; \`cash.velocity\` up to ${CONTROL_CASH_WINDOWS_MAX}`,
      `at most ${CONTROL_LIST_MAX} entries`,
      `${TRAILING_SECONDS_MIN} to ${TRAILING_SECONDS_MAX} (31 days)`,
      `${VELOCITY_ROW_COUNTERS_MAX} counters are kept`,
      `may have ${CONTROLS_TEXT_BYTES_MAX} bytes`,
    ]) {
      expect(page.text).toContain(bound);
    }
  });
});
