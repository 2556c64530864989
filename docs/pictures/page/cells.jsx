// State timelines and status histories. Grafana publishes neither as a component: the axes, the legend and the colour of
// every value are Grafana's, the rectangles are drawn here.
import { FieldType, formattedValueToString, getFieldDisplayName } from '@grafana/data';
import { AxisPlacement, ScaleDirection, ScaleOrientation } from '@grafana/schema';
import { UPlotChart, UPlotConfigBuilder, VizLayout, VizLegend, useTheme2 } from '@grafana/ui';

const GAP = 1;

const seriesOf = (frames) =>
  frames.map((frame) => {
    const [time, value] = [FieldType.time, FieldType.number].map((type) => frame.fields.find((f) => f.type === type));
    return { times: time.values, values: value.values, field: value, name: getFieldDisplayName(value, frame, frames) };
  });

// A state lasts until it changes; a sample stands for the time until the next one.
const spans = ({ times, values, field }, merged, step) => {
  const found = [];
  times.forEach((at, number) => {
    const [last, shown] = [found.at(-1), field.display(values[number])];
    if (values[number] == null) return;
    if (merged && last?.color === shown.color && at <= last.to) last.to = at + step;
    else found.push({ from: at, to: at + step, color: shown.color });
  });
  return found;
};

const configured = (series, panel, timeRange, theme) => {
  const config = new UPlotConfigBuilder('utc');
  config.setPadding([null, 28, null, null]); // half of the last label of the time axis
  const count = series.length;
  config.addScale({
    scaleKey: 'x', isTime: true, orientation: ScaleOrientation.Horizontal, direction: ScaleDirection.Right,
    range: () => [timeRange.from.valueOf(), timeRange.to.valueOf()],
  });
  config.addScale({
    scaleKey: 'y', orientation: ScaleOrientation.Vertical, direction: ScaleDirection.Down, range: () => [0, count],
  });
  config.addAxis({ scaleKey: 'x', isTime: true, placement: AxisPlacement.Bottom, theme, timeZone: 'utc', grid: { show: false } });
  config.addAxis({
    scaleKey: 'y', placement: AxisPlacement.Left, theme, grid: { show: false }, ticks: { show: false }, gap: 8,
    splits: () => series.map((_, row) => row + 0.5), values: () => series.map(({ name }) => name),
  });
  config.addSeries({ scaleKey: 'y', theme, drawStyle: 'points', showPoints: 'never', lineWidth: 0, pathBuilder: () => null, pointsBuilder: () => null });
  const step = Math.min(...series.map(({ times }) => (times.length > 1 ? times[1] - times[0] : Infinity)));
  config.addHook('draw', (plot) => paint(plot, series, panel, step));
  return config;
};

const paint = (plot, series, panel, step) => {
  const { ctx, bbox } = plot;
  const { rowHeight, colWidth = 1, mergeValues = false } = panel.options;
  const tall = bbox.height / series.length;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.globalAlpha = panel.fieldConfig.defaults.custom.fillOpacity / 100;
  series.forEach((one, row) => {
    for (const { from, to, color } of spans(one, mergeValues, step)) {
      const [left, right] = [from, to].map((at) => plot.valToPos(at, 'x', true));
      ctx.fillStyle = color;
      const wide = (right - left) * colWidth - (mergeValues ? 0 : GAP);
      ctx.fillRect(left, bbox.top + tall * (row + (1 - rowHeight) / 2), wide, tall * rowHeight);
    }
  });
  ctx.restore();
};

// What the colours mean: the names of values, or from which value on.
const legend = ({ fieldConfig: { defaults } }, field, theme) => {
  const item = (label, color) => ({ label, color: theme.visualization.getColorByName(color), yAxis: 1 });
  if (defaults.mappings) return defaults.mappings.flatMap(({ options }) => Object.values(options).map(({ text, color }) => item(text, color)));
  const text = ({ value }) => formattedValueToString(field.display(value));
  const [below, ...above] = defaults.thresholds.steps;
  return [item(`< ${text(above[0])}`, below.color), ...above.map((step) => item(`${text(step)}+`, step.color))];
};

export const Cells = ({ panel, frames, width, height, timeRange }) => {
  const theme = useTheme2();
  const series = seriesOf(frames);
  // As Grafana does: so many samples cannot be told apart.
  if (panel.type === 'status-history' && series[0].times.length > width / 2) {
    return <div className="empty">Too many points to visualize properly.</div>;
  }
  const config = configured(series, panel, timeRange, theme);
  const data = [series[0].times, series[0].values];
  const items = legend(panel, series[0].field, theme);
  const shown = (
    <VizLayout.Legend placement="bottom"><VizLegend placement="bottom" displayMode="list" items={items} /></VizLayout.Legend>
  );
  return (
    <VizLayout width={width} height={height} legend={shown}>
      {(wide, tall) => <UPlotChart config={config} data={data} width={wide} height={tall} />}
    </VizLayout>
  );
};
