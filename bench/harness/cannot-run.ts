/** What keeps a benchmark from running is not as it must be on this machine: its message alone tells the user what to do. */
export class CannotRun extends Error {
  override name = 'CannotRun';
}
