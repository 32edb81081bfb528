import { DownloadError } from '../model/failure.ts';

/** Statuses that say where the file is. */
export const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Why an absolute URL cannot be requested; `undefined` if it can. */
export function whyNotRequestable(url: URL): string | undefined {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'its scheme is neither http nor https';
  if (url.username !== '' || url.password !== '') return 'it has credentials in it';
  if (url.port === '0') return 'its port is 0'; // which Node would take for the scheme's own port
  return undefined;
}

/**
 * Where a redirect leads, without a fragment. Errors: `DownloadError` with `BAD_REDIRECT` if that cannot be requested,
 * `INSECURE_REDIRECT` if it leads from https to http.
 */
export function redirectTarget(from: URL, location: string | undefined, httpStatus: number): URL {
  const bad = (why: string) =>
    new DownloadError('BAD_REDIRECT', `the redirect cannot be followed: ${why}`, { httpStatus });
  if (location === undefined) throw bad('it has no Location');
  // Node reads headers as Latin-1; servers that do not escape what they send mean UTF-8.
  const target = URL.parse(Buffer.from(location, 'latin1').toString(), from.href);
  if (target === null) throw bad('its Location is no URL');
  const why = whyNotRequestable(target);
  if (why !== undefined) throw bad(why);
  if (from.protocol === 'https:' && target.protocol === 'http:') {
    throw new DownloadError('INSECURE_REDIRECT', 'a redirect leads from https to http', { httpStatus });
  }
  target.hash = '';
  return target;
}
