/** Every path of the API with its methods, whichever app answers them. */
export const ROUTES = {
  '/health': ['GET', 'HEAD'],
  '/batches': ['GET', 'HEAD', 'POST'],
  '/batches/:id': ['GET', 'HEAD'],
  '/batches/:id/files': ['GET', 'HEAD'],
  '/batches/:id/cancel': ['POST'],
} as const satisfies Record<string, readonly string[]>;
