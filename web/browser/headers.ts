/** Request headers as people write them, `Name: value`, one a line. Errors: an `Error` that names the line. */
export function parseHeaders(text: string): Record<string, string> {
  const headers: [string, string][] = [];
  for (const [at, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const [, name, value] = /^\s*([^:\s]+)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined || value === undefined)
      throw new Error(`Line ${at + 1} of the request headers is not “Name: value”.`);
    headers.push([name, value]);
  }
  return Object.fromEntries(headers);
}
