import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSqliteLedger } from '../../../adapters/sqlite/ledger.ts';
import { DEFAULT_OPTIONS } from '../../../core/model/options.ts';
import { noCounts } from '../../../core/model/records.ts';
import type { StatusDocument } from '../../../http/documents.ts';
import type { Served } from '../../../local/serve.ts';
import { launchBrowser, openPage } from '../../helpers/browser.ts';
import { startOrigin } from '../../helpers/origin.ts';
import { startServiceIn } from '../../helpers/service.ts';
import { fileBody, startFileOrigin } from '../local/file-origin.ts';

/** Batches that are over before the tests begin. */
const OLD_BATCHES = 60;

let browser: Browser;
let folder: string;
let service: Served;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'downburst-'));
  [browser, service] = await Promise.all([launchBrowser(), startServiceIn(folder)]);
  await addOldBatches();
});
afterAll(async () => {
  await Promise.all([browser.close(), service.close()]);
  await rm(folder, { recursive: true });
});

async function addOldBatches(): Promise<void> {
  const ledger = createSqliteLedger(join(folder, 'state', 'ledger.sqlite'));
  for (let n = 0; n < OLD_BATCHES; n++) {
    const id = `019b5c6e-8f00-7abc-8def-${n.toString(16).padStart(12, '0')}`;
    await ledger.createBatch({
      id,
      rev: 1,
      name: `old ${n}`,
      state: 'finished',
      createdAt: 1_700_000_000_000 + n,
      closedAt: 1_700_000_060_000 + n,
      notifiedAt: 1_700_000_060_000 + n,
      deadline: 1_700_600_000_000,
      total: 7,
      duplicates: 0,
      shardCount: 0,
      hostCount: 1,
      options: { ...DEFAULT_OPTIONS, prefix: `${id}/`, ownPrefix: true },
      hasSecrets: false,
      final: { ...noCounts(), done: 7 },
    });
    await ledger.dropOpen(id);
  }
  ledger.close();
}

const open = (fragment = '', options = {}) => openPage(browser, new URL(fragment, `${service.url}/`).href, options);

/** Starts a batch behind the page's back. */
async function submit(body: object): Promise<StatusDocument> {
  const answer = await fetch(`${service.url}/batches`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(answer.status).toBe(202);
  return (await answer.json()) as StatusDocument;
}

/** Waits until a batch is closed. */
async function closed(id: string): Promise<void> {
  for (;;) {
    const answer = await fetch(`${service.url}/batches/${id}/wait`);
    if (((await answer.json()) as StatusDocument).finishedAt !== undefined) return;
  }
}

const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name });
const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { name });
const badge = (page: Page, state: string | RegExp) =>
  page.getByRole('main').getByRole('status').getByText(state, { exact: true });
/** How many entries of a batch ended so. */
const counted = (page: Page, name: string, n: number) =>
  page.getByLabel('Progress').locator('dl > div', { hasText: name }).getByText(String(n), { exact: true });

/** Saves what a click downloads, and reads it. */
async function download(page: Page, click: () => Promise<void>): Promise<{ name: string; body: Buffer }> {
  const [saved] = await Promise.all([page.waitForEvent('download'), click()]);
  return { name: saved.suggestedFilename(), body: await readFile(await saved.path()) };
}

describe('a batch', () => {
  test('is started of a pasted list, watched to its end, looked into, and what failed is tried again', async () => {
    const origin = await startFileOrigin();
    const page = await open();
    await page.getByRole('link', { name: 'New batch' }).click();
    await page.getByLabel('List of URLs').fill([origin.file(1), origin.file(2), `${origin.url}/nothing`].join('\n'));
    await page.getByLabel('Name').fill('three links');
    await button(page, 'Check first').click();
    await heading(page, 'The list is in order').waitFor();
    await page.getByText(/^3 files of 1 host: about/).waitFor();
    expect(origin.requests()).toBe(0);

    await button(page, 'Start').click();
    await heading(page, 'three links').waitFor();
    await badge(page, 'finished').waitFor();
    await counted(page, 'done', 2).waitFor();
    await counted(page, 'failed', 1).waitFor();
    expect(await page.title()).toBe('three links · Downburst');
    const { hash } = new URL(page.url());

    await page.getByRole('link', { name: 'done' }).click();
    await page.getByText('NOT_FOUND the source answered 404').waitFor({ state: 'detached' });
    await page.getByRole('link', { name: /Download .*\/2\.bin/ }).waitFor();
    expect(await page.getByRole('list', { name: 'Files' }).getByRole('listitem').count()).toBe(2);
    const file = await download(page, () => page.getByRole('link', { name: /Download .*\/1\.bin/ }).click());
    expect(file.name).toBe('1.bin');
    expect(file.body.equals(fileBody(1))).toBe(true);

    const list = await download(page, () => button(page, 'Save as a list').click());
    expect(list.name).toBe(`${hash.split('/')[2] ?? ''}-failed.jsonl`);
    expect(JSON.parse(list.body.toString())).toMatchObject({
      index: 3,
      url: `${origin.url}/nothing`,
      code: 'NOT_FOUND',
    });

    await button(page, 'Retry NOT_FOUND').click();
    await button(page, 'Start a new batch').click();
    await page.getByText('Retries what failed in an earlier batch').waitFor();
    await counted(page, 'failed', 1).waitFor();
    await page.goBack();
    await counted(page, 'done', 2).waitFor();
    expect(new URL(page.url()).hash).toBe(`${hash}?state=done`);

    await button(page, 'Delete').click();
    await button(page, 'Delete the batch').click();
    await heading(page, 'Batches').waitFor();
    expect(await fetch(`${service.url}/batches/${hash.split('/')[2] ?? ''}`)).toMatchObject({ status: 404 });
  });

  test('is not started of a list with mistakes: each is shown with its line and the reason', async () => {
    const page = await open('#/new');
    await page.getByLabel('List of URLs').fill('https://example.com/a\nexample.com/b\n\nftp://example.com/c');
    await button(page, 'Start').click();
    const alert = page.getByRole('alert');
    await alert.getByText('nothing was started').waitFor();
    expect(await alert.getByRole('listitem').allInnerTexts()).toEqual([
      expect.stringMatching(/^Line 2: url “example.com\/b” is not an absolute URL/),
      expect.stringMatching(/^Line 4: url “ftp:\/\/example.com\/c” is neither http nor https/),
    ]);
    await page.getByLabel('List of URLs').fill('https://example.com/a');
    expect(await alert.count()).toBe(0);
    await page.getByText('Options', { exact: true }).click();
    await page.getByLabel('Connections per host').fill('many');
    await button(page, 'Start').click();
    await alert.getByText('connectionsPerHost').first().waitFor();
  });

  test('is started of a dropped file, which is uploaded, with request headers that are not shown again', async () => {
    const origin = await startOrigin();
    origin.on('/a', ({ request, response }) => void response.end(request.headers.authorization));
    const page = await open('#/new');
    const bytes = new Uint8Array(gzipSync(`url,key\n${origin.url('/a')},named.txt\n`));
    const dropped = await page.evaluateHandle(`{
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array([${bytes.join()}])], 'list.csv.gz'));
    transfer;
  }`);
    await page.dispatchEvent('h1', 'drop', { dataTransfer: dropped });
    await page.getByText('list.csv.gz').waitFor();
    expect(await page.getByLabel('Format').locator('option:checked').innerText()).toBe('csv (found)');
    expect(await button(page, 'Check first').isDisabled()).toBe(true);
    await page.getByText('Options', { exact: true }).click();
    await page.getByLabel('Request headers').fill('Authorization: Bearer hush');
    await button(page, 'Start').click();
    await badge(page, 'finished').waitFor();
    const file = await download(page, () => page.getByRole('link', { name: 'Download named.txt' }).click());
    expect(file.body.toString()).toBe('Bearer hush');
    expect(await page.content()).not.toContain('hush');
  });

  test('is paused, resumed and cancelled by the keyboard', async () => {
    const origin = await startFileOrigin();
    origin.holdAfter(0);
    const { id } = await submit({ name: 'held', urls: Array.from({ length: 3 }, (_, n) => origin.file(n)) });
    const page = await open(`#/batches/${id}`);
    await badge(page, 'running').waitFor();
    const tabTo = async (name: string) => {
      await page.evaluate('document.activeElement.blur()');
      for (let tabs = 0; tabs < 20; tabs++) {
        await page.keyboard.press('Tab');
        if ((await page.evaluate('document.activeElement.textContent')) === name) return;
      }
      throw new Error(`${name} cannot be reached`);
    };

    await tabTo('Pause');
    await page.keyboard.press('Enter');
    await badge(page, 'paused').waitFor();
    // The focus stays: nobody has to look for it.
    await page.keyboard.press('Space');
    await badge(page, 'running').waitFor();
    await tabTo('Cancel');
    const dialog = page.getByRole('dialog', { name: 'Cancel this batch?' });
    for (const leave of ['Escape', 'Enter']) {
      await page.keyboard.press('Enter');
      await dialog.waitFor();
      await page.keyboard.press(leave);
      await page.locator('dialog').waitFor({ state: 'detached' });
    }
    await badge(page, 'running').waitFor();
    await page.keyboard.press('Enter');
    await dialog.waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await badge(page, /^cancel(ling|led)$/).waitFor();
  });

  test('that does not exist is said not to be there', async () => {
    const page = await open('#/batches/019b5c6e-8f00-7abc-8def-ffffffffffff');
    await page.getByRole('alert').getByText('There is no such batch').waitFor();
    await page.goto(`${service.url}/#/elsewhere`);
    await heading(page, 'There is nothing here').waitFor();
  });
});

test('names and messages of others stay text, however hostile', async () => {
  const origin = await startOrigin();
  origin.on('/a', ({ response }) => void response.end('a'));
  const html = '<img src=x onerror=alert(1)>';
  const { id } = await submit({
    name: `\u202egnp.exe ${html}`,
    urls: [
      { url: origin.url('/a'), key: `${html}/\u202efdp.exe` },
      { url: origin.url('/a?2'), key: `${'long'.repeat(60)}.txt` },
      'javascript:alert(1)',
      `https://user:pass@example.com/${html}`,
    ],
    options: { invalidEntries: 'fail' },
  });
  await closed(id);
  const page = await open(`#/batches/${id}`, { viewport: { width: 360, height: 740 } });
  await heading(page, `\\u{202e}gnp.exe ${html}`).waitFor();
  await page.getByText(`${html}/\\u{202e}fdp.exe`).waitFor();
  await page.getByText('javascript:alert(1)').first().waitFor();
  await page.getByText('A URL that is not shown').waitFor();
  expect(await page.locator('main img').count()).toBe(0);
  const links = await page.evaluate<string[]>("[...document.querySelectorAll('main a')].map((a) => a.protocol)");
  expect(new Set(links)).toEqual(new Set(['http:']));
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  await page.goto(`${service.url}/#/`);
  const row = page.getByRole('listitem').filter({ has: page.getByRole('link', { name: `\\u{202e}gnp.exe ${html}` }) });
  await row.getByText('2 failed').waitFor();
});

test('batches are a page at a time, and the first is there after one request', async () => {
  const page = await open('about:blank');
  const requests: string[] = [];
  page.on('request', (request) => void requests.push(new URL(request.url()).pathname));
  await page.goto(`${service.url}/#/batches/019b5c6e-8f00-7abc-8def-000000000000`);
  await heading(page, 'old 0').waitFor();
  expect(requests.filter((path) => path.startsWith('/batches')).slice(0, 1)).toEqual([
    '/batches/019b5c6e-8f00-7abc-8def-000000000000',
  ]);
  await page.getByRole('link', { name: 'Batches' }).click();
  const list = page.getByLabel('Batches, newest first').getByRole('listitem');
  await list.first().waitFor();
  expect(await list.count()).toBe(25);
  const first = await list.first().innerText();
  await page.getByRole('link', { name: 'Older' }).click();
  await page.getByRole('link', { name: 'Newest' }).waitFor();
  await page.getByText('old 20').waitFor();
  expect(await list.first().innerText()).not.toBe(first);
  await page.goBack();
  await page.getByRole('link', { name: 'Newest' }).waitFor({ state: 'detached' });
});

test('nothing is asked for while nobody looks', async () => {
  const page = await open('about:blank');
  await page.clock.install();
  let requests = 0;
  page.on('request', (request) => void (requests += Number(request.url().includes('/batches'))));
  const asked = () => page.waitForRequest(/\/batches/);
  const turn = (hidden: boolean) =>
    page.evaluate(`Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));`);

  await page.goto(`${service.url}/#/?cursor=019b5c6e-8f00-7abc-8def-000000000010`);
  await page.getByText('old 15').waitFor();
  await Promise.all([asked(), page.clock.runFor(6000)]);
  await turn(true);
  const before = requests;
  await page.clock.runFor(60_000);
  expect(requests).toBe(before);
  await Promise.all([asked(), turn(false)]);
});

test('a service that goes away and comes back is said to, and the page goes on by itself', async () => {
  const origin = await startFileOrigin();
  const own = await mkdtemp(join(tmpdir(), 'downburst-'));
  const { url, close } = await startServiceIn(own);
  const page = await openPage(browser, url);
  await page.getByText('There are no batches yet.').waitFor();
  await page.getByRole('link', { name: 'Start the first one' }).click();
  // Nothing listens on port 1: its host is waited for.
  await page.getByLabel('List of URLs').fill(`${origin.file(1)}\nhttp://127.0.0.1:1/nobody`);
  await button(page, 'Start').click();
  await counted(page, 'done', 1).waitFor();

  await close();
  const banner = page.getByText('The service does not answer. What you see is as it was');
  await banner.waitFor();
  expect(await counted(page, 'done', 1).count()).toBe(1);
  await page.getByRole('link', { name: 'New batch' }).click();
  await banner.waitFor({ state: 'detached' });
  await page.goBack();
  await banner.waitFor();
  const again = await startServiceIn(own, Number(new URL(url).port));
  await counted(page, 'done', 1).waitFor();
  await banner.waitFor({ state: 'detached' });
  await button(page, 'Cancel').click();
  await button(page, 'Cancel the batch').click();
  await counted(page, 'cancelled', 1).waitFor();
  await again.close();
  await rm(own, { recursive: true });
});
