import { useEffect, useRef, useState } from 'preact/hooks';
import { BatchList } from './batch-list.tsx';
import { BatchView } from './batch.tsx';
import { useRoute } from './navigation.ts';
import { AwayContext } from './polling.ts';
import { batchesHref, NEW_HREF, type Route } from './route.ts';
import { StartForm } from './start.tsx';

/** The whole page: what the address names, and whether the service is there. */
export function App() {
  const route = useRoute();
  const [away, setAway] = useState<string>();
  const main = useRef<HTMLElement>(null);
  const place = route.view === 'batch' ? route.id : route.view;
  const first = useRef(place);

  // What is opened finds out for itself whether the service is there; who uses the keyboard or a screen reader begins at
  // its top.
  useEffect(() => {
    if (first.current === place) return;
    first.current = place;
    setAway(undefined);
    scrollTo(0, 0);
    main.current?.focus();
  }, [place]);

  return (
    <AwayContext.Provider value={setAway}>
      <header class="bar">
        <a class="brand" href={batchesHref()}>
          <img src="icon.svg" alt="" width="24" height="24" />
          Downburst
        </a>
        <nav aria-label="Main">
          <a href={batchesHref()} aria-current={route.view === 'batches' ? 'page' : undefined}>
            Batches
          </a>
          <a class="button primary" href={NEW_HREF} aria-current={route.view === 'new' ? 'page' : undefined}>
            New batch
          </a>
        </nav>
      </header>
      <div role="status" class="away">
        {away !== undefined && <p>{away} What you see is as it was; this page goes on by itself.</p>}
      </div>
      <main ref={main} tabIndex={-1}>
        <View route={route} />
      </main>
    </AwayContext.Provider>
  );
}

function View({ route }: { route: Route }) {
  switch (route.view) {
    case 'batches':
      return <BatchList cursor={route.cursor} />;
    case 'new':
      return <StartForm />;
    case 'batch':
      return <BatchView key={route.id} id={route.id} files={route} />;
    case 'unknown':
      return (
        <section>
          <h1>There is nothing here</h1>
          <p>
            <a href={batchesHref()}>All batches</a>
          </p>
        </section>
      );
  }
}
