import type { Response } from '../../core/http1/connection.ts';

/** A response's body, all of it. Errors: what broke it. */
export async function readResponse(response: Response): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (;;) {
    const piece = response.read();
    if (piece) pieces.push(Buffer.from(piece));
    else if (response.hasEnded()) return Buffer.concat(pieces);
    else await response.changed();
  }
}
