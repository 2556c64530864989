// What Prometheus answered as Grafana's data frames, with the panel's transformations, units and colours applied.
import {
  FieldType, Registry, applyFieldOverrides, cacheFieldDisplayNames, standardTransformers, standardTransformersRegistry, toDataFrame,
  transformDataFrame,
} from '@grafana/data';
import { lastValueFrom } from 'rxjs';

standardTransformersRegistry.setInit(() =>
  [...new Set(Object.values(standardTransformers))].map((one) => ({ id: one.id, name: one.name, transformation: () => one })),
);

// Grafana's core registers what a panel may set of a field; of it this is what our dashboards set.
const option = (id, isCustom = false) => ({
  id, isCustom, path: isCustom ? id.replace('custom.', '') : id, name: id, process: (value) => value,
  shouldApply: () => true,
});
const PLAIN = ['unit', 'color', 'links', 'min', 'max', 'decimals', 'displayName', 'mappings', 'thresholds', 'noValue'];
const CUSTOM = [
  'drawStyle', 'lineWidth', 'lineStyle', 'lineInterpolation', 'fillOpacity', 'showPoints', 'stacking', 'spanNulls',
  'scaleDistribution', 'axisSoftMax', 'axisLabel', 'cellOptions', 'width', 'minWidth', 'align', 'hideFrom', 'thresholdsStyle',
];
const registry = new Registry(() => [
  ...PLAIN.map((id) => option(id)), ...CUSTOM.map((name) => option(`custom.${name}`, true)),
]);

const legend = (format, labels) => {
  if (format === '__auto') {
    const shown = Object.entries(labels).filter(([name]) => name !== '__name__');
    return shown.length ? `{${shown.map(([name, value]) => `${name}="${value}"`).join(', ')}}` : '';
  }
  return format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name) => labels[name] ?? '');
};

// As Grafana's graphs do: what is no number is a gap.
const drawn = (value) => (Number.isFinite(value) ? value : null);

const line = (target) => ({ metric, values }) => ({
  refId: target.refId,
  fields: [
    { name: 'Time', type: FieldType.time, values: values.map(([at]) => at * 1000), config: {} },
    {
      name: 'Value', type: FieldType.number, labels: metric, values: values.map(([, value]) => drawn(Number(value))),
      config: { displayNameFromDS: legend(target.legendFormat, metric) || undefined },
    },
  ],
});

const rows = (target, series, several) => {
  const names = [...new Set(series.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const column = (name) => ({
    name, type: FieldType.string, values: series.map(({ metric }) => metric[name] ?? ''), config: { filterable: true },
  });
  return {
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: series.map(({ value }) => value[0] * 1000), config: {} },
      ...names.map(column),
      {
        name: several ? `Value #${target.refId}` : 'Value', type: FieldType.number,
        values: series.map(({ value }) => Number(value[1])), config: {},
      },
    ],
  };
};

const framesOf = (panel, answers) => {
  const several = panel.targets.length > 1;
  return panel.targets.flatMap((target) => {
    const series = answers[target.refId];
    return target.instant ? [rows(target, series, several)] : series.map(line(target));
  });
};

export const prepared = async (panel, answers, theme) => {
  const frames = framesOf(panel, answers).map(toDataFrame).filter((frame) => frame.length);
  const data = await lastValueFrom(transformDataFrame(panel.transformations, frames));
  const found = applyFieldOverrides({
    data, theme, timeZone: 'utc', fieldConfig: panel.fieldConfig, fieldConfigRegistry: registry,
    replaceVariables: (text) => text,
  });
  cacheFieldDisplayNames(found);
  return found;
};
