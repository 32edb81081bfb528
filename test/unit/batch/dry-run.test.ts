import { describe, expect, test } from 'vitest';
import { dryRun } from '../../../core/batch/dry-run.ts';
import { AWS_PRICES } from '../../../core/cost/prices.ts';
import { InvalidListError, InvalidOptionError } from '../../../core/model/errors.ts';
import { batchStatus } from '../../../core/batch/status.ts';
import { createService, itemsOf, objectsOf, submit, urlsOf } from './service.ts';

describe('a dry run', () => {
  test('tells what a submission would start, and starts and writes nothing', async () => {
    const service = await createService();
    const urls = [...urlsOf(6, 'a.example'), ...urlsOf(1, 'b.example'), ...urlsOf(5, 'a.example')];
    const tried = await dryRun(service, { items: itemsOf(urls), options: { connectionsPerHost: 3 } });
    expect(tried).toMatchObject({
      total: 7,
      duplicates: 5,
      hosts: {
        total: 2,
        largest: [
          { host: 'https://a.example', entries: 6, connections: 3 },
          { host: 'https://b.example', entries: 1, connections: 1 },
        ],
      },
      firstKeys: [...urlsOf(6, 'a.example'), 'https://b.example/0.jpg'].map((url) => url.slice('https://'.length)),
      options: { prefix: '{id}/', connectionsPerHost: 3 },
      estimate: { bytes: 7 * 1024 ** 2 },
    });
    expect(tried.estimate).not.toHaveProperty('cost');
    expect(await objectsOf(service)).toEqual([]);
    expect(await service.ledger.listBatches({ limit: 1 })).toEqual([]);
    expect(await service.tickets.hasVisible()).toBe(false);

    const id = await submit(service, urls, { options: { connectionsPerHost: 3 } });
    expect(await batchStatus(service, id)).toMatchObject({
      total: tried.total,
      duplicates: tried.duplicates,
      shards: { total: tried.shards },
    });
  });

  test('shows the first ten keys of the list and the twenty largest hosts', async () => {
    const service = await createService();
    const urls = Array.from({ length: 30 }, (_, i) => urlsOf(i + 1, `h${i}.example`)).flat();
    const { hosts, firstKeys } = await dryRun(service, { items: itemsOf(urls), options: { keyTemplate: '{index}' } });
    expect(hosts.total).toBe(30);
    expect(hosts.largest.map(({ entries }) => entries)).toEqual(Array.from({ length: 20 }, (_, i) => 30 - i));
    expect(firstKeys).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9', '10']);
  });

  test('counts with the sizes that are given, and says how many are not', async () => {
    const service = await createService();
    const items = itemsOf([{ url: 'https://a.example/1', size: 5 }, 'https://a.example/2']);
    const withMemory = (workerMb: number) =>
      dryRun({ ...service, billing: { prices: AWS_PRICES, workerMb } }, { items, options: {} });
    const { estimate } = await withMemory(1769);
    expect(estimate.bytes).toBe(5 + 1024 ** 2);
    expect(estimate.assumptions).toContain('1 files without a given size have 1 MiB each');
    expect(estimate.cost).toMatchObject({ region: 'us-east-1', pricesOf: AWS_PRICES.date });
    expect(estimate.cost?.dollars).toBeGreaterThan(0);
    const larger = (await withMemory(2 * 1769)).estimate;
    expect(larger.cost?.parts.lambda).toBeGreaterThan(1.5 * (estimate.cost?.parts.lambda ?? NaN));
  });

  test('refuses what a submission refuses', async () => {
    const service = await createService();
    const attempt = (urls: unknown[], options = {}) => dryRun(service, { items: itemsOf(urls), options });
    await expect(attempt([])).rejects.toThrow(InvalidListError);
    await expect(attempt(['ftp://a.example/'])).rejects.toThrow(InvalidListError);
    await expect(attempt(['https://a.example/'], { prefix: '../' })).rejects.toThrow(InvalidOptionError);
  });
});
