import chromium from '@sparticuz/chromium';
import { chromium as playwright, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';

/** How long the page may take to show what a test waits for; a failing test ends after it. */
const PATIENCE_MS = 30_000;

/** A headless Chromium out of an npm package; the caller closes it. */
export async function launchBrowser(): Promise<Browser> {
  // Its own arguments are Lambda's, and turn off what keeps sites apart.
  return playwright.launch({ executablePath: await chromium.executablePath(), args: ['--no-sandbox'] });
}

/**
 * Opens an address in a profile of its own for the running test. What the page's script throws, and what its
 * Content-Security-Policy had to stop, fails the test.
 */
export async function openPage(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => void errors.push(String(error)));
  page.on('dialog', (dialog) => void errors.push(`a dialog: ${dialog.message()}`));
  page.on('console', (message) => {
    if (/content security policy|trusted/i.test(message.text())) errors.push(message.text());
  });
  onTestFinished(async () => {
    await context.close();
    expect(errors).toEqual([]);
  });
  await page.goto(url);
  return page;
}
