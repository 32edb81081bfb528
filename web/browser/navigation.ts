import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import { parseRoute, type Route } from './route.ts';

export function go(href: string): void {
  location.hash = href;
}

/** The route of the address, as it changes. */
export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  // Before anything is painted: no change of the address goes unheard.
  useLayoutEffect(() => {
    const follow = () => setRoute(parseRoute(location.hash));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return route;
}

/** Says in the browser's tab what the page shows. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Downburst`;
  }, [title]);
}
