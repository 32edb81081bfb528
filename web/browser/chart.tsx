import { duration } from '../../core/model/text.ts';
import type { Point } from './series.ts';

/** The drawing's own units; it is stretched to the room that it has. */
const WIDTH = 300;
const HEIGHT = 64;
/** Room for half of the line's width. */
const MARGIN = 2;

interface ChartProps {
  title: string;
  series: readonly Point[];
  field: 'filesPerSecond' | 'bytesPerSecond';
  /** A speed as a text. */
  text: (perSecond: number) => string;
}

/** A speed over the time since this page began to look. */
export function Chart({ title, series, field, text }: ChartProps) {
  const first = series[0];
  const last = series.at(-1);
  const peak = Math.max(0, ...series.map((point) => point[field]));
  const now = text(last?.[field] ?? 0);
  const span = first && last ? (last.at - first.at) / 1000 : 0;
  const since = span < 1 ? 'just now' : `last ${duration(span)}`;

  return (
    <figure class="chart">
      <figcaption>
        <span class="label">{title}</span>
        <strong>{now}</strong>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${title}: ${now} now, ${text(peak)} at the most, ${since}`}
      >
        {first && span > 0 && peak > 0 && (
          <Curve series={series} field={field} from={first.at} span={span} peak={peak} />
        )}
      </svg>
      <div class="axis" aria-hidden="true">
        <span>{since}</span>
        <span>peak {text(peak)}</span>
      </div>
    </figure>
  );
}

interface CurveProps extends Pick<ChartProps, 'series' | 'field'> {
  from: number;
  span: number;
  peak: number;
}

function Curve({ series, field, from, span, peak }: CurveProps) {
  const x = (at: number) => ((WIDTH * (at - from)) / (1000 * span)).toFixed(1);
  const y = (value: number) => (HEIGHT - MARGIN - ((HEIGHT - 2 * MARGIN) * value) / peak).toFixed(1);
  const line = series.map((point) => `${x(point.at)},${y(point[field])}`).join(' ');
  return (
    <>
      <polygon points={`0,${HEIGHT} ${line} ${WIDTH},${HEIGHT}`} />
      <polyline points={line} />
    </>
  );
}
