declare module 'dynalite' {
  import type { Server } from 'node:http';

  /** DynamoDB's protocol over tables in memory. */
  function dynalite(options?: { createTableMs?: number }): Server;
  export = dynalite;
}
