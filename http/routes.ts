/** Every path of the API with its methods, whichever app answers them. */
export const ROUTES = {
  '/openapi.json': ['GET', 'HEAD'],
  '/health': ['GET', 'HEAD'],
  '/batches': ['GET', 'HEAD', 'POST'],
  '/lists': ['POST'],
  '/batches/:id': ['GET', 'HEAD', 'DELETE'],
  '/batches/:id/wait': ['GET', 'HEAD'],
  '/batches/:id/files': ['GET', 'HEAD'],
  '/batches/:id/summary': ['GET', 'HEAD'],
  '/batches/:id/cancel': ['POST'],
  '/batches/:id/pause': ['POST'],
  '/batches/:id/resume': ['POST'],
  '/batches/:id/retry': ['POST'],
} as const satisfies Record<string, readonly string[]>;
