/** A line of a plot: entries, and microseconds of each. */
export interface Line {
  name: string;
  points: readonly (readonly [entries: number, microseconds: number])[];
}

const WIDTH = 560;
const HEIGHT = 280;
const LEFT = 64;
const RIGHT = 92;
const TOP = 24;
const BOTTOM = 44;
/** Readable on white and on black; the lines of colour-blind readers' palettes (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00'];

/** The plot as SVG: entries on a logarithmic axis, microseconds from 0. The same lines give the same text. */
export function plotOf(lines: readonly Line[]): string {
  const points = lines.flatMap((line) => line.points);
  const [first, last] = [Math.min, Math.max].map((of) => Math.log10(of(...points.map(([entries]) => entries))));
  const top = niceAbove(Math.max(...points.map(([, microseconds]) => microseconds)));
  const x = (entries: number) =>
    LEFT + ((Math.log10(entries) - (first ?? 0)) / ((last ?? 1) - (first ?? 0))) * (WIDTH - LEFT - RIGHT);
  const y = (microseconds: number) => HEIGHT - BOTTOM - (microseconds / top) * (HEIGHT - TOP - BOTTOM);
  const text = (at: number, down: number, content: string, more = '') =>
    `<text x="${at.toFixed(1)}" y="${down.toFixed(1)}"${more}>${content}</text>`;

  const levels = [0, top / 4, top / 2, (3 * top) / 4, top].flatMap((level) => [
    `<path class="grid" d="M${LEFT} ${y(level).toFixed(1)}H${WIDTH - RIGHT}"/>`,
    text(LEFT - 8, y(level) + 4, String(Math.round(level)), ' text-anchor="end"'),
  ]);
  const sizes = [...new Set(points.map(([entries]) => entries))].sort((a, b) => a - b);
  const ticks = sizes.map((size) =>
    text(
      x(size),
      HEIGHT - BOTTOM + 20,
      `10<tspan dy="-5" font-size="9">${Math.log10(size).toFixed(0)}</tspan>`,
      ' text-anchor="middle"',
    ),
  );
  const drawn = lines.flatMap(({ name, points }, i) => {
    const colour = COLOURS[i % COLOURS.length] ?? '';
    const path = points.map(([entries, microseconds]) => `${x(entries).toFixed(1)} ${y(microseconds).toFixed(1)}`);
    const [entries, microseconds] = points.at(-1) ?? [1, 0];
    return [
      `<path d="M${path.join('L')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...path.map((at) => `<circle cx="${at.replace(' ', '" cy="')}" r="3" fill="${colour}"/>`),
      text(x(entries) + 10, y(microseconds) + 4, name, ` style="fill:${colour}"`),
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="Microseconds per entry by the number of entries">`,
    '<style>text{font:12px sans-serif;fill:#57606a}.grid{stroke:#57606a;stroke-opacity:.25}@media(prefers-color-scheme:dark){text{fill:#8b949e}}</style>',
    ...levels,
    ...ticks,
    text(LEFT, TOP - 10, 'µs per entry'),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, 'entries', ' text-anchor="middle"'),
    ...drawn,
    '</svg>\n',
  ].join('\n');
}

/** 1, 2, 4 or 8 times a power of ten. */
function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 8].find((n) => n * power >= value) ?? 10) * power;
}
