import { asStartError, startEmbedded, type Embedded, type EmbeddedOptions } from './embedded.ts';
import { serveHttp } from './http-server.ts';

export interface Served extends Embedded {
  url: string;
}

/**
 * Starts the whole service on this machine and serves its API on 127.0.0.1.
 *
 * @param port 0 takes a free one
 * @throws StartError
 */
export async function serveEmbedded(options: EmbeddedOptions, port: number): Promise<Served> {
  const embedded = await startEmbedded(options);
  try {
    const server = await serveHttp(embedded, port);
    const close = async () => {
      await server.close();
      await embedded.close();
    };
    return { ...embedded, url: server.url, close };
  } catch (error) {
    await embedded.close();
    throw asStartError(error, `Port ${port}`, '--port');
  }
}
