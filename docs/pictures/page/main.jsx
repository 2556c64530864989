// A dashboard on one page, as it is in Grafana's grid. window.PICTURE has the dashboard and what Prometheus answered.
import { createTheme, dateTime } from '@grafana/data';
import { GlobalStyles, Icon, PanelChrome, ThemeContext } from '@grafana/ui';
import { flushSync } from 'react-dom';
import { createRoot } from 'react-dom/client';
import { prepared } from './frames.js';
import { Content } from './panels.jsx';
import './page.css';

const COLUMNS = 24, CELL = 30, MARGIN = 8, PADDING = 16;
const { board, answers, marks, from, to, chosen, width } = window.PICTURE;
const theme = createTheme({ colors: { mode: 'dark' } });
const range = { from: dateTime(from), to: dateTime(to) };
const timeRange = { ...range, raw: range };
const wide = (width - 2 * PADDING + MARGIN) / COLUMNS;

const place = ({ x, y, w, h }) => ({
  left: x * wide, top: y * (CELL + MARGIN), width: w * wide - MARGIN, height: h * (CELL + MARGIN) - MARGIN,
});

const replace = (text) => text.replace(/\$\{?(\w+)\}?/g, (found, name) => chosen[name] ?? found);

const Head = () => (
  <header>
    <h1>{board.title}</h1>
    {board.templating.list.filter(({ name }) => chosen[name]).map(({ name, label }) => (
      <div className="choice" key={name}><span>{label}</span><b>{chosen[name] === '.*' ? 'All' : chosen[name]}</b><Icon name="angle-down" /></div>
    ))}
    <div className="choice time"><Icon name="clock-nine" /><b>{[from, to].map((at) => new Date(at).toISOString().slice(11, 19)).join(' to ')}</b><span>UTC</span></div>
  </header>
);

const Row = ({ panel, box }) => (
  <div className="row" style={{ ...box, position: 'absolute' }}>
    <Icon name={panel.collapsed ? 'angle-right' : 'angle-down'} />
    <b>{panel.title}</b>
    {panel.collapsed && <i>({panel.panels.length} panels)</i>}
  </div>
);

const Panel = ({ panel, frames, box }) => (
  <div style={{ position: 'absolute', left: box.left, top: box.top }}>
    <PanelChrome width={box.width} height={box.height} title={replace(panel.title)} description={panel.description}>
      {(width, height) => <Content {...{ panel, frames, width, height, timeRange, marks, replace }} />}
    </PanelChrome>
  </div>
);

const Page = ({ shown }) => {
  const tall = Math.max(...board.panels.map(({ gridPos }) => gridPos.y + gridPos.h)) * (CELL + MARGIN);
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <main style={{ background: theme.colors.background.canvas, color: theme.colors.text.primary, width }}>
        <Head />
        <div style={{ position: 'relative', height: tall }}>
          {shown.map(({ panel, frames }) =>
            panel.type === 'row'
              ? <Row key={panel.id} panel={panel} box={place(panel.gridPos)} />
              : <Panel key={panel.id} panel={panel} frames={frames} box={place(panel.gridPos)} />,
          )}
        </div>
      </main>
    </ThemeContext.Provider>
  );
};

const Fonts = () => <ThemeContext.Provider value={theme}><GlobalStyles /></ThemeContext.Provider>;

// Axes are measured when they are drawn: the fonts must be there by then.
const shown = async () => {
  const root = createRoot(document.getElementById('page'));
  flushSync(() => root.render(<Fonts />));
  await Promise.all(['400 12px Inter', '500 14px Inter'].map((font) => document.fonts.load(font)));
  const panels = await Promise.all(
    board.panels.map(async (panel) => ({
      panel, frames: panel.type === 'row' ? [] : await prepared(panel, answers[panel.id], theme),
    })),
  );
  root.render(<Page shown={panels} />);
};
shown();
