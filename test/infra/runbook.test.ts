import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { resourcesOf, synthesise } from './synth.ts';

const page = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
const template = synthesise();
const alarms = [...resourcesOf<{ AlarmDescription: string }>(template, 'AWS::CloudWatch::Alarm').values()];

test('every alarm names the section of docs/operations.md that says what to do, and every section has an alarm', () => {
  const named = alarms.map(({ Properties }) => /docs\/operations\.md#([\w-]+)$/.exec(Properties.AlarmDescription)?.[1]);
  const chapter = page.split(/^## /m).find((text) => text.startsWith('Alarms\n')) ?? '';
  const sections = [...chapter.matchAll(/^### (.+)$/gm)].map(([, id]) => id);
  expect([...new Set(named)].sort()).toEqual(sections.sort());
  expect(page.replaceAll(/ +/g, ' ')).toContain(`| alarms | ${alarms.length} |`);
});

test('what the commands of docs/operations.md ask the stack for is there, and is one thing each', () => {
  const asked = [
    ...[...page.matchAll(/resource (AWS::\S+) (\w+)/g)].map(([, type = '', name = '']) => ({ type, name })),
    ...[...page.matchAll(/\$\(logs (\w+)\)/g)].map(([, name = '']) => ({
      type: 'AWS::Logs::LogGroup',
      name: `${name}Log`,
    })),
  ];
  expect(asked.length).toBeGreaterThan(0);
  for (const { type, name } of asked) {
    const found = [...resourcesOf(template, type).keys()].filter((id) => id.startsWith(`Downburst${name}`));
    expect(found, `${type} ${name}`).toHaveLength(1);
  }
  const outputs = [...page.matchAll(/\$?\(?output ([A-Z]\w+)/g)].map(([, name = '']) => name);
  expect(Object.keys(template.Outputs)).toEqual(expect.arrayContaining(outputs.filter((name) => name !== 'NAME')));
});
