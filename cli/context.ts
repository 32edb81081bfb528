/** What every command is made with. */
export interface Context {
  version: string;
  /** What threads of the embedded service run. */
  threadScript: URL;
}
