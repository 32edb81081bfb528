import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AxeResults } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StatusDocument } from '../../../http/documents.ts';
import type { Served } from '../../../local/serve.ts';
import { launchBrowser, openPage } from '../../helpers/browser.ts';
import { startServiceIn } from '../../helpers/service.ts';

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let browser: Browser;
let folder: string;
let service: Served;
let batch: StatusDocument;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'downburst-'));
  [browser, service] = await Promise.all([launchBrowser(), startServiceIn(folder)]);
  const body = JSON.stringify({
    name: 'of all kinds',
    urls: ['https://', 'nowhere', { url: 'http://127.0.0.1:1/a', key: 'taken' }],
    options: { invalidEntries: 'fail', maxAttempts: 1 },
  });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${service.url}/batches`, { method: 'POST', headers, body });
  batch = (await answer.json()) as StatusDocument;
});
afterAll(async () => {
  await Promise.all([browser.close(), service.close()]);
  await rm(folder, { recursive: true });
});

/** What axe finds wrong with what is shown: the rule, and where. */
async function violations(page: Page): Promise<string[]> {
  const { violations } = await page.evaluate<AxeResults>("axe.run({ resultTypes: ['violations'] })");
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(' ')}`));
}

/** Every view, and what is to be done until all of it is there. */
const VIEWS: [name: string, fragment: () => string, show: (page: Page) => Promise<void>][] = [
  ['the list of batches', () => '#/', (page) => page.getByText('of all kinds').waitFor()],
  [
    'a batch',
    () => `#/batches/${batch.id}`,
    async (page) => {
      await page.getByText('finished', { exact: true }).waitFor();
      await page.getByText('HOST_DOWN').or(page.getByText('CONNECT_FAILED')).first().waitFor();
      await page.getByText('Details and options').click();
    },
  ],
  [
    'a dialog',
    () => `#/batches/${batch.id}`,
    (page) => page.getByRole('button', { name: 'Retry', exact: true }).click(),
  ],
  [
    'a refused list',
    () => '#/new',
    async (page) => {
      await page.getByText('Options', { exact: true }).click();
      await page.getByLabel('List of URLs').fill('nowhere');
      await page.getByRole('button', { name: 'Start' }).click();
      await page.getByRole('alert').waitFor();
    },
  ],
  [
    'a list that was checked',
    () => '#/new',
    async (page) => {
      await page.getByLabel('List of URLs').fill('https://example.com/a');
      await page.getByRole('button', { name: 'Check first' }).click();
      await page.getByText('The list is in order').waitFor();
    },
  ],
];

test.each(VIEWS)('everybody can use %s, in both themes, on a phone and on a desk', async (_, fragment, show) => {
  const page = await openPage(browser, `${service.url}/${fragment()}`);
  await show(page);
  await page.evaluate(AXE);
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 800 });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await violations(page), `${colorScheme}, ${width} px`).toEqual([]);
    }
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
  }
});
