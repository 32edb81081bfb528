/**
 * What no downloader by `node:http` can be much faster than: `node floor.ts LIST FOLDER CONNECTIONS THREADS` asks by `node:http` over
 * connections that stay open, digests with SHA-256, writes under another name and renames. It checks and remembers nothing.
 */
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

interface Share {
  urls: string[];
  folder: string;
  connections: number;
}

if (isMainThread) {
  const [list = '', folder = '', connections, threads] = process.argv.slice(2);
  const urls = readFileSync(list, 'utf8').trimEnd().split('\n');
  for (let thread = 0; thread < Number(threads); thread++) {
    const share: Share = {
      urls: urls.filter((_, i) => i % Number(threads) === thread),
      folder,
      connections: Math.ceil(Number(connections) / Number(threads)),
    };
    new Worker(fileURLToPath(import.meta.url), { workerData: share });
  }
} else {
  const { urls, folder, connections } = workerData as Share;
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const digests: string[] = [];
  await Promise.all(
    Array.from({ length: connections }, async () => {
      for (let url = urls.pop(); url !== undefined; url = urls.pop()) {
        const body = await fetchBody(url, agent);
        digests.push(createHash('sha256').update(body).digest('hex'));
        const path = join(folder, basename(url));
        writeFileSync(`${path}.part`, body);
        renameSync(`${path}.part`, path);
      }
    }),
  );
  agent.destroy();
}

function fetchBody(url: string, agent: Agent): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url}: ${response.statusCode}`));
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () => resolve(Buffer.concat(pieces)));
    }).on('error', reject);
  });
}
