import { describeObjectStore } from '../../contract/object-store-contract.ts';
import { createMemoryStore } from '../../helpers/memory-store.ts';

// What other tests use in place of a real store must be one.
describeObjectStore('memory', () => Promise.resolve(createMemoryStore()));
