// Every kind of panel that the dashboards have, by Grafana's components where it publishes them.
import { getFieldDisplayValues } from '@grafana/data';
import { BigValue, TimeSeries, useTheme2 } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { Cells } from './cells.jsx';

const Stat = ({ panel, frames, width, height, replace }) => {
  const theme = useTheme2();
  const { reduceOptions, ...look } = panel.options;
  const shown = getFieldDisplayValues({
    data: frames, reduceOptions, fieldConfig: panel.fieldConfig, theme, replaceVariables: replace, timeZone: 'utc',
    sparkline: panel.options.graphMode !== 'none',
  });
  return <BigValue value={shown[0].display} sparkline={shown[0].sparkline} width={width} height={height} theme={theme} {...look} />;
};

const MARK = '#9fa0a8'; // the dashboards' EVENT_COLOUR

// The marks of the dashboard, as Grafana draws annotations: dashed, with a small triangle below.
const Marks = ({ config, marks }) => {
  const theme = useTheme2();
  config.addHook('draw', (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = theme.visualization.getColorByName(MARK);
    for (const at of marks) {
      const x = plot.valToPos(at, 'x', true);
      ctx.setLineDash([4, 4]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.beginPath();
      ctx.moveTo(x - 5, bbox.top + bbox.height + 6);
      ctx.lineTo(x + 5, bbox.top + bbox.height + 6);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.fill();
    }
    ctx.restore();
  });
  return null;
};

const Lines = ({ panel, frames, width, height, timeRange, marks }) => (
  <TimeSeries
    frames={frames} structureRev={1} width={width} height={height} timeRange={timeRange} timeZone="utc"
    legend={panel.options.legend} options={panel.options}
  >
    {(config) => <Marks config={config} marks={marks} />}
  </TimeSeries>
);

const Rows = ({ panel, frames, width, height }) => (
  <TableNG
    data={frames[0]} width={width} height={height} fieldConfig={panel.fieldConfig}
    sortBy={panel.options.sortBy} cellHeight={panel.options.cellHeight} noHeader={!panel.options.showHeader}
    enableVirtualization={false}
  />
);

const Nothing = ({ panel }) => <div className="empty">{panel.fieldConfig.defaults.noValue ?? 'No data'}</div>;

const KINDS = { stat: Stat, timeseries: Lines, table: Rows, 'state-timeline': Cells, 'status-history': Cells };

export const Content = (given) => {
  const Kind = given.frames.some((frame) => frame.length) ? KINDS[given.panel.type] : Nothing;
  return <Kind {...given} />;
};
